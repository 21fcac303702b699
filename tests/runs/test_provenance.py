"""A run says where it took place, and its peak memory is that of its own phase."""

from __future__ import annotations

import os
import platform
import re
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import torch

import edgewise
from edgewise.runs.provenance import (
    device_name,
    git_state,
    now,
    peak_memory_bytes,
    reset_peak_memory,
    versions,
)


def git(folder: Path, *command: str) -> str:
    identity = ["-c", "user.name=a", "-c", "user.email=a@example.org"]
    done = subprocess.run(["git", *identity, *command], cwd=folder, check=True, capture_output=True, text=True)
    return done.stdout.strip()


def test_the_versions_are_those_that_are_running() -> None:
    found = versions()
    assert found["python"] == platform.python_version()
    assert found["torch"] == torch.__version__
    assert found["edgewise"] == edgewise.__version__
    assert list(found) == ["python", "edgewise", "torch", "numpy", "datasets", "accelerate", "platform"]


def test_a_commit_is_dirty_once_a_tracked_file_differs(tmp_path: Path) -> None:
    git(tmp_path, "init", "-q")
    assert git_state(tmp_path) is None
    (tmp_path / "a").write_text("1")
    git(tmp_path, "add", "a")
    git(tmp_path, "commit", "-qm", "a")
    commit = git(tmp_path, "rev-parse", "HEAD")
    (tmp_path / "untracked").write_text("1")
    assert git_state(tmp_path) == {"commit": commit, "dirty": False}
    (tmp_path / "a").write_text("2")
    assert git_state(tmp_path) == {"commit": commit, "dirty": True}


def test_there_may_be_no_repository_and_no_git(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    assert git_state(tmp_path) is None
    assert git_state(tmp_path / "absent") is None
    monkeypatch.setenv("PATH", str(tmp_path))
    assert git_state(Path.cwd()) is None


def test_the_current_folder_is_the_default(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    git(tmp_path, "init", "-q")
    git(tmp_path, "commit", "-qm", "a", "--allow-empty")
    monkeypatch.chdir(tmp_path)
    assert git_state() == {"commit": git(tmp_path, "rev-parse", "HEAD"), "dirty": False}


def test_the_time_is_utc_and_now() -> None:
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\+00:00", now())
    assert abs(datetime.fromisoformat(now()) - datetime.now(UTC)) < timedelta(seconds=2)


def test_a_processor_is_named_as_the_system_names_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Path, "read_text", lambda _: "processor\t: 0\nmodel name\t: Abacus 9: fast\n")
    assert device_name("cpu") == "Abacus 9: fast"
    monkeypatch.setattr(Path, "read_text", lambda _: "")
    assert device_name("cpu") == (platform.processor() or platform.machine())


def test_the_peak_of_the_process_rises_with_memory_and_falls_with_a_reset() -> None:
    before = peak_memory_bytes("cpu")
    block = bytearray(os.urandom(1)) * 300_000_000
    assert peak_memory_bytes("cpu") > before - 5_000_000
    held = peak_memory_bytes(torch.device("cpu"))
    assert held > 300_000_000
    del block
    assert peak_memory_bytes("cpu") > held - 5_000_000
    if not reset_peak_memory("cpu"):
        pytest.skip("this system does not let a process reset its peak memory")
    assert peak_memory_bytes("cpu") < held - 200_000_000


def test_a_system_without_a_reset_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError

    monkeypatch.setattr(Path, "write_text", refuse)
    assert reset_peak_memory("cpu") is False


def test_without_proc_the_peak_comes_from_getrusage(monkeypatch: pytest.MonkeyPatch) -> None:
    resource = pytest.importorskip("resource")
    expected = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if platform.system() == "Darwin" else 1024)

    def refuse(*_: object) -> None:
        raise FileNotFoundError

    monkeypatch.setattr(Path, "read_text", refuse)
    assert peak_memory_bytes("cpu") == pytest.approx(expected, rel=0.2)


def test_a_cuda_device_is_asked_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    monkeypatch.setattr(torch.cuda, "max_memory_allocated", lambda device: asked.append(f"peak {device}") or 123)
    monkeypatch.setattr(torch.cuda, "reset_peak_memory_stats", lambda device: asked.append(f"reset {device}"))
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda device: f"name of {device}")
    assert reset_peak_memory("cuda:1")
    assert peak_memory_bytes(torch.device("cuda:1")) == 123
    assert device_name("cuda:1") == "name of cuda:1"
    assert asked == ["reset cuda:1", "peak cuda:1"]
