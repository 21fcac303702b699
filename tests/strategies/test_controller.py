"""The controller: its gradient against the exact one, its baseline by hand, and that it learns."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from edgewise.spaces import SPACES
from edgewise.spaces.decisions import choices_of, decisions, genotype_of
from edgewise.strategies import NasnetSettings, PolicySettings, ReinforceSettings
from edgewise.strategies.controller import Controller
from edgewise.strategies.policy import Policy, ppo_loss, reinforce_loss
from tests.strategies.tiny import NINE, TINY, drive

REWARDS = torch.tensor([0.1, 0.9, 0.4, 0.3, 0.8, 0.2, 0.7, 0.05, 0.6], dtype=torch.float64)


def policy(seed: int = 0) -> Policy:
    """A controller whose distribution is far from uniform, in float64."""
    made = Policy(TINY, 12, torch.Generator().manual_seed(seed)).double()
    with torch.no_grad():
        for parameter in made.parameters():
            parameter *= 15
    return made


def gradient(value: Tensor, made: Policy) -> Tensor:
    grads = torch.autograd.grad(value, list(made.parameters()), allow_unused=True)
    return torch.cat(
        [
            (torch.zeros_like(p) if g is None else g).flatten()
            for p, g in zip(made.parameters(), grads, strict=True)
        ]
    )


def test_the_probabilities_of_all_genotypes_sum_to_one_and_are_not_uniform() -> None:
    log_prob, entropy = policy()(NINE)
    assert log_prob.exp().sum().item() == pytest.approx(1, abs=1e-12)
    assert log_prob.exp().max() > 0.2
    assert (entropy > 0).all()


def test_a_choice_depends_on_the_one_before() -> None:
    joint = policy()(NINE)[0].exp().reshape(3, 3)
    conditional = joint / joint.sum(1, keepdim=True)
    assert (conditional[0] - conditional[2]).abs().max() > 1e-3


@pytest.mark.parametrize("baseline", [0.0, 0.45])
@pytest.mark.parametrize("kind", ["reinforce", "ppo"])
def test_the_expected_update_is_the_exact_gradient_of_the_expected_reward(kind: str, baseline: float) -> None:
    made = policy()
    probabilities = made(NINE)[0].exp()
    exact = gradient((probabilities * REWARDS).sum(), made)
    expected = torch.zeros_like(exact)
    for choices, probability, reward in zip(NINE, probabilities.detach(), REWARDS, strict=True):
        log_prob, _ = made([choices])
        advantage = (reward - baseline).reshape(1)
        if kind == "reinforce":
            loss = reinforce_loss(log_prob, advantage)
        else:
            loss = ppo_loss(log_prob, log_prob.detach(), advantage, 0.2)
        expected -= probability * gradient(loss, made)
    assert exact.norm() > 1e-3
    torch.testing.assert_close(expected, exact, rtol=0, atol=1e-6)


def test_the_entropy_of_what_is_drawn_is_on_average_that_of_the_whole_distribution() -> None:
    log_prob, entropy = policy()(NINE)
    whole = -(log_prob.exp() * log_prob).sum()
    torch.testing.assert_close((log_prob.exp() * entropy).sum(), whole)


def test_draws_are_as_frequent_as_their_probabilities() -> None:
    made, draws = policy(1), 3000
    generator = torch.Generator().manual_seed(5)
    counts = dict.fromkeys(NINE, 0)
    for _ in range(draws):
        counts[made.sample(generator)] += 1
    for choices, log_prob in zip(NINE, made(NINE)[0].tolist(), strict=True):
        p = torch.tensor(log_prob).exp().item()
        assert abs(counts[choices] - draws * p) < 5 * (draws * p * (1 - p)) ** 0.5 + 1e-9


def test_ppo_stops_at_the_clip_by_hand() -> None:
    before = torch.zeros(4)
    log_prob = torch.tensor([1.5, 1.5, 0.5, 0.5]).log()
    advantage = torch.tensor([1.0, -1.0, 1.0, -1.0])
    # min(1.5, 1.2), min(-1.5, -1.2), min(.5, .8), min(-.5, -.8)
    assert ppo_loss(log_prob, before, advantage, 0.2).item() == pytest.approx(-(1.2 - 1.5 + 0.5 - 0.8) / 4)


def test_options_that_are_not_open_have_no_probability() -> None:
    s1 = SPACES["s1"]
    made = Policy(s1, 8, torch.Generator().manual_seed(0))
    generator = torch.Generator().manual_seed(1)
    for _ in range(20):
        choices = made.sample(generator)
        assert choices_of(genotype_of(s1, choices))
        log_prob, entropy = made([choices])
        assert log_prob.isfinite().all()
        assert entropy.isfinite().all()
    assert len(made.heads) == len(decisions(s1))


def test_the_baseline_is_the_moving_average_as_it_was_before_the_batch() -> None:
    settings = ReinforceSettings(policy=PolicySettings(hidden=4, batch=2, baseline_decay=0.9))
    controller = Controller(settings, TINY, 0)
    seen = []
    for scores in ((0.2, 0.4), (0.8, 1.0)):
        for score in scores:
            controller.tell(controller.ask(), score)
        seen.append(controller.baseline)
    assert seen == pytest.approx([0.3, 0.9 * 0.3 + 0.1 * 0.9])


@pytest.mark.parametrize("settings", [ReinforceSettings(), NasnetSettings()], ids=lambda s: s.kind)
def test_nothing_is_learned_before_the_batch_is_full(settings: ReinforceSettings | NasnetSettings) -> None:
    controller = Controller(settings, TINY, 0)
    before = controller.policy.start.detach().clone()
    assert controller.width == 20
    for i in range(19):
        controller.tell(controller.ask(), i / 20)
    assert torch.equal(controller.policy.start, before)
    controller.tell(controller.ask(), 1.0)
    assert not torch.equal(controller.policy.start, before)


@pytest.mark.parametrize("kind", [ReinforceSettings, NasnetSettings])
def test_rewards_that_equal_the_baseline_teach_nothing(kind: type) -> None:
    controller = Controller(kind(policy=PolicySettings(hidden=4, batch=5, entropy=0.0)), TINY, 0)
    before = {name: value.clone() for name, value in controller.policy.state_dict().items()}
    drive(controller, 2, lambda genotype: 0.5)
    after = controller.policy.state_dict()
    assert all(torch.equal(after[name], value) for name, value in before.items())


@pytest.mark.parametrize("kind", [ReinforceSettings, NasnetSettings])
def test_the_controller_learns_to_draw_the_best_genotype(kind: type) -> None:
    settings = kind(policy=PolicySettings(hidden=16, lr=0.02))
    controller = Controller(settings, TINY, 0)
    drive(controller, 40, lambda genotype: float(sum(choices_of(genotype, TINY)) == 4))
    log_prob, _ = controller.policy([(2, 2)])
    assert log_prob.exp().item() > 0.8


def test_the_entropy_bonus_keeps_the_distribution_wide() -> None:
    entropies = []
    for weight in (0.0, 1.0):
        settings = ReinforceSettings(policy=PolicySettings(hidden=16, lr=0.02, entropy=weight))
        controller = Controller(settings, TINY, 0)
        drive(controller, 30, lambda genotype: float(sum(choices_of(genotype, TINY)) == 4))
        entropies.append(controller.policy([(2, 2)])[1].item())
    assert entropies[1] > entropies[0] + 0.5
