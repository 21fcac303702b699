"""Carries runs out on this machine: one after the other in this process, or several processes side by side."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from multiprocessing.connection import Connection
from typing import Any

from edgewise.progress.pace import Figures
from edgewise.progress.protocol import Phase
from edgewise.runtime.interrupt import StopRequest
from edgewise.study.worker import Job, Outcome, carry_out

POLL = 0.2
"""Seconds between two looks at the processes."""

Begin = Callable[[Job], None]
End = Callable[[Job, Outcome], None]


class InProcess:
    """One run after the other, in this process.

    Args:
        look: called every now and then while a run goes on.
    """

    def __init__(self, look: Callable[[], None]) -> None:
        self._look = look

    def run(self, jobs: Sequence[Job], begin: Begin, end: End) -> bool:
        """Carries out all jobs; stops after one that somebody interrupted, and says whether there was one."""
        for job in jobs:
            begin(job)
            outcome = carry_out(job, _Glance(self._look))
            end(job, outcome)
            if outcome.status == "interrupted":
                return True
        return False


class _Glance:
    """The progress of a single run, which only gives the study a chance to look."""

    def __init__(self, look: Callable[[], None]) -> None:
        self._look = look

    @contextmanager
    def phase(self, title: str, epochs: int, steps: int, start_epoch: int = 0) -> Iterator[Phase]:
        yield self

    def step(self, epoch: int, step: int, figures: Figures) -> None:
        self._look()

    def epoch(self, epoch: int, figures: Figures) -> None:
        self._look()

    def say(self, text: str) -> None:
        self._look()

    def table(self, title: str, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
        pass


class Processes:
    """Several runs side by side, each in a process of its own: one that dies takes nothing with it.

    Args:
        workers: how many at a time.
        look: called every now and then.
        retries: how often a run whose process died is tried again.
        work: what a process does with its job; a function of a module.
        begin_by: how a process begins: see `multiprocessing`. A fork can't use CUDA.
    """

    def __init__(
        self,
        workers: int,
        look: Callable[[], None],
        *,
        retries: int = 1,
        work: Callable[[Job], Outcome] = carry_out,
        begin_by: str = "spawn",
    ) -> None:
        self._workers, self._look, self._retries, self._work = workers, look, retries, work
        self._context: Any = multiprocessing.get_context(begin_by)
        self._running: dict[str, tuple[Job, Any, Connection]] = {}

    def run(self, jobs: Sequence[Job], begin: Begin, end: End) -> bool:
        """Carries out all jobs; on Ctrl-C the running ones save themselves, the rest does not begin: True then."""
        waiting, deaths = list(jobs), dict.fromkeys((job.name for job in jobs), 0)
        with StopRequest() as stop:
            while self._running or (waiting and not stop.requested):
                while waiting and len(self._running) < self._workers and not stop.requested:
                    job = waiting.pop(0)
                    begin(job)
                    self._start(job)
                if stop.requested:
                    self._ask_to_stop()
                time.sleep(POLL)
                self._look()
                for job, outcome in self._ended():
                    end(job, outcome)
                    deaths[job.name] += outcome.status == "died"
                    if outcome.status == "died" and deaths[job.name] <= self._retries:
                        waiting.insert(0, job)
        return stop.requested

    def _start(self, job: Job) -> None:
        receiver, sender = self._context.Pipe(duplex=False)
        process = self._context.Process(target=_in_child, args=(self._work, job, sender), name=job.name)
        process.start()
        sender.close()
        self._running[job.name] = (job, process, receiver)

    def _ended(self) -> list[tuple[Job, Outcome]]:
        found = []
        for name, (job, process, receiver) in list(self._running.items()):
            if process.is_alive():
                continue
            process.join()
            found.append((job, _received(receiver, process.exitcode)))
            del self._running[name]
        return found

    def _ask_to_stop(self) -> None:
        for name, (job, process, receiver) in list(self._running.items()):
            if not getattr(process, "asked", False):
                process.terminate()
                # A second signal would end it before it has saved itself.
                process.asked = True
                self._running[name] = (job, process, receiver)


def _received(receiver: Connection, exitcode: int | None) -> Outcome:
    try:
        if receiver.poll():
            return receiver.recv()
    except (EOFError, OSError):
        pass
    finally:
        receiver.close()
    how = f"signal {-exitcode}" if exitcode and exitcode < 0 else f"exit code {exitcode}"
    return Outcome(
        "died", f"its process ended without a word ({how}; 9 is what the system sends when memory is short)"
    )


def _in_child(work: Callable[[Job], Outcome], job: Job, sender: Connection) -> None:
    if hasattr(os, "setsid"):
        # Ctrl-C in the terminal reaches the study alone, which asks each run to stop once.
        os.setsid()
    threading.Thread(target=_stop_with_parent, daemon=True).start()
    sender.send(work(job))


def _stop_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os.kill(os.getpid(), signal.SIGTERM)
