"""Beta decay: its gradient by hand, its schedule, and edges that have dropped primitives."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import Tensor

from edgewise.methods import PC_DARTS_GP, RECIPES, ArchParameters, BetaDecay, Parts, SchedulePosition
from edgewise.spaces import DARTS, space


def gradients(part: BetaDecay, arch: ArchParameters, position: SchedulePosition) -> list[Tensor]:
    return list(torch.autograd.grad(part.penalty(arch, position), list(arch.alpha.values())))


def random_alpha(name: str = "darts", kept: dict[str, Tensor] | None = None) -> ArchParameters:
    generator = torch.Generator().manual_seed(0)
    arch = ArchParameters(space(name), beta=False, generator=generator, kept=kept)
    with torch.no_grad():
        for alpha in arch.alpha.values():
            alpha.copy_(torch.randn(alpha.shape, generator=generator))
    return arch


@pytest.mark.parametrize("name", ["darts", "nb201", "s1"])
@pytest.mark.parametrize(("epoch", "factor"), [(0, 0.0), (10, 0.25), (39, 0.975)])
def test_alphas_gradient_is_the_softmax_of_its_edge_over_the_number_of_edges(name, epoch, factor) -> None:
    arch = random_alpha(name)
    for cell, found in zip(arch.alpha, gradients(BetaDecay(8.0), arch, SchedulePosition(epoch, 40)), strict=True):
        alpha, kept = arch.alpha[cell].detach(), arch.kept(cell)
        powers = alpha.exp() if kept is None else alpha.exp() * kept
        expected = 8.0 * factor * powers / powers.sum(-1, keepdim=True) / len(alpha)
        torch.testing.assert_close(found, expected)


def test_primitives_that_a_stage_has_dropped_neither_count_nor_move() -> None:
    kept = {name: torch.rand(14, 8, generator=torch.Generator().manual_seed(1)) < 0.5 for name in DARTS.cell_types}
    for mask in kept.values():
        mask[:, 3] = True
    arch = random_alpha(kept=kept)
    for cell, found in zip(arch.alpha, gradients(BetaDecay(1.0), arch, SchedulePosition(1, 2)), strict=True):
        assert bool((found[~kept[cell]] == 0).all())
        torch.testing.assert_close(found.sum(-1), torch.full((14,), 0.5 / 14))


def test_the_recipe_is_darts_with_the_penalty_and_any_other_takes_it() -> None:
    beta = RECIPES["beta-darts"]
    plain = RECIPES["darts-v1"]
    assert replace(beta, name=plain.name, summary=plain.summary, parts=Parts()) == plain
    assert beta.parts.beta_decay == BetaDecay(50.0)
    assert replace(PC_DARTS_GP, parts=Parts(BetaDecay(5.0))).parts.beta_decay == BetaDecay(5.0)
