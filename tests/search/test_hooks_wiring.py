"""What recipes do to outputs, the weights' decay and the stages: that it arrives, where it belongs and when."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor

from edgewise.data import in_order
from edgewise.methods import (
    DARTS_V1,
    Adaptation,
    OperationNoise,
    Recipe,
    SchedulePosition,
    SearchDropPath,
    SkipDropout,
    WeightDecayRamp,
)
from edgewise.nn import DropPath
from edgewise.search.diagnostics import discretisation_gap, hessian_eigenvalue
from tests.search.family import NEVER, named, quick_task, run, small
from tests.search.probe import watch_passes
from tests.search.problem import SMALL, feeds, make_batch, make_search, make_splits, make_task, same

pytestmark = pytest.mark.usefixtures("small_space")

WEIGHTS, ARCH = make_batch(1), make_batch(2)
PLACES = {(p, stride) for p in SMALL.primitives if p != "none" for stride in (1, 2)}


def everything() -> Recipe:
    """DARTS with noise, dropout and drop-path."""
    return replace(
        small(DARTS_V1, epochs=4),
        noise=OperationNoise(),
        skip_dropout=SkipDropout(rates=(0.5,)),
        drop_path=SearchDropPath(),
    )


@pytest.mark.parametrize("part", [OperationNoise, SkipDropout])
def test_the_hook_meets_every_operation_with_its_own_name_and_stride_in_both_steps(
    part: type, monkeypatch: pytest.MonkeyPatch
) -> None:
    passes: list[set[tuple[str, int]]] = []

    def hook(self: Any, *_: Any):
        passes.append(set())
        return lambda primitive, stride, out: (passes[-1].add((primitive, stride)), out)[1]

    monkeypatch.setattr(part, "hook", hook)
    make_search(everything()).step(feeds(WEIGHTS, ARCH), 1)
    assert passes == [PLACES, PLACES]


def test_noise_reaches_skips_of_both_strides_and_nothing_else() -> None:
    search = make_search(replace(everything(), skip_dropout=None, drop_path=None))
    hook = search.passes.hooks(SchedulePosition(0, 4)).operation
    assert hook is not None
    out = torch.randn(2, 3, 4, 4)
    changed = {place for place in PLACES if not torch.equal(hook(*place, out), out)}
    assert changed == {("skip_connect", 1), ("skip_connect", 2)}


def test_dropout_reaches_skips_of_stride_1_and_nothing_else() -> None:
    search = make_search(replace(everything(), noise=None, drop_path=None))
    hook = search.passes.hooks(SchedulePosition(0, 4)).operation
    assert hook is not None
    out = torch.ones(2, 3, 8, 8)
    assert {place for place in PLACES if not torch.equal(hook(*place, out), out)} == {("skip_connect", 1)}
    values = hook("skip_connect", 1, out).unique().tolist()
    assert values == [0.0, 2.0]


def test_noise_and_dropout_together_are_both_applied() -> None:
    search = make_search(replace(everything(), drop_path=None))
    hook = search.passes.hooks(SchedulePosition(0, 4)).operation
    assert hook is not None
    out = hook("skip_connect", 1, torch.randn(2, 3, 8, 8)).flatten()
    assert 0.2 < (out == 0).double().mean() < 0.8
    assert len(out.unique()) > 100


def test_no_diagnostic_sees_noise_dropout_or_drop_path(monkeypatch: pytest.MonkeyPatch) -> None:
    task = quick_task(everything())
    passes = watch_passes(task.search, monkeypatch)
    hessian_eigenvalue(task.search, task.probe.next(), torch.Generator().manual_seed(1))
    arch = make_splits().arch
    batches = in_order(arch, 4, make_splits().normalisation, task.search.compute.device)
    discretisation_gap(task.search, batches, task.genotype())
    assert len(passes.seen) == 1 + 2 * 3
    for seen in passes.seen:
        assert (seen.hooks.operation, seen.hooks.edge, seen.records) == (None, None, False)
    task.step(1, 0)
    assert all(seen.hooks.operation and seen.hooks.edge for seen in passes.seen[7:])


def test_the_adversary_sees_no_noise(monkeypatch: pytest.MonkeyPatch) -> None:
    search = make_search(replace(named("s-darts-adv"), noise=OperationNoise()))
    passes = watch_passes(search, monkeypatch)
    search.weights_step(WEIGHTS, 0.1)
    assert [seen.hooks.operation is not None for seen in passes.seen] == [False] * 9 + [True]


def test_the_dropout_rate_follows_stage_and_epoch(monkeypatch: pytest.MonkeyPatch) -> None:
    rates: list[float] = []
    monkeypatch.setattr(SkipDropout, "hook", lambda self, rate, generator, processes: rates.append(rate))
    task = make_task(named("p-darts", epochs=3), make_splits(weights=4, arch=4))
    run(task)
    fade = math.exp(-0.2)
    # One frozen epoch without an arch step, two with one.
    expected = [r for p in (0.1, 0.4, 0.7) for r in (p * 2 / 3, p, p, p * fade, p * fade)]
    assert rates == pytest.approx(expected, rel=1e-12)


def test_drop_path_reaches_every_edge_with_the_probability_of_the_epoch(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[float] = []

    def noted(self: DropPath, x: Tensor) -> Tensor:
        seen.append(self.probability)
        return x

    monkeypatch.setattr(DropPath, "__call__", noted)
    search = make_search(named("r-darts-dp", epochs=3))
    for epoch in range(3):
        search.step(feeds(WEIGHTS, ARCH), epoch)
    edges = 3 * len(SMALL.topology.edges)
    assert seen == pytest.approx([rate for rate in (0.0, 0.1, 0.2) for _ in range(2 * edges)])


def decays(recipe: Recipe, *, factor: float = 1.0, epochs: int = 4) -> list[float]:
    """SGD's weight decay in each epoch."""
    search = make_search(recipe)
    search.weight_decay_factor = factor
    found = []
    for epoch in range(epochs):
        search.step(feeds(WEIGHTS, ARCH), epoch)
        (group,) = search.weights_optimizer.param_groups
        found.append(group["weight_decay"])
    return found


def test_weight_decay_stands_still_rises_on_a_line_or_is_multiplied_up_to_its_limit() -> None:
    plain = small(DARTS_V1, epochs=4)
    assert decays(plain, epochs=2) == [3e-4] * 2
    assert decays(named("r-darts-l2"), epochs=2) == [0.0081] * 2
    ramp = replace(plain, weight_decay_ramp=WeightDecayRamp(end=0.03))
    assert decays(ramp) == pytest.approx([3e-4 + 0.0297 * e / 3 for e in range(4)])
    adapted = replace(plain, stop=NEVER, adaptation=Adaptation(most=0.02))
    assert decays(adapted, epochs=1) == [3e-4]
    assert decays(adapted, factor=10.0, epochs=1) == pytest.approx([3e-3])
    assert decays(adapted, factor=100.0, epochs=1) == [0.02]


def test_alpha_is_frozen_in_the_first_epochs_of_every_stage_and_the_learning_rate_starts_again() -> None:
    records = run(quick_task(named("p-darts"))).records
    assert [record["arch_steps"] for record in records] == [0, 2] * 3
    assert [record["layers"] for record in records] == [3, 3, 4, 4, 5, 5]
    assert [record["lr"] for record in records] == pytest.approx([0.025, 0.0125] * 3)


def test_a_new_stage_has_new_weights_new_alpha_new_optimisers_and_the_strongest_primitives() -> None:
    task = quick_task(named("p-darts"))
    stem = task.search.supernet.stem.first[0].weight.detach().clone()  # type: ignore[index]
    for epoch in (0, 1):
        for step in (0, 1):
            task.step(epoch, step)
        task.finish_epoch(epoch)
    old = task.search
    generator = torch.Generator().manual_seed(8)
    with torch.no_grad():
        for alpha in old.arch.alpha.values():
            alpha.copy_(torch.randn(5, 8, generator=generator))
    tops = {name: alpha.topk(5).indices.sort(-1).values for name, alpha in old.arch.alpha.items()}
    stems: list[Tensor] = []
    step = type(old).step

    def noted(search: Any, *arguments: Any):
        stems.append(search.supernet.stem.first[0].weight.detach().clone())
        assert all(alpha.abs().max() < 6e-3 for alpha in search.arch.alpha.values())
        assert not search.weights_optimizer.state
        assert not search.arch_optimizer.state
        return step(search, *arguments)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(type(old), "step", noted)
        task.step(2, 0)
    assert task.search is not old
    assert not torch.equal(stems[0], stem)
    assert not torch.equal(stems[0], old.supernet.stem.first[0].weight)  # type: ignore[index]
    assert not same(
        {n: a.detach() for n, a in task.search.arch.alpha.items()},
        {n: a.detach() for n, a in old.arch.alpha.items()},
    )
    for name, top in tops.items():
        kept = task.search.arch.kept(name)
        assert kept is not None
        assert torch.equal(kept.nonzero()[:, 1].view(5, 5), top)
        for cell in (c for c in task.search.supernet.cells if c.cell_type == name):
            present = [[int(i) for i in edge.mixed.operations] for edge in cell.edges]  # type: ignore[union-attr]
            assert present == top.tolist()
