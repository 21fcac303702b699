"""A part that does nothing equals the part that is absent, bit for bit; switching one on shifts nobody else."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from edgewise.methods import (
    DARTS_V1,
    PC_DARTS,
    PC_DARTS_GP,
    ArchParameters,
    EdgeNormalisation,
    PartialChannels,
    Projection,
    Recipe,
    WarmUp,
)
from edgewise.search import SearchTask
from tests.search.problem import make_task, same, snapshot, tiny

pytestmark = pytest.mark.usefixtures("small_space")


def small(recipe: Recipe) -> Recipe:
    return replace(tiny(recipe), space="small")


def after_steps(task: SearchTask, steps: int = 4) -> dict[str, torch.Tensor]:
    """alpha, beta and all weights after some steps."""
    for step in range(steps):
        task.step(0, step)
    return {**snapshot(task.search.supernet), **snapshot(task.search.arch)}


def test_partial_channels_with_k_1_and_no_beta_are_darts() -> None:
    darts = small(DARTS_V1)
    same_sizes = {
        name: getattr(darts, name) for name in ("space", "search", "weights", "arch", "train", "warm_up")
    }
    reduced = replace(PC_DARTS, channels=PartialChannels(k=1), edge_normalisation=None, **same_sizes)
    assert same(after_steps(make_task(reduced)), after_steps(make_task(darts)))


@pytest.mark.parametrize("part", [{"channels": PartialChannels(k=2)}, {"edge_normalisation": EdgeNormalisation()}])
def test_partial_channels_and_beta_each_change_the_search(part) -> None:
    darts = after_steps(make_task(small(DARTS_V1)), 2)
    other = after_steps(make_task(replace(small(DARTS_V1), **part)), 2)
    assert not same(other, darts)


def test_a_warm_up_of_no_epochs_is_no_warm_up() -> None:
    recipe = small(PC_DARTS)
    assert same(
        after_steps(make_task(replace(recipe, warm_up=WarmUp(epochs=0))), 2),
        after_steps(make_task(recipe), 2),
    )


def test_a_projection_that_finds_no_conflict_is_no_projection() -> None:
    task = make_task(small(PC_DARTS_GP))
    assert task.search.projector is not None
    task.search.projector._by_length, task.search.projector._tie = torch.zeros(2, 5, 5, dtype=torch.bool)
    without = after_steps(make_task(small(PC_DARTS)))
    assert same(after_steps(task), without)
    assert not same(after_steps(make_task(small(PC_DARTS_GP))), without)


def start_and_batches(task: SearchTask) -> tuple[list, list]:
    """The weights, alpha and beta before the first step, and the images of the batches of five steps."""
    start = [snapshot(task.search.supernet), snapshot(task.search.arch)]
    read = []
    for stream in (task.batches.weights, task.batches.arch):
        plain = stream.next

        def noted(plain=plain):
            batch = plain()
            read.append((batch.index, batch.x, batch.y))
            return batch

        stream.next = noted  # type: ignore[method-assign]
    for step in range(5):
        task.step(0, step)
    return start, read


@pytest.mark.parametrize("order", ["random", "symmetric"])
def test_switching_projection_on_shifts_nobody_elses_random_numbers(order) -> None:
    off = start_and_batches(make_task(small(PC_DARTS)))
    on = start_and_batches(make_task(replace(small(PC_DARTS), projection=Projection("in", order))))
    assert same(on, off)
    assert len(on[1]) == 10


def test_switching_beta_on_shifts_neither_alpha_nor_the_weights_nor_the_batches() -> None:
    off = start_and_batches(make_task(small(DARTS_V1)))
    on = start_and_batches(make_task(replace(small(DARTS_V1), edge_normalisation=EdgeNormalisation())))
    assert same(on[0][0], off[0][0])
    assert same({n: v for n, v in on[0][1].items() if n.startswith("alpha")}, off[0][1])
    assert same(on[1], off[1])


@pytest.mark.parametrize("recipe", [DARTS_V1, PC_DARTS_GP], ids=lambda r: r.name)
def test_a_search_neither_uses_nor_moves_torchs_global_stream(recipe) -> None:
    results = []
    for seed in (1, 2):
        torch.manual_seed(seed)
        before = torch.get_rng_state()
        results.append(after_steps(make_task(small(recipe)), 2))
        assert torch.equal(torch.get_rng_state(), before)
    assert same(results[0], results[1])


def test_another_seed_starts_from_other_weights_other_alpha_and_other_batches() -> None:
    (weights, arch), read = start_and_batches(make_task(small(PC_DARTS), seed=5))
    (other_weights, other_arch), other_read = start_and_batches(make_task(small(PC_DARTS), seed=6))
    assert not torch.equal(weights["classifier.weight"], other_weights["classifier.weight"])
    assert not any(torch.equal(arch[name], other_arch[name]) for name in arch)
    assert not same(read, other_read)


def test_alpha_and_beta_start_near_zero_and_all_different() -> None:
    arch = ArchParameters(make_task(small(PC_DARTS)).space, beta=True, generator=torch.Generator().manual_seed(0))
    values = torch.cat([p.detach().flatten() for p in arch.parameters()])
    assert len(values.unique()) == len(values)
    assert 0.5e-3 < values.std() < 2e-3
    assert values.abs().max() < 6e-3
