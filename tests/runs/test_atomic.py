"""A file that is replaced is the old or the new one, whatever goes wrong."""

from __future__ import annotations

import errno
import os
import shutil
from pathlib import Path
from typing import Any

import pytest

from edgewise.errors import RunError
from edgewise.runs.atomic import check_space, remove_leftovers, write_bytes


class FullDisk:
    """A file that takes `room` bytes and then is full."""

    def __init__(self, file: Any, room: int) -> None:
        self.file, self.room = file, room

    def __enter__(self) -> FullDisk:
        return self

    def __exit__(self, *error: object) -> None:
        self.file.close()

    def __getattr__(self, name: str) -> Any:
        return getattr(self.file, name)

    def write(self, content: bytes) -> int:
        written = self.file.write(bytes(content)[: self.room])
        self.room -= written
        if written < len(content):
            raise OSError(errno.ENOSPC, "No space left on device")
        return written


def fill_disk(monkeypatch: pytest.MonkeyPatch, room: int) -> None:
    import builtins

    real = open
    monkeypatch.setattr(builtins, "open", lambda *args, **options: FullDisk(real(*args, **options), room))


def test_a_full_disk_names_the_file_and_leaves_the_old_one_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.json"
    write_bytes(path, b"old")
    with monkeypatch.context() as patch:
        fill_disk(patch, room=2)
        with pytest.raises(RunError, match=r"a\.json could not be written: no space left \(.* MB free\)"):
            write_bytes(path, b"newer")
    assert path.read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["a.json"]


def test_a_kill_before_the_replacement_leaves_the_old_file_and_a_leftover_that_is_cleaned(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.json"
    write_bytes(path, b"old")

    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", killed)
        with pytest.raises(KeyboardInterrupt):
            write_bytes(path, b"new")
    assert path.read_bytes() == b"old"
    assert len(os.listdir(tmp_path)) == 2
    remove_leftovers(tmp_path)
    assert os.listdir(tmp_path) == ["a.json"]


def test_the_content_is_durable_before_the_name_and_the_name_before_the_return(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    happened: list[str] = []
    real_sync, real_replace = os.fsync, os.replace

    def sync(descriptor: int) -> None:
        happened.append(
            f"sync {os.fstat(descriptor).st_size if not os.path.isdir(f'/proc/self/fd/{descriptor}') else 'dir'}"
        )
        real_sync(descriptor)

    def replace(source: Path, target: Path) -> None:
        happened.append("replace")
        assert source.parent == target.parent
        real_replace(source, target)

    monkeypatch.setattr(os, "fsync", sync)
    monkeypatch.setattr(os, "replace", replace)
    write_bytes(tmp_path / "a", b"12345")
    assert happened == ["sync 5", "replace", "sync dir"]


def test_too_little_space_is_told_with_both_figures(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage._replace(free=1_000_000))
    check_space(tmp_path, 1_000_000)
    with pytest.raises(RunError, match=r"has 1\.0 MB free, but this run needs 2\.5 MB"):
        check_space(tmp_path, 2_500_000)
    assert os.listdir(tmp_path) == []


def test_a_folder_that_can_not_be_written_to_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        fill_disk(patch, room=100)
        with pytest.raises(
            RunError, match=r"can't be written to \(No space left on device\): choose another folder"
        ):
            check_space(tmp_path, 0)
    assert os.listdir(tmp_path) == []
    with pytest.raises(RunError, match="can't be written to"):
        check_space(tmp_path / "absent", 0)
