"""Lanczos: against torch.linalg, by hand, and on the full Hessian of a small net."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from edgewise.methods import hessian_product, largest_eigenvalue
from tests.methods.rows import stream


def symmetric(size: int, seed: int) -> Tensor:
    matrix = torch.randn(size, size, generator=stream(seed), dtype=torch.float64)
    return (matrix + matrix.T) / 2


def found(matrix: Tensor, *, seed: int = 0, tolerance: float = 1e-8, most: int = 200):
    start = torch.randn(len(matrix), generator=stream(seed + 999), dtype=matrix.dtype)
    return largest_eigenvalue(lambda v: matrix @ v, start, tolerance=tolerance, most=most)


def turned(values: list[float], seed: int = 0) -> Tensor:
    """A symmetric matrix with these eigenvalues, in no special basis."""
    q, _ = torch.linalg.qr(symmetric(len(values), seed))
    return q @ torch.diag(torch.tensor(values, dtype=torch.float64)) @ q.T


@settings(deadline=None, max_examples=60)
@given(st.integers(1, 60), st.integers(0, 10_000))
def test_it_is_the_largest_eigenvalue_of_any_symmetric_matrix(size, seed):
    matrix = symmetric(size, seed)
    assert found(matrix, seed=seed).value == pytest.approx(float(torch.linalg.eigvalsh(matrix)[-1]), rel=1e-6)


@pytest.mark.parametrize(
    "values",
    [[-5.0, -2.0, -1.0], [-9.0, 0.5, 1.0, 2.0], [-100.0, 3.0, -7.0, 1.0], [0.0, 0.0, -1.0]],
)
def test_of_an_indefinite_or_negative_matrix_it_is_the_algebraically_largest(values):
    assert found(turned(values)).value == pytest.approx(max(values), rel=1e-6, abs=1e-9)


@pytest.mark.parametrize("values", [[2.0] * 6, [3.0, 3.0, 3.0, 1.0, -1.0], [0.0] * 4, [-2.0, -2.0, -5.0, -5.0]])
def test_repeated_eigenvalues_end_the_search_early_and_are_found(values):
    result = found(turned(values))
    assert result.value == pytest.approx(max(values), rel=1e-9, abs=1e-9)
    assert result.products <= len(set(values))


def test_a_largest_eigenvalue_of_0_ends_the_search_once_all_others_are_found():
    result = found(turned([0.0] * 20 + [-1.0] * 20))
    assert result.value == pytest.approx(0.0, abs=1e-12)
    assert result.products <= 3


def test_a_matrix_of_size_1_takes_one_product():
    result = largest_eigenvalue(lambda v: -3.5 * v, torch.tensor([0.2]))
    assert (result.value, result.products) == (pytest.approx(-3.5), 1)
    assert result.residual == pytest.approx(0.0, abs=1e-6)


def test_a_start_of_zeros_is_refused():
    with pytest.raises(ValueError, match="the start vector is zero"):
        largest_eigenvalue(lambda v: v, torch.zeros(3))


def test_a_start_that_is_not_finite_is_refused():
    with pytest.raises(ValueError, match="the start vector"):
        largest_eigenvalue(lambda v: v, torch.tensor([1.0, float("nan")]))


@pytest.mark.parametrize("most", [1, 2, 3, 5])
def test_it_takes_no_more_products_than_allowed_and_says_how_far_off_it_may_be(most):
    matrix = symmetric(40, 1)
    result = found(matrix, most=most)
    assert result.products == most
    nearest = (torch.linalg.eigvalsh(matrix) - result.value).abs().min()
    assert result.residual > 1e-3
    assert nearest <= result.residual
    assert result.value <= float(torch.linalg.eigvalsh(matrix)[-1]) + 1e-12


def test_a_looser_tolerance_takes_fewer_products_and_holds_what_it_promises():
    matrix = symmetric(120, 2)
    loose, tight = found(matrix, tolerance=1e-2), found(matrix, tolerance=1e-10)
    assert loose.products < tight.products
    assert loose.residual <= 1e-2 * abs(loose.value)
    assert loose.value == pytest.approx(tight.value, rel=1e-2)


def test_float32_products_give_the_eigenvalue_to_float32_precision():
    matrix = symmetric(50, 3)
    single = found(matrix.float(), tolerance=1e-5)
    assert single.value == pytest.approx(float(torch.linalg.eigvalsh(matrix)[-1]), rel=1e-5)


def test_close_eigenvalues_at_the_top_do_not_spoil_the_value():
    matrix = turned([1.0 + 1e-9 * n for n in range(5)] + [0.5 - 0.01 * n for n in range(30)])
    assert found(matrix, tolerance=1e-4).value == pytest.approx(1.0, rel=1e-6)


def test_products_with_a_hessian_are_those_of_the_full_matrix():
    torch.manual_seed(0)
    a = torch.randn(2, 3, dtype=torch.float64, requires_grad=True)
    b = torch.randn(4, dtype=torch.float64, requires_grad=True)

    def function(a: Tensor, b: Tensor) -> Tensor:
        return (a.sin().sum() * b.pow(2).sum() + (a.flatten()[:4] * b).pow(3).sum()).tanh()

    blocks = torch.autograd.functional.hessian(function, (a, b))
    rows = [
        torch.cat([block.reshape(value.numel(), -1) for block in row], 1)
        for row, value in zip(blocks, (a, b), strict=True)
    ]
    full = torch.cat(rows)
    product = hessian_product(function(a, b), [a, b])
    for seed in range(3):
        vector = torch.randn(10, generator=stream(seed), dtype=torch.float64)
        torch.testing.assert_close(product(vector), full @ vector)
        assert not product(vector).requires_grad
    assert a.grad is None


def test_on_a_net_it_is_the_largest_eigenvalue_of_the_full_hessian():
    torch.manual_seed(3)
    net = nn.Sequential(nn.Linear(5, 6), nn.Tanh(), nn.Linear(6, 3)).double()
    x, y = torch.randn(20, 5, dtype=torch.float64), torch.arange(20) % 3
    alpha = torch.randn(4, 5, dtype=torch.float64, requires_grad=True)

    def loss(alpha: Tensor) -> Tensor:
        return nn.functional.cross_entropy(net(x * alpha.softmax(1).sum(0)), y)

    full = torch.autograd.functional.hessian(loss, alpha).reshape(20, 20)
    expected = torch.linalg.eigvalsh(full)
    assert expected[0] < 0 < expected[-1]
    start = torch.randn(20, generator=stream(), dtype=torch.float64)
    result = largest_eigenvalue(hessian_product(loss(alpha), [alpha]), start)
    assert result.value == pytest.approx(float(expected[-1]), rel=1e-4)
