"""Second order in a search: which batch is read, what is left alone, and the gradient against a slope."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from edgewise.methods import (
    RECIPES,
    ExactHypergradient,
    FiniteDifference,
    FirstOrder,
    SchedulePosition,
    WeightsSettings,
)
from edgewise.search import BilevelSearch
from tests.search.family import named, small
from tests.search.probe import statistics, watch_passes
from tests.search.problem import feeds, gradients_of, make_batch, make_search, poisoned, same, snapshot, weights_of

pytestmark = pytest.mark.usefixtures("small_space")

WEIGHTS, ARCH = make_batch(1), make_batch(2)
SECOND = ("darts-v2", "darts-v2-fd")
FIRST = [
    name
    for name, recipe in RECIPES.items()
    if isinstance(recipe.gradient, FirstOrder) and not name.endswith("-gp")
]


@pytest.mark.parametrize("name", SECOND)
def test_the_arch_step_of_second_order_reads_the_weights_batch(name: str) -> None:
    search = make_search(named(name))
    search.arch_step(ARCH, weights_batch=poisoned(WEIGHTS))
    for alpha in search.arch.alpha.values():
        assert alpha.grad is not None
        assert not torch.isfinite(alpha.grad).any()


@pytest.mark.parametrize("name", FIRST)
def test_the_arch_step_of_first_order_reads_no_weights_batch(name: str) -> None:
    clean, poison = make_search(named(name)), make_search(named(name))
    clean.arch_step(ARCH, weights_batch=WEIGHTS, position=SchedulePosition(1, 2))
    poison.arch_step(ARCH, weights_batch=poisoned(WEIGHTS), position=SchedulePosition(1, 2))
    assert all(torch.isfinite(alpha).all() for alpha in poison.arch.alpha.values())
    assert same(weights_of(poison.arch), weights_of(clean.arch))


@pytest.mark.parametrize("name", SECOND)
def test_the_virtual_step_uses_the_batch_that_the_weight_step_uses_after_it(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    search, others = make_search(named(name)), make_batch(7)
    passes = watch_passes(search, monkeypatch)
    batches = feeds(WEIGHTS, ARCH)
    batches.weights.batches = [WEIGHTS, others]  # type: ignore[attr-defined]
    search.step(batches, 0)
    ahead = {"darts-v2": 1, "darts-v2-fd": 3}[name]
    assert (len(passes.of(WEIGHTS.x)), len(passes.of(ARCH.x)), len(passes.of(others.x))) == (ahead + 1, 1, 0)


@pytest.mark.parametrize("name", SECOND)
def test_second_order_leaves_weights_momentum_gradients_and_batch_norm_statistics_as_they_were(name: str) -> None:
    search = make_search(named(name))
    search.weights_step(WEIGHTS, 0.1)
    momenta = [s["momentum_buffer"].clone() for s in search.weights_optimizer.state.values()]
    before = weights_of(search.supernet), gradients_of(search.supernet), statistics(search.supernet), momenta
    alpha = snapshot(search.arch)
    search.arch_step(ARCH, weights_batch=WEIGHTS)
    momenta = [s["momentum_buffer"].clone() for s in search.weights_optimizer.state.values()]
    after = weights_of(search.supernet), gradients_of(search.supernet), statistics(search.supernet), momenta
    assert same(after, before)
    assert any(gradient is not None for gradient in before[1].values())
    assert not same(snapshot(search.arch), alpha)
    assert all(m.track_running_stats for m in search.supernet.modules() if isinstance(m, torch.nn.BatchNorm2d))


@pytest.mark.parametrize("kind", [ExactHypergradient, FiniteDifference])
def test_xi_is_the_epochs_learning_rate(kind: type, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[float] = []
    plain = kind.gradient

    def noted(self: Any, problem: Any):
        seen.append(problem.xi)
        return plain(self, problem)

    monkeypatch.setattr(kind, "gradient", noted)
    recipe = small(replace(RECIPES["darts-v2"], gradient=kind()), epochs=4)
    search = make_search(recipe)
    rates = [search.step(feeds(WEIGHTS, ARCH), epoch).lr for epoch in range(3)]
    assert seen == rates
    assert rates == sorted(rates, reverse=True)
    assert rates[0] == 0.025 > rates[1]


def loss_ahead(search: BilevelSearch, alpha: dict[str, Tensor], lr: float, decay: float) -> Tensor:
    """L_arch at w' = w - lr * (momentum * buffer + gradient + decay * w), everything written out."""
    mixtures = {name: search.recipe.relaxation.mixture(value) for name, value in alpha.items()}
    named_weights = dict(search.supernet.named_parameters())
    loss = F.cross_entropy(search.supernet(WEIGHTS.x, mixtures), WEIGHTS.y)
    gradients = torch.autograd.grad(loss, list(named_weights.values()))
    ahead = {}
    for (name, weight), gradient in zip(named_weights.items(), gradients, strict=True):
        buffer = search.weights_optimizer.state[weight]["momentum_buffer"]
        ahead[name] = weight.detach() - lr * (0.9 * buffer + gradient + decay * weight.detach())
    with torch.no_grad():
        logits = torch.func.functional_call(search.supernet, ahead, (ARCH.x, mixtures))
        return F.cross_entropy(logits, ARCH.y)


def test_the_exact_gradient_is_the_slope_of_the_loss_after_the_virtual_step() -> None:
    recipe = replace(named("darts-v2"), weights=WeightsSettings(lr=0.1, momentum=0.9, weight_decay=0.5))
    search = make_search(recipe)
    search.weights_step(WEIGHTS, 0.05)
    start = {name: value.detach().clone() for name, value in search.arch.alpha.items()}
    search.arch_step(ARCH, weights_batch=WEIGHTS, lr=0.1)
    generator = torch.Generator().manual_seed(1)
    for _ in range(2):
        towards = {n: torch.randn(v.shape, generator=generator, dtype=torch.float64) for n, v in start.items()}
        sides = [
            loss_ahead(search, {n: v + sign * 1e-8 * towards[n] for n, v in start.items()}, 0.1, 0.5)
            for sign in (1, -1)
        ]
        slope = float(sides[0] - sides[1]) / 2e-8
        found = sum(float((p.grad * towards[n]).sum()) for n, p in search.arch.alpha.items() if p.grad is not None)
        assert found == pytest.approx(slope, rel=1e-4, abs=1e-7)


def test_the_virtual_step_has_the_weight_decay_of_the_epoch() -> None:
    gradients = []
    for decay in (0.0, 0.5):
        search = make_search(named("darts-v2"))
        search.arch_step(ARCH, weights_batch=WEIGHTS, lr=0.1, weight_decay=decay)
        gradients.append(gradients_of(search.arch))
    assert not same(*gradients)
