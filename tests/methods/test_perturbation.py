"""SmoothDARTS: the box, the rows, the ascent."""

from __future__ import annotations

from itertools import pairwise

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from edgewise.methods import Adversarial, RandomSmoothing, SchedulePosition
from edgewise.methods.perturbation import MixtureLoss, Mixtures, noisy, onto_rows
from tests.methods.rows import stream

PARTS = [RandomSmoothing(), Adversarial()]


def rows(values: list[list[float]]) -> Tensor:
    return torch.tensor(values, dtype=torch.float64)


def mixtures(seed: int = 0, *, edges: int = 5, width: int = 4, scale: float = 1.0) -> Mixtures:
    generator = stream(seed)
    return {
        name: (scale * torch.randn(edges, width, generator=generator, dtype=torch.float64)).softmax(1)
        for name in ("normal", "reduce")
    }


def nothing_struck(table: Mixtures) -> dict[str, Tensor | None]:
    return dict.fromkeys(table)


def linear(factors: Mixtures) -> MixtureLoss:
    return lambda table: sum((table[name] * factors[name]).sum() for name in table)  # type: ignore[return-value]


def refuse(_: Mixtures) -> Tensor:
    raise AssertionError("the loss was asked")


@pytest.mark.parametrize("part", PARTS, ids=lambda p: p.kind)
@pytest.mark.parametrize(("epoch", "expected"), [(0, 0.03), (10, 0.084), (25, 0.165), (49, 0.2946)])
def test_epsilon_is_3_hundredths_and_grows_by_27_hundredths_over_50_epochs(part, epoch, expected):
    assert part.epsilon(SchedulePosition(epoch, 50)) == pytest.approx(expected, rel=1e-12)


@settings(deadline=None, max_examples=60)
@given(st.integers(0, 1000), st.floats(0.001, 0.3), st.floats(0.1, 30))
def test_a_random_perturbation_is_the_clipped_noise_in_the_box_divided_by_its_sum(seed, epsilon, scale):
    table = mixtures(seed, scale=scale)
    found = RandomSmoothing().perturb(table, nothing_struck(table), refuse, epsilon, stream(seed))
    twin = stream(seed)
    for name, value in table.items():
        noise = (2 * torch.rand(value.shape, generator=twin) - 1).double()
        assert float(noise.abs().max()) <= 1
        clipped = (value + epsilon * noise).clamp(0, 1)
        torch.testing.assert_close(found[name], clipped / clipped.sum(1, keepdim=True))
        torch.testing.assert_close(found[name].sum(1), torch.ones(5, dtype=torch.float64))
        assert float(found[name].min()) >= 0
        assert float(found[name].max()) <= 1


def test_a_random_perturbation_fills_the_box_on_both_sides():
    table = {"normal": torch.full((4000, 4), 0.25, dtype=torch.float64)}
    found = RandomSmoothing().perturb(table, {"normal": None}, refuse, 0.1, stream())["normal"]
    moved = found - 0.25
    # Divided by its sum, an entry is .35 / (.35 + 3 * .15) at most and .15 / (.15 + 3 * .35) at least.
    assert 0.16 < float(moved.max()) < 0.35 / 0.8 - 0.25
    assert 0.15 / 1.2 - 0.25 < float(moved.min()) < -0.11
    assert abs(float(moved[:, 0].mean())) < 0.005


@pytest.mark.parametrize("part", PARTS, ids=lambda p: p.kind)
def test_epsilon_0_changes_nothing_bit_for_bit(part):
    table = {name: value.float() for name, value in mixtures().items()}
    found = part.perturb(table, nothing_struck(table), refuse, 0.0, stream())
    assert all(torch.equal(found[name], value) for name, value in table.items())


@pytest.mark.parametrize("part", PARTS, ids=lambda p: p.kind)
def test_the_mixture_it_is_given_stays_as_it_is_and_so_does_the_global_stream(part):
    table = mixtures()
    copies = {name: value.clone() for name, value in table.items()}
    before = torch.get_rng_state()
    part.perturb(table, nothing_struck(table), linear(mixtures(9)), 0.2, stream())
    assert torch.equal(torch.get_rng_state(), before)
    assert all(torch.equal(table[name], value) for name, value in copies.items())


@pytest.mark.parametrize("part", PARTS, ids=lambda p: p.kind)
def test_it_draws_from_its_own_stream(part):
    table = mixtures()

    def draw(generator: torch.Generator) -> Tensor:
        return part.perturb(table, nothing_struck(table), linear(mixtures(9)), 0.2, generator)["reduce"]

    own = stream(1)
    first, second = draw(own), draw(own)
    assert torch.equal(first, draw(stream(1)))
    assert not torch.equal(first, second)


@pytest.mark.parametrize("part", PARTS, ids=lambda p: p.kind)
def test_what_is_not_kept_stays_at_0_and_the_others_make_up_the_row(part):
    kept = torch.tensor([[True, False, True, True]] * 5)
    table = {name: value * kept for name, value in mixtures().items()}
    table = {name: value / value.sum(1, keepdim=True) for name, value in table.items()}
    # The loss would like nothing better than the primitive that is struck.
    factors = {name: torch.tensor([0.0, 9.0, 1.0, -1.0], dtype=torch.float64).expand(5, 4) for name in table}
    found = part.perturb(table, dict.fromkeys(table, kept), linear(factors), 0.3, stream())
    for name, value in found.items():
        assert not value[:, 1].any()
        torch.testing.assert_close(value.sum(1), torch.ones(5, dtype=torch.float64))
        assert not torch.equal(value, table[name])


@settings(deadline=None, max_examples=40)
@given(st.integers(0, 1000), st.floats(0.01, 0.3), st.integers(1, 7))
def test_the_loss_of_the_adversarial_mixture_is_never_lower(seed, epsilon, steps):
    table, first, second = mixtures(seed), mixtures(seed + 1), mixtures(seed + 2, scale=3.0)

    def loss(values: Mixtures) -> Tensor:
        return sum((first[n] * v).sum().sin() * (second[n] * v).sum().cos() for n, v in values.items())  # type: ignore[return-value]

    found = Adversarial(steps=steps).perturb(table, nothing_struck(table), loss, epsilon, stream(seed))
    assert loss(found) >= loss(table)
    for value in found.values():
        torch.testing.assert_close(value.sum(1), torch.ones(5, dtype=torch.float64))
        assert float(value.min()) >= 0
        assert float(value.max()) <= 1


def test_on_a_linear_loss_the_ascent_ends_in_the_worst_corner_of_the_box():
    # +.1 where the loss rises and -.1 where it falls; two of each, so that the row still sums to 1.
    table = {"normal": torch.full((3, 4), 0.25, dtype=torch.float64)}
    factors = {"normal": rows([[3.0, -1.0, 1.0, -2.0]] * 3)}
    found = Adversarial(steps=7).perturb(table, {"normal": None}, linear(factors), 0.1, stream())["normal"]
    torch.testing.assert_close(found, rows([[0.35, 0.15, 0.35, 0.15]] * 3), rtol=0, atol=0.02)
    assert linear(factors)({"normal": found}) > linear(factors)(table) + 0.5


def test_each_step_moves_by_2_epsilon_through_steps_along_the_sign_and_stays_in_the_box():
    seen: list[Tensor] = []

    def loss(values: Mixtures) -> Tensor:
        seen.append(values["normal"].detach().clone())
        return (values["normal"] * rows([[5.0, 1e-3], [-1e-3, -2e-3]])).sum()

    centre = rows([[0.5, 0.5], [0.9, 0.1]])
    Adversarial(steps=4).perturb({"normal": centre}, {"normal": None}, loss, 0.2, stream())
    # The loss before, one for each step from where it stands, and the loss after.
    assert len(seen) == 6
    assert torch.equal(seen[0], centre)
    torch.testing.assert_close(seen[1], noisy(centre, None, 0.2, stream()))
    signs = rows([[1.0, 1.0], [-1.0, -1.0]])
    for now, then in pairwise(seen[1:]):
        boxed = torch.maximum(torch.minimum(now + 0.1 * signs, centre + 0.2), centre - 0.2).clamp(0, 1)
        torch.testing.assert_close(then, boxed / boxed.sum(1, keepdim=True))


def test_where_every_move_lowers_the_loss_the_mixture_stays_as_it_is_bit_for_bit():
    table = mixtures()

    def peak(values: Mixtures) -> Tensor:
        return -sum(((value - table[name]) ** 2).sum().sqrt() for name, value in values.items())  # type: ignore[return-value]

    found = Adversarial().perturb(table, nothing_struck(table), peak, 0.1, stream())
    assert all(torch.equal(found[name], value) for name, value in table.items())


def test_a_loss_that_does_not_fall_is_enough_to_take_the_perturbed_mixture():
    table = mixtures()
    found = Adversarial().perturb(
        table, nothing_struck(table), lambda values: 0.0 * values["normal"].sum() + 0.0 * values["reduce"].sum(),
        0.1, stream(),
    )  # fmt: skip
    assert not any(torch.equal(found[name], value) for name, value in table.items())


def test_the_ascent_works_where_gradients_are_switched_off_and_returns_no_graph():
    table = mixtures()
    with torch.no_grad():
        found = Adversarial().perturb(table, nothing_struck(table), linear(mixtures(4)), 0.1, stream())
    assert not any(value.requires_grad for value in found.values())
    assert linear(mixtures(4))(found) > linear(mixtures(4))(table)


def test_rows_are_clipped_and_divided_by_their_sum():
    values = rows([[0.5, 0.3, 0.2], [0.6, 0.6, -0.4], [1.5, 0.5, 0.5], [0.0, 0.0, 0.1]])
    expected = rows([[0.5, 0.3, 0.2], [0.5, 0.5, 0.0], [0.5, 0.25, 0.25], [0.0, 0.0, 1.0]])
    torch.testing.assert_close(onto_rows(values, None), expected)


def test_a_row_with_nothing_above_0_becomes_1_at_its_largest_entry_that_is_kept():
    values = rows([[-0.3, -0.1, -0.2], [0.4, -0.1, -0.2]])
    torch.testing.assert_close(onto_rows(values, None), rows([[0.0, 1.0, 0.0], [1.0, 0.0, 0.0]]))
    kept = torch.tensor([[True, False, True], [False, True, True]])
    torch.testing.assert_close(onto_rows(values, kept), rows([[0.0, 0.0, 1.0], [0.0, 1.0, 0.0]]))
