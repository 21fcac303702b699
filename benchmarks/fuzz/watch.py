"""Cases in a process of their own, watched: one that dies or hangs is a finding, and the next process goes on."""

from __future__ import annotations

import multiprocessing
import random
import tempfile
import traceback
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from pathlib import Path

from edgewise.errors import EdgewiseError

SECONDS = 60.0


@dataclass
class Counts:
    """How the cases of a target ended.

    Args:
        name: of the target.
        accepted: cases that were read.
        refused: cases that ended with an error of edgewise's own.
        failures: (seed, what happened) of the others: tracebacks, crashes, hangs.
    """

    name: str
    accepted: int = 0
    refused: int = 0
    failures: list[tuple[int, str]] = field(default_factory=list)

    @property
    def cases(self) -> int:
        """All of them."""
        return self.accepted + self.refused + len(self.failures)

    def __str__(self) -> str:
        return (
            f"{self.name}: {self.cases} cases, {self.accepted} accepted, {self.refused} refused, "
            f"{len(self.failures)} failures"
        )


Case = Callable[[random.Random, Path], None]


def try_case(case: Case, seed: int) -> str:
    """Gives one case to its reader: "accepted", "refused", or a traceback."""
    with tempfile.TemporaryDirectory() as folder:
        try:
            case(random.Random(seed), Path(folder))
        except EdgewiseError as error:
            text = str(error)
            fit = len(text) < 20_000 and text.replace("\n", "").isprintable()
            return "refused" if fit else f"a message that can't be shown: {text}"
        except Exception:
            return traceback.format_exc()
    return "accepted"


def fuzz(name: str, case: Case, seeds: Iterable[int], *, seconds: float = SECONDS) -> Counts:
    """Tries cases in child processes.

    Args:
        name: of the target.
        case: a module's function, so that a child process finds it.
        seeds: one case each.
        seconds: after which a case counts as a hang; the first of a process has three times as long, to begin.
    """
    counts, worker = Counts(name), None
    try:
        for seed in seeds:
            fresh = worker is None
            worker = worker or _Worker(case)
            said = worker.ask(seed, seconds * 3 if fresh else seconds)
            if said == "accepted":
                counts.accepted += 1
            elif said == "refused":
                counts.refused += 1
            else:
                counts.failures.append((seed, said))
            if said.startswith(("crash", "hang")):
                worker.end()
                worker = None
    finally:
        if worker is not None:
            worker.end()
    return counts


class _Worker:
    def __init__(self, case: Case) -> None:
        context = multiprocessing.get_context("spawn")
        self._connection, other = context.Pipe()
        self._process = context.Process(target=_work, args=(case, other), daemon=True)
        self._process.start()
        other.close()

    def ask(self, seed: int, seconds: float) -> str:
        try:
            self._connection.send(seed)
            if not self._connection.poll(seconds):
                return f"hang: no answer in {seconds:.0f} s"
            return self._connection.recv()
        except (EOFError, OSError):
            self._process.join(5)
            return f"crash: the process ended with {self._process.exitcode}"

    def end(self) -> None:
        self._process.kill()
        self._process.join()


def _work(case: Case, connection: Connection) -> None:
    import torch

    torch.set_num_threads(1)
    while True:
        try:
            seed = connection.recv()
        except EOFError:
            return
        connection.send(try_case(case, seed))
