"""The projection against numbers that a pencil can check, and against an independent PCGrad."""

from __future__ import annotations

from itertools import product

import pytest
import torch
from torchjd.aggregation import PCGrad

from tests.methods.rows import THREE, by_definition, distinct, project_group, symmetric_outcomes

ORDERS = ["random", "shortest_to_longest", "longest_to_shortest", "symmetric"]


def tensor(rows) -> torch.Tensor:
    return torch.tensor(rows, dtype=torch.float64)


def test_two_conflicting_rows_are_both_projected_when_symmetric():
    first = project_group(tensor([[-4.0, 1, 1], [6.0, 1, 1]]), "symmetric")[0]
    expected = tensor([[-0.526316, 1.578947, 1.578947], [1.111111, 2.222222, 2.222222]])
    torch.testing.assert_close(first, expected, atol=1e-6, rtol=0)
    second = project_group(tensor([[1.0, 0], [-1.0, 1]]), "symmetric")[0]
    assert torch.equal(second, tensor([[0.5, 0.5], [0.0, 1.0]]))


@pytest.mark.parametrize("order", ["random", "shortest_to_longest", "longest_to_shortest"])
def test_exactly_one_of_two_conflicting_rows_of_equal_length_is_projected(order):
    rows = tensor([[1.0, 0], [-1.0, 1]])
    outcomes = distinct(project_group(rows, order, draws=100))
    assert outcomes == {(0.5, 0.5, -1.0, 1.0), (1.0, 0.0, 0.0, 1.0)}


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
@pytest.mark.parametrize("order", ORDERS)
def test_rows_without_a_conflict_keep_every_bit(order, dtype):
    rows = torch.rand(5, 8, dtype=dtype)
    rows[0, 0], rows[2] = -0.0, 0.0
    out = project_group(rows, order, draws=20)
    bits = torch.int16 if dtype is torch.bfloat16 else {4: torch.int32, 8: torch.int64}[rows.element_size()]
    assert out.dtype == dtype
    assert torch.equal(out.view(bits), rows.expand(20, 5, 8).contiguous().view(bits))


@pytest.mark.parametrize("order", ORDERS)
def test_a_row_without_a_conflict_keeps_every_bit_beside_rows_in_conflict(order):
    rows = torch.tensor([[0.1, 0.0, 0.0], [-0.3, 0.7, 0.0], [0.0, 0.3, 1 / 3]])
    out = project_group(rows, order, draws=50)
    assert torch.equal(out[:, 2], rows[2].expand(50, 3))
    assert not torch.equal(out[:, :2], rows[:2].expand(50, 2, 3))


def test_the_restatement_in_these_tests_gives_the_published_sums():
    first = sum(by_definition(THREE, i, p) for i, p in enumerate([(1, 2), (0, 2), (0, 1)]))
    second = sum(by_definition(THREE, i, p) for i, p in enumerate([(2, 1), (2, 0), (1, 0)]))
    torch.testing.assert_close(first, tensor([-0.388889, 0.222222, 1.777778]), atol=1e-6, rtol=0)
    torch.testing.assert_close(second, tensor([0.333333, 0.361111, 1.444444]), atol=1e-6, rtol=0)


def test_three_conflicting_rows_give_all_results_of_the_partner_orders_and_no_other():
    outcomes = project_group(THREE, "symmetric", draws=500)
    assert distinct(outcomes) == distinct(symmetric_outcomes(THREE))
    sums = {tuple(round(v, 6) for v in outcome.sum(0).tolist()) for outcome in outcomes}
    assert {(-0.388889, 0.222222, 1.777778), (0.333333, 0.361111, 1.444444)} <= sums


def test_no_row_is_projected_against_a_partner_that_was_projected_before():
    sums = project_group(THREE, "symmetric", draws=500).sum(1)
    wrong = tensor([-1.055556, 0.055556, 1.777778])
    assert (sums - wrong).abs().amax(1).min() > 1e-3


def test_partners_are_met_in_every_order_equally_often():
    draws = 4000
    out = project_group(THREE, "symmetric", draws=draws)
    for row, (one, other) in enumerate([(1, 2), (0, 2), (0, 1)]):
        options = [by_definition(THREE, row, p) for p in ((one, other), (other, one))]
        counts = [int(((out[:, row] - option).abs().amax(1) < 1e-9).sum()) for option in options]
        assert sum(counts) == draws
        assert abs(counts[0] - draws / 2) < 5 * (draws / 4) ** 0.5


def test_the_conflict_is_tested_with_the_current_row_not_the_original_one():
    # Row 0 conflicts with row 1 alone; once projected on it, it conflicts with row 2 as well.
    rows = tensor([[1.0, 0, 1], [-1.0, 1, 0], [0.0, -1, 0.2]])
    assert float(rows[0] @ rows[2]) > 0
    met_both = by_definition(rows, 0, (1, 2))
    assert not torch.allclose(met_both, by_definition(rows, 0, (1,)))
    outcomes = project_group(rows, "symmetric", draws=100)[:, 0]
    assert distinct(outcomes) == distinct([met_both, by_definition(rows, 0, (2, 1))])


@pytest.mark.parametrize("seed", range(10))
def test_the_sum_of_two_rows_when_symmetric_is_that_of_torchjds_pcgrad(seed):
    generator = torch.Generator().manual_seed(seed)
    rows = torch.randn(2, 8, generator=generator, dtype=torch.float64)
    rows[1] -= 2 * rows[0] * (seed % 3)
    torch.testing.assert_close(project_group(rows, "symmetric")[0].sum(0), PCGrad()(rows), rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("seed", range(3))
def test_the_sums_of_three_rows_when_symmetric_are_those_of_torchjds_pcgrad_over_its_random_orders(seed):
    torch.manual_seed(seed)
    rows = torch.randn(3, 4, dtype=torch.float64)
    rows -= 1.2 * rows.mean(0)
    theirs = distinct([PCGrad()(rows) for _ in range(150)])
    ours = distinct(project_group(rows, "symmetric", draws=300).sum(1))
    assert ours == theirs


def test_three_rows_of_equal_length_in_random_order_are_projected_by_some_coin_pattern_and_partner_order():
    allowed = set()
    pairs = [(0, 1), (0, 2), (1, 2)]
    for heads in product([0, 1], repeat=3):
        chosen = {i: [] for i in range(3)}
        for (one, other), head in zip(pairs, heads, strict=True):
            chosen[one if head else other].append(other if head else one)
        for flips in product([1, -1], repeat=3):
            outcome = torch.stack([by_definition(THREE, i, chosen[i][:: flips[i]]) for i in range(3)])
            allowed |= distinct([outcome])
    assert distinct(project_group(THREE, "random", draws=800)) == allowed
