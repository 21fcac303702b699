"""What a search step costs in operator calls on each engine, and that it never waits for the device."""

from __future__ import annotations

import pytest
import torch

from benchmarks import supernet as benchmark
from benchmarks.common import Sizes, noise
from edgewise.data import Batch
from edgewise.nn.engines.grouped import cell
from edgewise.search import BilevelSearch


def make(recipe: str, kind: str, *, where: str = "darts", layers: int = 8) -> tuple[BilevelSearch, Batch]:
    """A search, warmed up by a step, and a batch."""
    sizes = Sizes(batch=2, layers=layers, image_size=8)
    search, batch = benchmark.make(recipe, kind, sizes, where=where), noise(sizes)
    benchmark.step(search, kind, batch)
    return search, batch


def passes(recipe: str, kind: str, monkeypatch: pytest.MonkeyPatch, *, where: str = "darts") -> int:
    """Operator calls of an arch step and a weight step, without those of optimisers and clipping."""
    search, batch = make(recipe, kind, where=where)
    monkeypatch.setattr(search.weights_optimizer, "step", lambda: None)
    monkeypatch.setattr(search.arch_optimizer, "step", lambda: None)
    monkeypatch.setattr(search.compute, "clip", lambda parameters, limit: torch.zeros(()))
    return benchmark.calls(search, kind, batch)


# The plain engine takes 26,800. The grouping of the CPU prefers fewer copies to fewer calls.
@pytest.mark.parametrize(("merge", "limit"), [(False, 10_500), (True, 7_500)])
def test_forward_and_backward_of_a_step_of_pc_darts_take_a_fraction_of_the_plain_engines_calls(
    merge: bool, limit: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cell, "merges", lambda x: merge)
    assert passes("pc-darts", "grouped", monkeypatch) < limit


def test_on_nas_bench_201_a_step_takes_little_more_than_half_of_the_plain_engines_calls(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    plain, grouped = (passes("pc-darts", kind, monkeypatch, where="nb201") for kind in ("plain", "grouped"))
    assert grouped < 0.58 * plain


@pytest.mark.parametrize("recipe", ["darts-v1", "pc-darts-gp"])
@pytest.mark.parametrize("where", ["darts", "nb201"])
def test_a_step_reads_no_number_back_from_the_device(
    recipe: str, where: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    search, batch = make(recipe, "grouped", where=where, layers=3)

    def refuse(tensor: torch.Tensor) -> None:
        raise AssertionError("the step waits for the device")

    for name in ("item", "tolist", "cpu", "numpy"):
        monkeypatch.setattr(torch.Tensor, name, refuse)
    # Adam counts its steps on the CPU, whatever the device.
    monkeypatch.setattr(search.arch_optimizer, "step", lambda: None)
    with benchmark.OperatorCalls() as counter:
        benchmark.step(search, "grouped", batch)
    assert counter.names["native_batch_norm"] > 20
    assert [name for name in ("_local_scalar_dense", "nonzero", "equal") if name in counter.names] == []
