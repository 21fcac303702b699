"""Parts that come on top: a search asks them, whatever class they are of, and reports its own loss."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Annotated, Literal

import pytest
import torch
from annotated_types import Ge
from torch import Tensor

from edgewise.config.build import build, dump
from edgewise.errors import ConfigError
from edgewise.methods import (
    DARTS_V1,
    DARTS_V2,
    PARTS,
    RECIPES,
    AlphaPenalty,
    ArchParameters,
    Combination,
    OperationNoise,
    Parts,
    Recipe,
    SchedulePosition,
    Softmax,
    WeightDecayRule,
    citations,
    register_part,
)
from edgewise.nn import Mixture
from tests.search.problem import feeds, make_batch, make_search, same, tiny

WEIGHTS, ARCH = make_batch(0), make_batch(1)


@dataclass(frozen=True)
class Pull(AlphaPenalty, WeightDecayRule):
    """weight * sum of alpha, more of it in later epochs; and a weight decay of its own."""

    weight: Annotated[float, Ge(0)] = 0.5
    kind: Literal["pull"] = "pull"
    sources = ("resnet",)

    def penalty(self, arch: ArchParameters, position: SchedulePosition) -> Tensor:
        return (
            self.weight * (1 + position.epoch) * torch.stack([alpha.sum() for alpha in arch.alpha.values()]).sum()
        )

    def weight_decay(self, base: float, position: SchedulePosition, factor: float) -> float:
        return base + 1.0

    def refusals(self, recipe: Combination) -> list[str]:
        return ["pull and momentum 0: drop it (parts.pull=none)"] if recipe.weights.momentum == 0.0 else []


@dataclass(frozen=True)
class Halved(Softmax):
    """As softmax, of alpha / 2."""

    kind: Literal["halved"] = "halved"  # type: ignore[assignment]

    def mixture(self, alpha: Tensor, kept: Tensor | None = None, **rest: object) -> Mixture:
        return Mixture(torch.softmax(alpha / 2, -1))


@pytest.fixture(autouse=True)
def registered() -> Iterator[None]:
    register_part(Pull)
    register_part(Halved)
    yield
    del PARTS["pull"], PARTS["halved"]


def alpha_gradients(recipe: Recipe, position: SchedulePosition) -> tuple[list[Tensor], Tensor]:
    search = make_search(tiny(recipe))
    report = search.arch_step(ARCH, weights_batch=WEIGHTS, position=position)
    gradients = [alpha.grad for alpha in search.arch.alpha.values()]
    assert all(gradient is not None for gradient in gradients)
    return [gradient.clone() for gradient in gradients if gradient is not None], report.loss


@pytest.mark.parametrize("recipe", [DARTS_V1, DARTS_V2, RECIPES["darts-v1-gp"]], ids=lambda recipe: recipe.name)
@pytest.mark.parametrize("epoch", [0, 2])
def test_a_penalty_is_in_the_gradient_of_alpha_and_not_in_the_loss_that_is_reported(recipe, epoch) -> None:
    position = SchedulePosition(epoch, 4)
    plain, loss = alpha_gradients(recipe, position)
    pulled, reported = alpha_gradients(replace(recipe, parts=Parts(Pull())), position)
    for one, other in zip(plain, pulled, strict=True):
        torch.testing.assert_close(other, one + 0.5 * (1 + epoch), rtol=1e-9, atol=1e-12)
    assert torch.equal(loss, reported)


def test_a_penalty_of_weight_0_changes_no_bit() -> None:
    plain, _ = alpha_gradients(DARTS_V1, SchedulePosition(0, 4))
    pulled, _ = alpha_gradients(replace(DARTS_V1, parts=Parts(Pull(0.0))), SchedulePosition(0, 4))
    assert same(plain, pulled)


def test_a_rule_on_top_sets_the_weight_decay_of_each_step() -> None:
    recipe = tiny(replace(DARTS_V1, parts=Parts(Pull())))
    search = make_search(recipe)
    search.step(feeds(WEIGHTS, ARCH), 0)
    (group,) = search.weights_optimizer.param_groups
    assert group["weight_decay"] == recipe.weights.weight_decay + 1.0


def test_a_relaxation_of_another_class_makes_the_mixture() -> None:
    search = make_search(tiny(replace(DARTS_V1, relaxation=Halved())))
    for name, mixture in search.passes.mixture().items():
        assert torch.equal(mixture.weights, torch.softmax(search.arch.alpha[name] / 2, -1))


def test_settings_build_what_is_registered_and_write_it_down_again() -> None:
    recipe = replace(DARTS_V1, parts=Parts(Pull(0.25)), relaxation=Halved())
    table = dump(recipe)
    assert table["parts"] == {"pull": {"weight": 0.25, "kind": "pull"}}
    assert build(Recipe, table) == recipe
    assert "parts" not in dump(DARTS_V1)
    assert build(Recipe, {**table, "parts": {"pull": "none"}}).parts == Parts()
    with pytest.raises(ConfigError, match=r"parts\.pull\.weight: must be greater than or equal to 0"):
        build(Recipe, {**table, "parts": {"pull": {"weight": -1.0}}})


def test_a_part_refuses_and_cites_by_itself() -> None:
    recipe = replace(DARTS_V1, parts=Parts(Pull()))
    assert "resnet" in [citation.key for citation in citations(recipe)]
    with pytest.raises(ConfigError, match="pull and momentum 0"):
        replace(recipe, weights=replace(recipe.weights, momentum=0.0))


def test_a_part_stands_in_its_own_place_once_and_is_registered() -> None:
    with pytest.raises(
        ConfigError, match=r"parts\.operation_noise is no part that comes on top: give it as noise"
    ):
        Parts(OperationNoise())
    with pytest.raises(ConfigError, match=r"parts\.pull stands there twice"):
        Parts(Pull(), Pull(1.0))
    del PARTS["halved"]
    try:
        with pytest.raises(ConfigError, match="part Halved has no place in the table of parts"):
            replace(DARTS_V1, relaxation=Halved())
    finally:
        register_part(Halved)


def test_what_is_no_part_can_not_be_registered() -> None:
    class Loose(AlphaPenalty):
        kind = "loose"

    @dataclass(frozen=True)
    class Kindless(AlphaPenalty):
        weight: float = 1.0

    with pytest.raises(ConfigError, match="Loose must be a dataclass"):
        register_part(Loose)
    with pytest.raises(ConfigError, match="Kindless must be frozen and have one kind"):
        register_part(Kindless)
    with pytest.raises(ConfigError, match="int must be a dataclass"):
        register_part(int)  # type: ignore[type-var]
