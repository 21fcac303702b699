"""GDAS: the temperature, the hard choice, its gradient, its frequencies, its stream."""

from __future__ import annotations

from collections import Counter

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from edgewise.errors import NonFiniteError
from edgewise.methods import ArchParameters, GumbelHard, SchedulePosition
from edgewise.nn import Supernet, SupernetSpec
from edgewise.spaces import DARTS, CellSpace, Topology, space
from tests.methods.rows import binomial, stream

SMALL = CellSpace("small", Topology.dense(2, 2), DARTS.primitives)
HOT = SchedulePosition(0, 50)
COLD = SchedulePosition(49, 50)


def random_alpha(edges: int = 14, width: int = 8, *, seed: int = 0) -> torch.Tensor:
    return torch.randn(edges, width, generator=stream(seed), dtype=torch.float64)


@pytest.mark.parametrize(
    ("epoch", "epochs", "expected"),
    [(0, 250, 10.0), (249, 250, 0.1), (1, 100, 9.9), (50, 100, 5.0), (99, 100, 0.1), (1, 2, 0.1), (2, 5, 5.05)],
)
def test_tau_falls_on_a_line_from_10_in_the_first_epoch_to_a_tenth_in_the_last(epoch, epochs, expected):
    assert GumbelHard().tau(SchedulePosition(epoch, epochs)) == pytest.approx(expected, rel=1e-12)
    assert GumbelHard().tau(SchedulePosition(epoch, epochs)) == pytest.approx(
        10 - 9.9 * epoch / (epochs - 1), rel=1e-12
    )


def test_a_search_of_one_epoch_has_the_first_temperature():
    assert GumbelHard().tau(SchedulePosition(0, 1)) == 10.0
    assert GumbelHard(tau_max=3.0, tau_min=1.0).tau(SchedulePosition(0, 1)) == 3.0


@pytest.mark.parametrize("position", [HOT, COLD])
def test_every_row_is_a_one_hot_choice_and_active_marks_exactly_it(position):
    mixture = GumbelHard().mixture(random_alpha(), position=position, generator=stream())
    assert mixture.active is not None
    assert mixture.active.dtype == torch.bool
    assert mixture.active.sum(1).tolist() == [1] * 14
    assert len(set(mixture.active.int().argmax(1).tolist())) > 2
    torch.testing.assert_close(mixture.weights, mixture.active.double(), rtol=0, atol=1e-15)
    assert torch.equal(mixture.weights[~mixture.active], torch.zeros(14 * 7, dtype=torch.float64))


def by_hand(alpha: torch.Tensor, tau: float, *, seed: int = 0) -> torch.Tensor:
    """softmax((log softmax(alpha) + gumbel) / tau), the noise from its own copy of the stream."""
    uniform = torch.rand(alpha.shape, generator=stream(seed), dtype=torch.float64)
    scores = (alpha.log_softmax(1) - (-uniform.log()).log()) / tau
    return scores.exp() / scores.exp().sum(1, keepdim=True)


@pytest.mark.parametrize("position", [HOT, SchedulePosition(25, 50), SchedulePosition(40, 50)])
def test_the_gradient_is_that_of_the_soft_probabilities(position):
    alpha = random_alpha().requires_grad_()
    factors = random_alpha(seed=1)
    hard = GumbelHard().mixture(alpha, position=position, generator=stream()).weights
    soft = by_hand(alpha, GumbelHard().tau(position))
    assert torch.equal(hard.argmax(1), soft.argmax(1))
    found = torch.autograd.grad((hard * factors).sum(), alpha)[0]
    expected = torch.autograd.grad((soft * factors).sum(), alpha)[0]
    torch.testing.assert_close(found, expected, rtol=1e-9, atol=1e-12)
    assert expected.norm() > 1e-3


def test_the_straight_through_gradient_by_hand_for_two_primitives():
    # p = softmax(z / tau): dp_0 / dalpha_0 = p_0 (1 - p_0) / tau, whatever was drawn.
    alpha = torch.tensor([[0.3, -0.2]], dtype=torch.float64, requires_grad=True)
    p = by_hand(alpha.detach(), 10.0)[0, 0]
    weights = GumbelHard().mixture(alpha, position=HOT, generator=stream()).weights
    gradient = torch.autograd.grad(weights[0, 0], alpha)[0]
    expected = p * (1 - p) / 10
    torch.testing.assert_close(gradient, torch.stack([expected, -expected]).view(1, 2))


@pytest.mark.parametrize("position", [HOT, COLD])
def test_primitives_are_drawn_as_often_as_softmax_of_alpha_says_at_any_temperature(position):
    draws = 20_000
    row = torch.tensor([0.0, 1.0, -1.0, 2.0, 0.5])
    active = GumbelHard().mixture(row.expand(draws, 5), position=position, generator=stream(4)).active
    assert active is not None
    for count, probability in zip(active.sum(0).tolist(), row.softmax(0).tolist(), strict=True):
        assert binomial(count, draws, probability)
    torch.testing.assert_close(GumbelHard().strengths(row.view(1, 5))[0], row.softmax(0))


def test_edges_are_drawn_apart_from_each_other():
    active = GumbelHard().mixture(torch.zeros(2, 2).repeat(4000, 1), generator=stream(2)).active
    assert active is not None
    pairs = Counter(zip(active[0::2, 0].tolist(), active[1::2, 0].tolist(), strict=True))
    assert all(binomial(pairs[key], 4000, 0.25) for key in [(a, b) for a in (True, False) for b in (True, False)])


def test_a_primitive_that_is_not_kept_is_never_drawn_and_the_others_share_its_probability():
    draws = 8000
    kept = torch.tensor([True, False, True, True]).expand(draws, 4)
    alpha = torch.tensor([0.0, 9.0, 1.0, -1.0]).expand(draws, 4)
    mixture = GumbelHard().mixture(alpha, kept, position=HOT, generator=stream(3))
    assert mixture.active is not None
    counts = mixture.active.sum(0).tolist()
    assert counts[1] == 0
    expected = torch.tensor([0.0, 1.0, -1.0]).softmax(0).tolist()
    assert all(binomial(c, draws, p) for c, p in zip([counts[0], *counts[2:]], expected, strict=True))
    torch.testing.assert_close(
        GumbelHard().strengths(alpha[:1], kept[:1])[0, [0, 2, 3]], torch.tensor([0.0, 1.0, -1.0]).softmax(0)
    )


def test_what_is_not_kept_gets_no_gradient_and_spoils_none():
    alpha = random_alpha(3, 4).requires_grad_()
    kept = torch.tensor([[True, True, False, True]] * 3)
    weights = GumbelHard().mixture(alpha, kept, position=HOT, generator=stream()).weights
    gradient = torch.autograd.grad((weights * random_alpha(3, 4, seed=1)).sum(), alpha)[0]
    assert torch.isfinite(gradient).all()
    assert not gradient[:, 2].any()
    assert gradient[:, [0, 1, 3]].all()


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
def test_a_non_finite_alpha_is_an_error_and_no_endless_redraw(value):
    alpha = random_alpha()
    alpha[5, 3] = value
    with pytest.raises(NonFiniteError, match=r"alpha is not finite.*lower arch\.lr"):
        GumbelHard().mixture(alpha, generator=stream())


@pytest.mark.parametrize("cell", DARTS.cell_types)
def test_a_non_finite_alpha_of_any_cell_is_an_error(cell):
    arch = ArchParameters(DARTS, beta=False, generator=stream())
    with torch.no_grad():
        arch.alpha[cell][13, 0] = float("nan")
    with pytest.raises(NonFiniteError, match=r"alpha is not finite.*lower arch\.lr"):
        arch.mixture(GumbelHard(), generator=stream())


def test_cells_are_drawn_one_after_the_other_from_the_stream_and_as_if_each_were_alone():
    arch = ArchParameters(DARTS, beta=False, generator=stream())
    together = arch.mixture(GumbelHard(), position=COLD, generator=stream(8))
    own = stream(8)
    for name, alpha in arch.alpha.items():
        alone = GumbelHard().mixture(alpha, position=COLD, generator=own)
        assert torch.equal(together[name].weights, alone.weights)
        assert alone.active is not None
        assert together[name].active is not None
        assert torch.equal(together[name].active, alone.active)


def test_drawing_moves_its_own_stream_and_leaves_the_global_one_alone():
    before = torch.get_rng_state()
    own = stream(7)
    first = GumbelHard().mixture(random_alpha(), generator=own).active
    second = GumbelHard().mixture(random_alpha(), generator=own).active
    again = GumbelHard().mixture(random_alpha(), generator=stream(7)).active
    assert torch.equal(torch.get_rng_state(), before)
    assert first is not None
    assert again is not None
    assert second is not None
    assert torch.equal(first, again)
    assert not torch.equal(first, second)


@settings(deadline=None, max_examples=50)
@given(st.integers(0, 2**31), st.floats(-300, 300), st.integers(0, 9))
def test_whatever_alpha_is_weights_and_gradients_are_finite(seed, scale, epoch):
    alpha = (scale * random_alpha(5, 3, seed=seed)).float().requires_grad_()
    mixture = GumbelHard().mixture(alpha, position=SchedulePosition(epoch, 10), generator=stream(seed))
    assert mixture.active is not None
    assert mixture.active.sum(1).tolist() == [1] * 5
    assert torch.isfinite(mixture.weights).all()
    gradient = torch.autograd.grad(mixture.weights[:, 0].sum(), alpha)[0]
    assert torch.isfinite(gradient).all()


@pytest.mark.parametrize("where", [SMALL, space("s1")], ids=lambda s: s.name)
def test_a_supernet_calls_the_drawn_operation_of_each_edge_once_a_cell_and_no_other(where):
    torch.manual_seed(0)
    net = Supernet(where, SupernetSpec(channels=4, layers=4, classes=3, in_channels=1))
    arch = ArchParameters(where, beta=False, generator=stream())
    mixture = arch.mixture(GumbelHard(), position=HOT, generator=stream(5))
    calls: Counter[tuple[int, int, int]] = Counter()
    for c, cell in enumerate(net.cells):
        for e, edge in enumerate(cell.edges):
            for o, module in edge.mixed.operations.items():
                module.register_forward_hook(lambda *_, key=(c, e, int(o)): calls.update([key]))
    net(torch.randn(2, 1, 8, 8), mixture)
    expected: Counter[tuple[int, int, int]] = Counter()
    for c, cell in enumerate(net.cells):
        active = mixture[cell.cell_type].active
        assert active is not None
        for e, o in active.nonzero().tolist():
            assert where.primitives[o] in where.on_edge(cell.cell_type, e)
            expected[c, e, o] += 1
    assert calls == expected
    assert len(calls) == 4 * len(where.topology.edges)
