"""SmoothDARTS in a search: the weights learn under a moved mixture, alpha under its own."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from edgewise.data import Batch
from edgewise.methods import Adversarial, RandomSmoothing, SchedulePosition
from edgewise.nn import Mixture, evaluation_mode
from edgewise.search import BilevelSearch
from tests.search.family import named
from tests.search.probe import statistics, watch_passes
from tests.search.problem import feeds, gradients_of, make_batch, make_search, same, snapshot, weights_of

pytestmark = pytest.mark.usefixtures("small_space")

WEIGHTS, ARCH = make_batch(1), make_batch(2)
BOTH = ("s-darts-rs", "s-darts-adv")


def loss_under(search: BilevelSearch, mixtures: dict[str, Tensor], batch: Batch) -> float:
    """The loss in evaluation mode, which is what the adversary looks at."""
    with torch.no_grad(), evaluation_mode(search.supernet):
        logits = search.supernet(batch.x, {name: Mixture(value) for name, value in mixtures.items()})
        return F.cross_entropy(logits, batch.y).item()


@pytest.mark.parametrize("name", BOTH)
def test_the_weight_step_sees_a_moved_mixture_and_the_arch_step_alphas_own(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    search = make_search(named(name))
    plain = {n: v.detach().softmax(-1) for n, v in search.arch.alpha.items()}
    passes = watch_passes(search, monkeypatch)
    search.step(feeds(WEIGHTS, ARCH), 1)
    (arch,) = passes.of(ARCH.x)
    assert same(arch.mixtures, plain)
    assert [seen.training for seen in passes.of(WEIGHTS.x)][-1] is True
    moved = passes.of(WEIGHTS.x)[-1].mixtures
    for cell, alpha in search.arch.alpha.items():
        own = alpha.detach().softmax(-1)
        assert 1e-3 < (moved[cell] - own).abs().max() < 0.5
        torch.testing.assert_close(moved[cell].sum(-1), torch.ones(5).double(), rtol=1e-9, atol=0.0)
        assert (moved[cell] >= 0).all()


@pytest.mark.parametrize("name", BOTH)
def test_a_perturbed_weight_step_leaves_alpha_its_gradients_and_its_optimiser_bit_for_bit(name: str) -> None:
    search = make_search(named(name))
    search.arch_step(ARCH)
    before = snapshot(search.arch), gradients_of(search.arch)
    weights = weights_of(search.supernet)
    for epoch in (0, 1):
        search.weights_step(WEIGHTS, 0.1, position=SchedulePosition(epoch, 2))
    assert same((snapshot(search.arch), gradients_of(search.arch)), before)
    assert not same(weights_of(search.supernet), weights)
    assert same(
        {n: m.weights.detach() for n, m in search.passes.mixture().items()},
        {n: v.detach().softmax(-1) for n, v in search.arch.alpha.items()},
    )


@pytest.mark.parametrize("kind", [RandomSmoothing, Adversarial])
def test_epsilon_follows_the_epoch(kind: type, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[float] = []

    def perturb(self, mixtures, kept, loss, epsilon, generator):
        seen.append(epsilon)
        return mixtures

    monkeypatch.setattr(kind, "perturb", perturb)
    search = make_search(replace(named("s-darts-rs", epochs=4), perturbation=kind()))
    for epoch in range(4):
        search.step(feeds(WEIGHTS, ARCH), epoch)
    assert seen == pytest.approx([0.03, 0.0975, 0.165, 0.2325])


def test_the_adversary_raises_the_loss_of_the_real_weights_batch_above_random_smoothings() -> None:
    for seed in (3, 4):
        losses = {}
        for kind in (RandomSmoothing, Adversarial):
            recipe = replace(named("s-darts-rs"), perturbation=kind(start=0.2, rise=0.0))
            search = make_search(recipe, seed=seed)
            with torch.no_grad():
                moved = search.passes.perturbed(search.passes.mixture(), None, WEIGHTS, SchedulePosition(0, 2))
            losses[kind] = loss_under(search, {n: m.weights for n, m in moved.items()}, WEIGHTS)
        plain = {n: v.detach().softmax(-1) for n, v in search.arch.alpha.items()}
        assert losses[Adversarial] > loss_under(search, plain, WEIGHTS) + 1e-4
        assert losses[Adversarial] > losses[RandomSmoothing]


def test_the_adversary_looks_at_the_weights_batch_alone_and_in_evaluation_mode(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    search = make_search(named("s-darts-adv"))
    passes = watch_passes(search, monkeypatch)
    search.step(feeds(WEIGHTS, ARCH), 0)
    assert [torch.equal(seen.x, ARCH.x) for seen in passes.seen] == [True] + [False] * 10
    # The loss before, seven steps, the loss after; then the weight step itself.
    assert [seen.training for seen in passes.of(WEIGHTS.x)] == [False] * 9 + [True]
    assert all(module.training for module in search.supernet.modules())


def test_the_adversary_moves_no_statistics_no_weights_and_no_gradients() -> None:
    search = make_search(named("s-darts-adv"))
    search.step(feeds(WEIGHTS, ARCH), 0)
    before = statistics(search.supernet), weights_of(search.supernet), gradients_of(search.supernet)
    with torch.no_grad():
        moved = search.passes.perturbed(search.passes.mixture(), None, WEIGHTS, SchedulePosition(1, 2))
    assert not same(moved["normal"].weights, search.passes.mixture()["normal"].weights.detach())
    after = statistics(search.supernet), weights_of(search.supernet), gradients_of(search.supernet)
    assert same(after, before)
    assert not any(p.requires_grad for m in moved.values() for p in (m.weights,))


def test_a_mixture_under_which_the_loss_fell_is_not_taken() -> None:
    centre = {"normal": torch.full((2, 4), 0.25, dtype=torch.float64)}

    def perturbed(slope: float) -> dict[str, Tensor]:
        asked: list[int] = []

        def loss(mixtures: dict[str, Tensor]) -> Tensor:
            asked.append(1)
            return slope * len(asked) + 0.0 * mixtures["normal"].sum()

        generator = torch.Generator().manual_seed(1)
        return Adversarial().perturb(centre, {"normal": None}, loss, 0.2, generator)

    assert torch.equal(perturbed(-1.0)["normal"], centre["normal"])
    assert not torch.equal(perturbed(1.0)["normal"], centre["normal"])
