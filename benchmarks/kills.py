"""`python -m benchmarks.kills [RECIPE ...]`: searches of every recipe, stopped in six ways, then resumed.

Three signals at a random moment (KILL, TERM, INT), a disk that fills up at a checkpoint, a disk without room for
one from the start, and a folder that becomes read-only. Afterwards the search is resumed, and its trace, weights
and cells are compared, byte for byte, with those of a search that was never stopped. Prints a line a recipe.
"""

from __future__ import annotations

import argparse
import errno
import os
import random
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import torch

from edgewise.errors import EdgewiseError
from edgewise.methods import RECIPES
from edgewise.pipeline import Options, Settings, resolve, resume, start
from edgewise.runs import atomic

SETS = (
    *("data.train_images=100", "search.epochs=3", "search.batch_size=16", "search.channels=8", "search.layers=3"),
    *("warm_up=none", "search.trace_steps=true"),
)
FILES = ("trace.jsonl", "supernet.safetensors", "genotype.json")
# What a child process ends with.
DONE, REFUSED, BROKEN = 0, 3, 4


def begin(settings: Settings, folder: Path, before: Callable[[], None] = lambda: None) -> int:
    """Starts or resumes a search in a child process; returns its number."""
    pid = os.fork()
    if pid:
        return pid
    try:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
        before()
        if (folder / "checkpoint.pt").exists():
            resume(folder, checkpoint_seconds=0.05)
        else:
            how = Options(seed=1, device="cpu", checkpoint_seconds=0.05, overwrite=True)
            start(settings, folder, options=how, command="search")
        os._exit(DONE)
    except EdgewiseError:
        os._exit(REFUSED)
    except BaseException:
        os._exit(BROKEN)


def ended(pid: int) -> int:
    """The exit code of a child; the negative number of the signal that ended it."""
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def full_disk(name: str, writes: int) -> Callable[[], None]:
    """The disk is full for a file from one of its writes on."""
    replace, left = os.replace, [writes]

    def refuse(source: Path, target: Path) -> None:
        if Path(target).name == name:
            left[0] -= 1
            if left[0] < 0:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        replace(source, target)

    return lambda: setattr(atomic.os, "replace", refuse)


def no_room() -> None:
    """The disk has next to no room."""
    usage = shutil.disk_usage
    atomic.shutil.disk_usage = lambda path: usage(path)._replace(free=1000)  # type: ignore[method-assign]


def read_only(writes: int) -> Callable[[], None]:
    """The folder can't be written to any more after some writes."""
    left = [writes]

    def refuse(*args: object, **kwargs: object) -> object:
        left[0] -= 1
        if left[0] < 0:
            raise OSError(errno.EROFS, os.strerror(errno.EROFS))
        return open(*args, **kwargs)  # type: ignore[call-overload]

    return lambda: setattr(atomic, "open", refuse)


def faults(rng: random.Random, seconds: float) -> dict[str, Callable[[Settings, Path], bool]]:
    """Ways to stop a search; each says whether it ended as it should."""

    def signalled(number: int) -> Callable[[Settings, Path], bool]:
        def stop(settings: Settings, folder: Path) -> bool:
            pid = begin(settings, folder)
            time.sleep(rng.uniform(0.1, seconds))
            os.kill(pid, number)
            return ended(pid) in (DONE, REFUSED, -number)

        return stop

    def refused(before: Callable[[], None]) -> Callable[[Settings, Path], bool]:
        return lambda settings, folder: ended(begin(settings, folder, before)) == REFUSED

    return {
        "SIGKILL": signalled(signal.SIGKILL),
        "SIGTERM": signalled(signal.SIGTERM),
        "SIGINT": signalled(signal.SIGINT),
        "full disk": refused(full_disk("checkpoint.pt", rng.randrange(1, 5))),
        "no room": refused(no_room),
        "read-only": refused(read_only(rng.randrange(4, 9))),
    }


def try_recipe(name: str, rounds: int, rng: random.Random) -> dict[str, tuple[int, int]]:
    """For each fault, how many searches ended as the one that was never stopped, and of how many."""
    settings = resolve(name, sets=SETS)
    counts: dict[str, tuple[int, int]] = {}
    with tempfile.TemporaryDirectory() as place:
        whole, began = Path(place) / "whole", time.monotonic()
        if ended(begin(settings, whole)) != DONE:
            raise SystemExit(f"{name}: the search that nobody stops does not end")
        seconds = time.monotonic() - began
        for turn in range(rounds):
            for fault, stop in faults(rng, seconds).items():
                folder = Path(place) / f"{fault}-{turn}"
                good = stop(settings, folder) and ended(begin(settings, folder)) == DONE
                good = good and all((folder / file).read_bytes() == (whole / file).read_bytes() for file in FILES)
                right, of = counts.get(fault, (0, 0))
                counts[fault] = right + good, of + 1
    return counts


def main() -> int:
    """Tries recipes; returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.kills", description=__doc__)
    parser.add_argument("recipes", nargs="*", metavar="RECIPE", help="all where none is named")
    parser.add_argument("--rounds", type=int, default=1, help="how often each fault strikes each recipe")
    parser.add_argument("--seed", type=int, default=0, help="of the moments")
    options = parser.parse_args()
    torch.set_num_threads(1)
    wrong = 0
    for name in options.recipes or RECIPES:
        counts = try_recipe(name, options.rounds, random.Random(f"{options.seed}/{name}"))
        wrong += sum(of - right for right, of in counts.values())
        print(
            f"{name}: " + ", ".join(f"{fault} {right}/{of}" for fault, (right, of) in counts.items()), flush=True
        )
    print(f"{wrong} did not end as they should")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
