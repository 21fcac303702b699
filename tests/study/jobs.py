"""Jobs that processes carry out in tests: they write what they did beside their folder."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

from edgewise.study.worker import Job, Outcome


def job(name: str, root: Path) -> Job:
    return Job(name, str(root / name), "", 0, "run", None)


def work(job: Job) -> Outcome:
    """Does what the job's name says; every attempt adds a letter to a file."""
    note = Path(f"{job.folder}.tries")
    tries = len(note.read_text()) + 1 if note.exists() else 1
    note.write_text("x" * tries)
    if job.name == "always-dies" or (job.name == "dies-once" and tries == 1):
        os.kill(os.getpid(), signal.SIGKILL)
    if job.name == "fails":
        return Outcome("failed", "it says why")
    if job.name == "waits":
        _wait(Path(job.folder))
        return Outcome("interrupted", "asked to stop")
    return Outcome("finished")


def _wait(folder: Path) -> None:
    """Until it is asked to stop once, as a run does."""
    asked: list[int] = []
    signal.signal(signal.SIGTERM, lambda number, frame: asked.append(number))
    Path(f"{folder}.waiting").touch()
    end = time.monotonic() + 60
    while not asked and time.monotonic() < end:
        time.sleep(0.02)
    # A second signal would come within this time, and would be counted.
    time.sleep(0.6)
    Path(f"{folder}.asked").write_text(str(len(asked)))
