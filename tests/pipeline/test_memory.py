"""A run that is short of memory says what to do, names its checkpoint, and can go on from it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from edgewise.errors import ShortOfMemoryError
from edgewise.pipeline import resume, start
from edgewise.search.bilevel import BilevelSearch
from tests.pipeline.small import assert_same_search, child_environment, one_thread, options, small

FAILURE = "[enforce fail at alloc_cpu.cpp:124] . DefaultCPUAllocator: can't allocate memory: you tried 5 bytes"
# A limit on the address space, above what PyTorch itself takes and below what a batch of this size needs.
STARVED = """
import resource, sys
import edgewise.pipeline
from edgewise.cli.main import main
import torch, psutil
used = psutil.Process().memory_info().vms
resource.setrlimit(resource.RLIMIT_AS, (used + 700 * 2**20,) * 2)
sys.argv[1:] = ["search", "--out", sys.argv[1], "--set", "search.channels=64", "--set", "search.layers=8",
                "--set", "search.batch_size=500", "--set", "data.image_size=32", "--no-estimate"]
main()
"""


def failing_at(step: int, monkeypatch: pytest.MonkeyPatch, error: Exception) -> list[int]:
    """Has the weight step fail once, when it is called for the `step`-th time."""
    calls: list[int] = []
    real = BilevelSearch.weights_step

    def stubbed(self: BilevelSearch, *args: object, **kwargs: object):
        calls.append(1)
        if len(calls) == step:
            raise error
        return real(self, *args, **kwargs)  # type: ignore[arg-type]

    monkeypatch.setattr(BilevelSearch, "weights_step", stubbed)
    return calls


@pytest.mark.parametrize(
    "error",
    [RuntimeError(FAILURE), torch.OutOfMemoryError("CUDA out of memory. Tried to allocate"), MemoryError()],
)
def test_a_search_that_runs_out_of_memory_says_what_to_do_and_goes_on_from_its_checkpoint(
    error: Exception, whole, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "run"
    failing_at(5, monkeypatch, error)
    with one_thread():
        with pytest.raises(ShortOfMemoryError) as caught:
            start(small(), folder, options=options(), command="search")
        said = str(caught.value)
        for part in (
            "out of memory in the search (batch 32, C 8, K 4, 3 layers, memory normal)",
            "--memory low",
            "search.batch_size (it is 32)",
            "channels.k",
            "epoch 2, step 2 of search",
            "last good checkpoint is epoch 2, step 0 of search",
            f"edgewise run --resume {folder} --memory low",
        ):
            assert part in said
        run = json.loads((folder / "run.json").read_text())
        assert (run["status"], run["error"]) == ("failed", said)
        resume(folder)
    assert_same_search(folder, whole.folder)


def test_a_search_with_low_memory_is_not_told_to_use_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    failing_at(1, monkeypatch, MemoryError())
    with pytest.raises(ShortOfMemoryError) as caught:
        start(small("search.memory=low"), tmp_path / "run", options=options(), command="search")
    assert "--memory low" not in str(caught.value)
    assert "memory low" in str(caught.value)


def test_a_training_that_runs_out_of_memory_names_its_own_settings(
    whole, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*args: object, **kwargs: object) -> None:
        raise RuntimeError(FAILURE)

    monkeypatch.setattr("edgewise.train.task.F.cross_entropy", fail)
    with pytest.raises(
        ShortOfMemoryError, match=r"training \(given\) \(batch 50, C 4, 3 layers\).*train\.batch_size"
    ):
        start(small(), tmp_path / "run", options=options(), command="train", genotype=whole.result.genotype)


@pytest.mark.skipif(sys.platform != "linux", reason="a limit on the address space is Linux's")
def test_a_process_that_is_really_short_of_memory_ends_with_advice_and_exit_code_1(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", STARVED, str(tmp_path / "run")],
        env=child_environment(),
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 1, done.stderr[-2000:]
    assert "error: out of memory in the search (batch 500, C 64" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_run_whose_images_are_streamed_is_the_run_whose_images_are_in_memory(whole, tmp_path: Path) -> None:
    with one_thread():
        start(small("data.stream=always"), tmp_path / "run", options=options(), command="search")
    for name in ("genotype.json", "supernet.safetensors"):
        assert (tmp_path / "run" / name).read_bytes() == (whole.folder / name).read_bytes(), name
    trace = (tmp_path / "run" / "trace.jsonl").read_bytes()
    assert (whole.folder / "trace.jsonl").read_bytes().startswith(trace)
    one, two = (json.loads((folder / "run.json").read_text()) for folder in (tmp_path / "run", whole.folder))
    assert one["data"]["fingerprint"] == two["data"]["fingerprint"]
    assert any("data.stream = always" in note for note in one["data"]["notes"])
