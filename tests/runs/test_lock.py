"""Two processes never run in one folder; a dead one's lock does not stand in the way."""

from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from edgewise.errors import RunError
from edgewise.runs import lock as lock_module
from edgewise.runs.lock import FolderLock

HOLDER = """
import sys, time
from pathlib import Path
from edgewise.runs import lock
if sys.argv[2] == "owner":
    lock.fcntl = None
held = lock.FolderLock(Path(sys.argv[1]))
print("held", flush=True)
time.sleep(60)
"""


def without_flock(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lock_module, "fcntl", None)


def start_holder(path: Path, way: str) -> subprocess.Popen[str]:
    process = subprocess.Popen([sys.executable, "-c", HOLDER, str(path), way], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    return process


@pytest.mark.parametrize("way", ["flock", "owner"])
def test_a_lock_that_a_living_process_holds_is_refused_and_a_killed_ones_is_taken_over(
    tmp_path: Path, way: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if way == "owner":
        without_flock(monkeypatch)
    path = tmp_path / ".lock"
    holder = start_holder(path, way)
    try:
        with pytest.raises(RunError, match=f"is in use by process {holder.pid}: wait"):
            FolderLock(path)
    finally:
        holder.kill()
        holder.wait()
    assert path.exists()
    taken = FolderLock(path)
    assert json.loads(path.read_text())["pid"] == os.getpid()
    taken.release()


@pytest.mark.parametrize("way", ["flock", "owner"])
def test_a_released_lock_is_gone_and_can_be_taken_again(
    tmp_path: Path, way: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if way == "owner":
        without_flock(monkeypatch)
    first = FolderLock(tmp_path / ".lock")
    with pytest.raises(RunError, match="in use"):
        FolderLock(tmp_path / ".lock")
    first.release()
    first.release()
    assert not (tmp_path / ".lock").exists()
    FolderLock(tmp_path / ".lock").release()


def test_a_stranger_with_a_dead_owners_number_does_not_hold_the_lock(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    without_flock(monkeypatch)
    (tmp_path / ".lock").write_text(json.dumps({"pid": os.getpid(), "started": 1.0}))
    FolderLock(tmp_path / ".lock").release()
    (tmp_path / ".lock").write_text("half a lo")
    FolderLock(tmp_path / ".lock").release()


def test_a_file_system_without_flock_falls_back_on_the_owner(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fcntl = pytest.importorskip("fcntl")

    def unsupported(*_: object) -> None:
        raise OSError(errno.ENOTSUP, "Operation not supported")

    monkeypatch.setattr(fcntl, "flock", unsupported)
    held = FolderLock(tmp_path / ".lock")
    with pytest.raises(RunError, match="in use"):
        FolderLock(tmp_path / ".lock")
    held.release()


def test_a_lock_file_removed_between_opening_and_locking_is_not_trusted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fcntl = pytest.importorskip("fcntl")
    path, real, calls = tmp_path / ".lock", fcntl.flock, []

    def removed_meanwhile(descriptor: int, how: int) -> None:
        if not calls:
            path.unlink()
        calls.append(how)
        real(descriptor, how)

    monkeypatch.setattr(fcntl, "flock", removed_meanwhile)
    held = FolderLock(path)
    assert len(calls) == 2
    assert path.exists()
    held.release()


def test_a_folder_that_can_not_be_written_to_is_told(tmp_path: Path) -> None:
    with pytest.raises(RunError, match=r"could not be locked \(No such file"):
        FolderLock(tmp_path / "absent" / ".lock")
