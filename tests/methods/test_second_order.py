"""Second-order architecture gradients: by hand, on a toy, on a smooth supernet."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch
from torch import Tensor, nn

from edgewise.data import Batch
from edgewise.methods import (
    DARTS_V1,
    ArchParameters,
    ExactHypergradient,
    FiniteDifference,
    FirstOrder,
    SearchSettings,
)
from edgewise.methods.gradient import ArchGradient
from edgewise.methods.schedule import START
from edgewise.nn import Supernet, SupernetSpec
from edgewise.runtime.compute import Compute
from edgewise.runtime.random import Streams
from edgewise.search.passes import SupernetPasses
from edgewise.search.problem import ArchStepInputs, SupernetProblem
from edgewise.spaces import DARTS, CellSpace, Topology, space
from tests.methods.rows import stream
from tests.methods.toy import Toy

SMALL = CellSpace("small", Topology.dense(2, 2), DARTS.primitives)
PLAIN = SearchSettings(engine="plain")
SECOND = [ExactHypergradient(), FiniteDifference()]


def by_kind(part: object) -> str:
    return str(getattr(part, "kind", part))


def slope(part: FirstOrder | ExactHypergradient | FiniteDifference, problem: Toy) -> float:
    return float(part.gradient(problem).alpha["normal"])


@pytest.mark.parametrize("part", SECOND, ids=by_kind)
@pytest.mark.parametrize(("xi", "expected"), [(0.0, -4.0), (0.5, 2.0), (0.25, -1.0), (1.0, 8.0)])
def test_the_toy_of_the_paper_has_the_slope_of_a_pencil(part, xi, expected):
    # L_arch(w', a) with w' = w - 2 xi (w - a) has d/da = w' - 2 + 2 xi a; at (2, -2) that is -4 + 12 xi.
    assert slope(part, Toy(2.0, -2.0, xi)) == pytest.approx(expected, rel=1e-9)


def test_first_order_has_the_slope_of_xi_0_whatever_xi_is():
    assert slope(FirstOrder(), Toy(2.0, -2.0, 0.5)) == -4.0


@pytest.mark.parametrize("part", [FirstOrder(), *SECOND], ids=by_kind)
@pytest.mark.parametrize("xi", [0.1, 0.5])
def test_descent_on_the_toy_ends_where_a_and_w_are_2_through_1_plus_2_xi(part, xi):
    problem = Toy(2.0, -2.0, xi)
    for _ in range(2000):
        gradient = slope(part, problem)
        with torch.no_grad():
            problem.a -= 0.05 * gradient
            problem.w -= 0.05 * 2 * (problem.w - problem.a)
    seen = 0.0 if part == FirstOrder() else xi
    assert problem.a.item() == pytest.approx(2 / (1 + 2 * seen), rel=1e-6)
    assert problem.w.item() == pytest.approx(2 / (1 + 2 * seen), rel=1e-6)


def test_which_losses_are_asked_and_how_often():
    for part, expected in (
        (FirstOrder(), ["arch"]),
        (ExactHypergradient(), ["weights", "arch"]),
        (FiniteDifference(), ["weights", "arch", "weights", "weights"]),
    ):
        problem = Toy(2.0, -2.0, 0.5)
        part.gradient(problem)
        assert problem.asked == expected


@pytest.mark.parametrize("radius", [0.01, 0.5])
def test_the_finite_difference_of_a_cubic_is_what_a_pencil_says(radius):
    # L_weights = a w^3: d/da at w +- r is (w +- r)^3, their difference through 2 r is 3 w^2 + r^2; the exact
    # product is 3 w^2 v. With L_arch = 5 w': v = 5, R = radius / 5, and r = R v = radius.
    problem = Toy(0.7, 1.5, 0.1, arch=lambda a, w: 5 * w + 0 * a, weights=lambda a, w: a * w**3)
    exact = -0.1 * 5 * 3 * 1.5**2
    assert slope(ExactHypergradient(), problem) == pytest.approx(exact, rel=1e-12)
    expected = exact - 0.1 * 5 * radius**2
    assert slope(FiniteDifference(radius), problem) == pytest.approx(expected, rel=1e-9)


def test_an_arch_loss_that_is_flat_in_the_weights_gives_its_own_gradient_and_no_nan():
    problem = Toy(0.7, 1.5, 0.1, arch=lambda a, w: a**2 + 0 * w)
    assert slope(FiniteDifference(), problem) == pytest.approx(1.4)
    assert slope(ExactHypergradient(), problem) == pytest.approx(1.4)


def test_the_gradient_is_that_of_the_loss_after_the_step_by_differences_in_a():
    def loss_ahead(a: float) -> float:
        w = 0.4 - 0.3 * a * math.cos(a * 0.4)
        return math.exp(w) * a

    problem = Toy(0.9, 0.4, 0.3, arch=lambda a, w: w.exp() * a, weights=lambda a, w: torch.sin(a * w))
    numeric = (loss_ahead(0.9 + 1e-6) - loss_ahead(0.9 - 1e-6)) / 2e-6
    assert slope(ExactHypergradient(), problem) == pytest.approx(numeric, rel=1e-7)


def smooth(module: nn.Module) -> None:
    """Softplus for ReLU and average pools for max pools, in place."""
    for name, child in module.named_children():
        if isinstance(child, nn.ReLU):
            setattr(module, name, nn.Softplus())
        elif isinstance(child, nn.MaxPool2d):
            setattr(module, name, nn.AvgPool2d(3, child.stride, padding=1))
        else:
            smooth(child)


class Case:
    """A small supernet in float64 with two batches."""

    def __init__(self, *, beta: bool = False, where: CellSpace = SMALL) -> None:
        torch.manual_seed(1)
        self.net = Supernet(where, SupernetSpec(channels=4, layers=3, classes=3, in_channels=1)).double()
        smooth(self.net)
        self.arch = ArchParameters(where, beta=beta, generator=stream()).double()
        with torch.no_grad():
            for value in self.arch.parameters():
                value.copy_(0.5 * torch.randn(value.shape, generator=stream(3), dtype=torch.float64))
        self.batches = [
            Batch(
                torch.randn(6, 1, 8, 8, generator=stream(seed), dtype=torch.float64),
                torch.tensor([0, 1, 2, 2, 0, 1]).roll(seed),
                torch.arange(6),
            )
            for seed in (1, 2)
        ]

    def problem(
        self, *, xi: float, momenta: dict[str, Tensor] | None = None, momentum: float = 0.9, decay: float = 3e-4
    ) -> SupernetProblem:
        passes = SupernetPasses(replace(DARTS_V1, search=PLAIN), self.net, self.arch, Streams(0), Compute("cpu"))
        optimizer = torch.optim.SGD(self.net.parameters(), lr=0.1, momentum=momentum)
        for name, weight in self.net.named_parameters():
            if momenta is not None and name in momenta:
                optimizer.state[weight]["momentum_buffer"] = momenta[name]
        inputs = ArchStepInputs(self.batches[0], self.batches[1], xi, momentum, decay, START)
        return SupernetProblem(passes, inputs, optimizer)


def flat(gradient: ArchGradient) -> Tensor:
    return torch.cat([value.detach().flatten() for value in (*gradient.alpha.values(), *gradient.beta.values())])


@pytest.mark.parametrize("beta", [False, True])
def test_on_a_smooth_net_the_finite_difference_agrees_with_the_exact_product(beta):
    case = Case(beta=beta)
    exact = flat(ExactHypergradient().gradient(case.problem(xi=0.1)))

    def off(part: FirstOrder | FiniteDifference) -> float:
        return float((flat(part.gradient(case.problem(xi=0.1))) - exact).norm() / exact.norm())

    # A central difference is off by the square of its radius.
    assert off(FiniteDifference(1e-3)) < 1e-4
    assert off(FiniteDifference(1e-2)) == pytest.approx(100 * off(FiniteDifference(1e-3)), rel=0.1)
    assert off(FirstOrder()) > 1e-2


def test_on_a_smooth_net_with_the_primitive_noise_both_sides_of_the_difference_see_the_same_noise():
    case = Case(where=space("s4"))
    exact = flat(ExactHypergradient().gradient(case.problem(xi=0.1)))
    difference = flat(FiniteDifference(1e-3).gradient(case.problem(xi=0.1)))
    assert float((difference - exact).norm() / exact.norm()) < 1e-4


def test_on_a_smooth_net_the_exact_gradient_is_the_slope_of_the_loss_after_the_virtual_step():
    case = Case(beta=True)
    momenta = {
        name: torch.randn(value.shape, generator=stream(6), dtype=torch.float64)
        for name, value in case.net.named_parameters()
    }
    values = list(case.arch.parameters())
    along = [torch.randn(value.shape, generator=stream(7), dtype=torch.float64) for value in values]

    def ahead(distance: float) -> float:
        with torch.no_grad():
            for value, direction in zip(values, along, strict=True):
                value.add_(distance * direction)
        problem = case.problem(xi=0.1, momenta=momenta, decay=0.1)
        weights = problem.weights()
        gradients = torch.autograd.grad(problem.weights_loss(weights), list(weights.values()))
        loss = problem.arch_loss(problem.virtual_step(dict(zip(weights, gradients, strict=True)))).item()
        with torch.no_grad():
            for value, direction in zip(values, along, strict=True):
                value.sub_(distance * direction)
        return loss

    exact = flat(ExactHypergradient().gradient(case.problem(xi=0.1, momenta=momenta, decay=0.1)))
    slope = float(exact @ torch.cat([direction.flatten() for direction in along]))
    assert (ahead(1e-5) - ahead(-1e-5)) / 2e-5 == pytest.approx(slope, rel=1e-6)


@pytest.mark.parametrize("part", SECOND, ids=by_kind)
def test_with_xi_0_it_is_first_order_bit_for_bit(part):
    case = Case(beta=True)
    found, first = part.gradient(case.problem(xi=0.0)), FirstOrder().gradient(case.problem(xi=0.0))
    for table, expected in ((found.alpha, first.alpha), (found.beta, first.beta)):
        assert list(table) == list(expected) == ["normal", "reduce"]
        assert all(torch.equal(table[name], expected[name]) for name in table)
        assert all(value.any() for value in table.values())


def test_the_virtual_step_adds_momentum_times_buffer_and_weight_decay_times_weight():
    case = Case()
    weights = case.problem(xi=0.1).weights()
    with_buffer, without = list(weights)[:2]
    buffer = torch.randn(weights[with_buffer].shape, generator=stream(4), dtype=torch.float64)
    gradients = {name: torch.full_like(value, 2.0) for name, value in weights.items()}
    ahead = case.problem(xi=0.1, momenta={with_buffer: buffer}, momentum=0.9, decay=0.5).virtual_step(gradients)
    assert list(ahead) == list(weights)
    w = weights[with_buffer].detach()
    torch.testing.assert_close(ahead[with_buffer].detach(), w - 0.1 * (0.9 * buffer + 2.0 + 0.5 * w))
    w = weights[without].detach()
    torch.testing.assert_close(ahead[without].detach(), w - 0.1 * (2.0 + 0.5 * w))


def test_the_virtual_step_is_the_step_of_the_weights_sgd():
    case = Case()
    optimizer = torch.optim.SGD(case.net.parameters(), 0.1, momentum=0.9, weight_decay=0.01)
    names = dict(case.net.named_parameters())
    for _ in range(2):
        momenta = {
            name: optimizer.state[value]["momentum_buffer"].clone()
            for name, value in names.items()
            if value in optimizer.state
        }
        problem = case.problem(xi=0.1, momenta=momenta, decay=0.01)
        gradients = torch.autograd.grad(problem.weights_loss(), list(names.values()))
        ahead = problem.virtual_step(dict(zip(names, gradients, strict=True)))
        ahead = {name: value.detach().clone() for name, value in ahead.items()}
        for value, gradient in zip(names.values(), gradients, strict=True):
            value.grad = gradient
        optimizer.step()
        for name, value in names.items():
            torch.testing.assert_close(value.detach(), ahead[name], rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("part", SECOND, ids=by_kind)
def test_the_momentum_buffer_moves_the_gradient(part):
    case = Case()
    momenta = {
        name: torch.randn(value.shape, generator=stream(5), dtype=torch.float64)
        for name, value in case.net.named_parameters()
    }
    plain = flat(part.gradient(case.problem(xi=0.1)))
    moved = flat(part.gradient(case.problem(xi=0.1, momenta=momenta)))
    assert float((moved - plain).norm() / plain.norm()) > 1e-2


@pytest.mark.parametrize("part", SECOND, ids=by_kind)
def test_weights_their_gradients_and_running_statistics_stay_as_they_are(part):
    case = Case(beta=True)
    before = {name: value.clone() for name, value in case.net.state_dict().items()}
    part.gradient(case.problem(xi=0.1))
    assert all(torch.equal(value, before[name]) for name, value in case.net.state_dict().items())
    assert all(value.grad is None for value in (*case.net.parameters(), *case.arch.parameters()))
