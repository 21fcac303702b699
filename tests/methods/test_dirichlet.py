"""DrNAS' mixtures: their distribution, gradient and stream, dropped primitives, alphas at the edge."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import Tensor

from edgewise.errors import ConfigError, NonFiniteError
from edgewise.methods import RECIPES, DirichletMixture, FiniteDifference, Softmax
from tests.methods.rows import stream

PART = DirichletMixture()


def draws(alpha: Tensor, count: int, kept: Tensor | None = None) -> Tensor:
    generator = stream(0)
    return torch.stack([PART.mixture(alpha, kept, generator=generator).weights.detach() for _ in range(count)])


def assert_moments(found: Tensor, concentration: Tensor) -> None:
    """Mean and variance of Dirichlet samples [n, edges, primitives], to five standard errors."""
    total = concentration.sum(-1, keepdim=True)
    mean = concentration / total
    variance = mean * (1 - mean) / (total + 1)
    assert bool(((found.mean(0) - mean).abs() < 5 * (variance / len(found)).sqrt()).all())
    torch.testing.assert_close(found.var(0), variance, rtol=0.15, atol=1e-4)


def test_samples_have_the_distributions_mean_and_variance() -> None:
    alpha = torch.tensor([[0.0, 0.0, 0.0, 0.0, 0.0], [2.0, -1.0, 0.5, -0.2, 0.0]], dtype=torch.float64)
    found = draws(alpha, 4000)
    torch.testing.assert_close(found.sum(-1), torch.ones(4000, 2, dtype=torch.float64))
    assert_moments(found, torch.nn.functional.elu(alpha) + 1)


def test_dropped_primitives_get_nothing_and_the_others_their_own_distribution() -> None:
    alpha = torch.tensor([[2.0, -1.0, 0.5, -0.2]], dtype=torch.float64)
    kept = torch.tensor([[True, False, True, True]])
    found = draws(alpha, 4000, kept)
    assert bool((found[:, ~kept] == 0).all())
    assert_moments(found[:, kept].unsqueeze(1), (torch.nn.functional.elu(alpha) + 1)[kept].unsqueeze(0))


def test_alphas_gradient_is_that_of_the_mean_on_average() -> None:
    alpha = torch.tensor([[1.0, -0.5, 0.2]], dtype=torch.float64, requires_grad=True)
    worth, generator = torch.tensor([1.0, 2.0, -1.0], dtype=torch.float64), stream(1)
    found = torch.stack(
        [
            torch.autograd.grad((PART.mixture(alpha, generator=generator).weights @ worth).sum(), alpha)[0]
            for _ in range(4000)
        ]
    )
    concentration = torch.nn.functional.elu(alpha) + 1
    mean = concentration / concentration.sum(-1, keepdim=True)
    (expected,) = torch.autograd.grad((mean @ worth).sum(), alpha)
    assert bool(((found.mean(0) - expected).abs() < 5 * found.std(0) / len(found) ** 0.5).all())


def test_the_same_stream_gives_the_same_mixture_and_leaves_the_global_one_alone() -> None:
    alpha, before = torch.randn(14, 8, generator=stream(2)), torch.get_rng_state()
    one, same, other = (PART.mixture(alpha, generator=stream(seed)).weights for seed in (3, 3, 4))
    assert torch.equal(one, same)
    assert not torch.equal(one, other)
    assert torch.equal(torch.get_rng_state(), before)
    assert one.dtype == alpha.dtype


@pytest.mark.parametrize("extreme", [-1e4, -40.0, 60.0])
def test_extreme_alphas_give_finite_mixtures_and_gradients(extreme: float) -> None:
    alpha = torch.zeros(3, 5)
    alpha[:, 1] = extreme
    alpha.requires_grad_()
    weights = PART.mixture(alpha, generator=stream(5)).weights
    (gradient,) = torch.autograd.grad((weights * torch.arange(5.0)).sum(), alpha)
    assert bool(weights.isfinite().all())
    assert bool(gradient.isfinite().all())
    if extreme < 0:
        assert bool((weights[:, 1] < 1e-6).all())


def test_where_all_alphas_of_an_edge_are_low_one_operation_is_drawn_and_gradients_are_finite() -> None:
    alpha = torch.full((500, 5), -1e4, requires_grad=True)
    weights = PART.mixture(alpha, generator=stream(7)).weights
    (gradient,) = torch.autograd.grad((weights * torch.arange(5.0)).sum(), alpha)
    assert bool(gradient.isfinite().all())
    assert float(weights.detach().max(-1).values.mean()) > 0.9


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_an_alpha_that_is_not_finite_is_an_error(bad: float) -> None:
    alpha = torch.zeros(2, 3)
    alpha[1, 1] = bad
    with pytest.raises(NonFiniteError, match=r"lower arch\.lr"):
        PART.mixture(alpha, generator=stream(0))


def test_cells_are_derived_by_the_softmax() -> None:
    alpha = torch.randn(14, 8, generator=stream(6))
    assert torch.equal(PART.strengths(alpha), Softmax().strengths(alpha))


def test_a_finite_difference_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"dirichlet and gradient finite_difference.*gradient.kind=exact"):
        replace(RECIPES["drnas-simple"], gradient=FiniteDifference())
