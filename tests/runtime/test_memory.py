"""What memory is there, within control groups too, and what is said when it was not enough."""

from __future__ import annotations

from pathlib import Path

import psutil
import pytest
import torch

from edgewise.errors import ShortOfMemoryError
from edgewise.runtime.memory import _group_rooms, explaining_memory, free_bytes, held_bytes, is_out_of_memory

GIB = 2**30


def group(folder: Path, **files: object) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        (folder / name.replace("__", ".")).write_text(f"{content}\n")
    return folder


def test_the_tightest_of_a_groups_limits_and_of_those_above_it_counts(tmp_path: Path) -> None:
    group(tmp_path / "a", memory__max=6 * GIB, memory__current=5 * GIB)
    group(tmp_path / "a" / "b", memory__max="max", memory__current=GIB)
    group(tmp_path / "a" / "c", memory__max=4 * GIB, memory__current=GIB)
    assert min(_group_rooms([("", "/a/b")], tmp_path)) == GIB
    assert sorted(_group_rooms([("", "/a/c")], tmp_path)) == [GIB, 3 * GIB]


def test_pages_of_files_count_as_free(tmp_path: Path) -> None:
    group(
        tmp_path / "a",
        memory__max=4 * GIB,
        memory__current=3 * GIB,
        memory__stat=f"anon 5\ninactive_file {2 * GIB}",
    )
    assert _group_rooms([("", "/a")], tmp_path) == [3 * GIB]


def test_groups_of_version_1_are_read_too(tmp_path: Path) -> None:
    files = {"memory__limit_in_bytes": 2 * GIB, "memory__usage_in_bytes": GIB}
    group(tmp_path / "memory" / "docker", **files)
    assert _group_rooms([("cpuset", "/docker"), ("cpu,memory", "/docker")], tmp_path) == [GIB]


def test_the_path_of_the_host_leads_to_the_top_group_within_a_container(tmp_path: Path) -> None:
    group(tmp_path, memory__max=2 * GIB, memory__current=GIB)
    assert _group_rooms([("", "/host/docker/123")], tmp_path) == [GIB]


def test_a_machine_without_limits_has_what_the_system_says(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("edgewise.runtime.memory._own_groups", list)
    available = psutil.virtual_memory().available
    assert 0.5 * available < free_bytes("cpu") < 2 * available


def test_a_limit_of_the_group_is_respected(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    group(tmp_path / "a", memory__max=GIB, memory__current=GIB - 5)
    monkeypatch.setattr("edgewise.runtime.memory._own_groups", lambda: [("", "/a")])
    monkeypatch.setattr("edgewise.runtime.memory._CGROUPS", tmp_path)
    assert free_bytes("cpu") == 5


def test_what_a_process_holds_grows_with_what_it_fills() -> None:
    before = held_bytes("cpu")
    block = torch.ones(50_000_000)
    assert held_bytes("cpu") - before > 150_000_000
    del block


def test_an_allocation_that_really_fails_is_out_of_memory() -> None:
    with pytest.raises(RuntimeError) as caught:
        torch.empty(2**55, dtype=torch.uint8)
    assert is_out_of_memory(caught.value)


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB"),
        RuntimeError("[enforce fail at alloc_cpu.cpp:124] . DefaultCPUAllocator: can't allocate memory"),
        RuntimeError("MPS backend out of memory"),
        RuntimeError("std::bad_alloc"),
        RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED"),
    ],
)
def test_every_allocators_words_are_understood(error: Exception) -> None:
    with (
        pytest.raises(
            ShortOfMemoryError, match=r"out of memory in the search \(batch 9\): .*; eat less"
        ) as caught,
        explaining_memory("the search", "batch 9", "eat less", resume_with="--diet"),
    ):
        raise error
    assert caught.value.resume_with == "--diet"
    assert caught.value.__cause__ is error


@pytest.mark.parametrize(
    "error", [RuntimeError("shapes differ"), ValueError("out of memory"), KeyboardInterrupt()]
)
def test_other_errors_pass_as_they_are(error: BaseException) -> None:
    with pytest.raises(type(error)) as caught, explaining_memory("the search", "batch 9", "eat less"):
        raise error
    assert caught.value is error
