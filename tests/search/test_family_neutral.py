"""A part of the family switched to nothing equals its absence, bit for bit, and moves nobody else's numbers."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from typing import Any

import pytest
import torch

from edgewise.methods import (
    DARTS_V1,
    RECIPES,
    Adaptation,
    Adversarial,
    Diagnostics,
    FiniteDifference,
    GumbelHard,
    OperationNoise,
    Projection,
    RandomSmoothing,
    Recipe,
    SearchDropPath,
    SkipDropout,
    SkipLimit,
    Stages,
    WeightDecayRamp,
)
from edgewise.search import SearchTask
from edgewise.search import task as task_module
from edgewise.spaces.space import SPACES
from tests.search.family import NEVER, cheap_eigenvalue, named, quick_task, run, small
from tests.search.problem import SMALL, make_task, same, snapshot
from tests.search.test_neutral import start_and_batches

pytestmark = pytest.mark.usefixtures("small_space")

# Search outcomes; what the trace says of a watched search besides is not among them.
MEASURED = ("hessian", "gap", "decision")


def outcome(task: SearchTask) -> list[Any]:
    """Weights, alpha, statistics, records and cells after a whole search."""
    records = [{k: v for k, v in record.items() if k not in MEASURED} for record in run(task).records]
    optimisers = [o.state_dict()["state"] for o in (task.search.weights_optimizer, task.search.arch_optimizer)]
    return [snapshot(task.search.supernet), snapshot(task.search.arch), optimisers, records, task.genotype()]


def plain() -> Recipe:
    return small(DARTS_V1)


@cache
def absent() -> list[Any]:
    """The outcome of DARTS without any of the parts."""
    return outcome(quick_task(plain()))


@cache
def batches_without() -> Any:
    """The start and the batches of DARTS without any of the parts."""
    return start_and_batches(make_task(plain()))


NOTHING: dict[str, dict[str, Any]] = {
    "random smoothing of epsilon 0": {"perturbation": RandomSmoothing(start=0.0, rise=0.0)},
    "an adversary of epsilon 0": {"perturbation": Adversarial(start=0.0, rise=0.0)},
    "noise of factor 0": {"noise": OperationNoise(factor=0.0)},
    "multiplicative noise of factor 0": {"noise": OperationNoise("multiplicative", factor=0.0)},
    "dropout of rate 0": {"skip_dropout": SkipDropout(rates=(0.0,))},
    "one stage": {"stages": Stages(add_layers=(0,), primitives=(8,))},
    "a ramp to where it starts": {"weight_decay_ramp": WeightDecayRamp(end=DARTS_V1.weights.weight_decay)},
    "a limit that no cell reaches": {"derivation": SkipLimit(at_most=8)},
    "a clip that no gradient reaches": {"arch": replace(DARTS_V1.arch, lr=0.02, clip=1e9)},
}
SOMETHING: dict[str, dict[str, Any]] = {
    "random smoothing": {"perturbation": RandomSmoothing()},
    "an adversary": {"perturbation": Adversarial()},
    "noise": {"noise": OperationNoise()},
    "dropout": {"skip_dropout": SkipDropout(rates=(0.5,))},
    "drop-path": {"drop_path": SearchDropPath(0.5)},
    "a ramp": {"weight_decay_ramp": WeightDecayRamp()},
    "a sampled operation": {"relaxation": GumbelHard()},
    "a difference": {"gradient": FiniteDifference()},
}


@pytest.mark.parametrize("part", list(NOTHING))
def test_a_part_that_does_nothing_equals_its_absence_bit_for_bit(part: str) -> None:
    changed = replace(plain(), **NOTHING[part])
    assert changed != plain()
    assert same(outcome(quick_task(changed)), absent())


@pytest.mark.parametrize("part", list(SOMETHING))
def test_a_part_that_does_something_changes_the_search_but_not_its_start_and_not_its_batches(part: str) -> None:
    recipe = replace(plain(), **SOMETHING[part])
    assert not same(outcome(quick_task(recipe))[:2], absent()[:2])
    assert same(start_and_batches(make_task(recipe)), batches_without())


def test_drop_path_does_nothing_in_the_first_epoch() -> None:
    tasks = [quick_task(recipe) for recipe in (plain(), replace(plain(), drop_path=SearchDropPath(0.9)))]
    for task in tasks:
        task.step(0, 0)
    assert same(*(snapshot(task.search.supernet) for task in tasks))


@pytest.mark.parametrize("more", [{}, {"adaptation": Adaptation()}])
def test_a_stop_rule_that_never_fires_changes_nothing_but_the_trace(
    more: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(task_module, "hessian_eigenvalue", cheap_eigenvalue)
    recipe = replace(small(DARTS_V1, epochs=4), stop=NEVER, **more)
    task = quick_task(recipe)
    found = outcome(task)
    assert len(task.early_stopping.eigenvalues) == 4
    assert task.early_stopping.stopped is None
    assert same(found, outcome(quick_task(small(DARTS_V1, epochs=4))))


@pytest.mark.parametrize("name", ["darts-v1", "gdas", "noisy-darts", "pc-darts-gp"])
def test_diagnostics_change_neither_weights_nor_alpha_nor_cells_nor_streams(name: str) -> None:
    recipe = replace(named(name), diagnostics=Diagnostics(hessian_every=2, gap_every=1, gap_images=6))
    measured, without = quick_task(recipe), quick_task(named(name))
    assert same(outcome(measured), outcome(without))
    own = {"hessian", "batches.diagnostics"}
    streams = [{k: v for k, v in t.streams.state_dict().items() if k not in own} for t in (measured, without)]
    assert same(*streams)


def test_diagnostics_do_not_move_the_noise_that_a_space_holds(monkeypatch: pytest.MonkeyPatch) -> None:
    columns = ("noise", *SMALL.primitives[1:])
    monkeypatch.setitem(SPACES, "small", replace(SMALL, primitives=columns))
    recipe = replace(plain(), diagnostics=Diagnostics(hessian_every=1, gap_every=1, gap_images=6))
    assert same(outcome(quick_task(recipe)), outcome(quick_task(plain())))


@pytest.mark.parametrize("name", [name for name in RECIPES if not name.endswith("-gp")])
def test_no_recipe_uses_or_moves_torchs_global_stream(name: str) -> None:
    recipe = replace(named(name), diagnostics=Diagnostics(gap_every=1), stop=None, adaptation=None)
    results = []
    for seed in (1, 2):
        torch.manual_seed(seed)
        before = torch.get_rng_state()
        task = quick_task(recipe)
        # With stages, the last step is the first of the second stage.
        for epoch, step in ((0, 0), (1, 0), (2, 0))[: 3 if recipe.stages else 2]:
            task.step(epoch, step)
        task.finish_epoch(1)
        results.append([snapshot(task.search.supernet), snapshot(task.search.arch)])
        assert torch.equal(torch.get_rng_state(), before)
    assert same(results[0], results[1])


def test_measuring_an_eigenvalue_moves_no_global_stream() -> None:
    torch.manual_seed(3)
    before = torch.get_rng_state()
    task = quick_task(replace(plain(), diagnostics=Diagnostics(hessian_every=1)))
    task.step(0, 0)
    assert task.finish_epoch(0)["hessian"] is not None
    assert torch.equal(torch.get_rng_state(), before)


DRAWING = {
    "projection": Projection("in", "random"),
    "perturbation": RandomSmoothing(),
    "noise": OperationNoise(),
    "skip_dropout": SkipDropout(rates=(0.5,)),
    "drop_path": SearchDropPath(),
}


@pytest.mark.parametrize("off", list(DRAWING))
def test_switching_one_drawing_part_off_moves_the_stream_of_no_other(off: str) -> None:
    streams = []
    for parts in (DRAWING, {k: v for k, v in DRAWING.items() if k != off}):
        task = quick_task(replace(plain(), **parts))
        for epoch in (0, 1):
            task.step(epoch, 0)
        streams.append(task.streams.state_dict())
    whole, without = streams
    own = {"drop_path": "search drop-path", "skip_dropout": "skip dropout"}.get(off, off)
    moved = {name for name in whole if name not in without or not torch.equal(whole[name], without[name])}
    assert moved == {own}
