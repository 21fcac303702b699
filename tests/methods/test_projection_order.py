"""Which edge of a conflicting pair is projected: lengths, the coin, the groups, the random stream."""

from __future__ import annotations

from collections import Counter
from itertools import combinations

import pytest
import torch

from tests.methods.rows import (
    GROUPS,
    LENGTHS,
    PAIRS,
    binomial,
    one_group,
    pair_rows,
    project_group,
    projector,
    stream,
)

DIRECTIONS = ["in", "out"]
ONE_OF_A_PAIR = ["random", "shortest_to_longest", "longest_to_shortest"]
ORDERS = [*ONE_OF_A_PAIR, "symmetric"]


def changed(direction: str, order: str, e: int, f: int, draws: int = 30) -> list[tuple[int, ...]]:
    """For each draw, which edges are changed where only e and f have gradients and these conflict."""
    rows = pair_rows(e, f).expand(draws, 14, 8)
    moved = (projector(direction, order)(rows, stream(e * 14 + f)) != rows).any(-1)
    return [tuple(row.nonzero().flatten().tolist()) for row in moved]


@pytest.mark.parametrize("direction", DIRECTIONS)
def test_of_edges_of_unequal_length_the_shorter_or_the_longer_is_projected_as_asked(direction):
    unequal = [pair for pair in PAIRS[direction] if LENGTHS[pair[0]] != LENGTHS[pair[1]]]
    assert len(unequal) == 16
    for pair in unequal:
        shorter, longer = sorted(pair, key=LENGTHS.__getitem__)
        assert set(changed(direction, "shortest_to_longest", *pair)) == {(shorter,)}
        assert set(changed(direction, "longest_to_shortest", *pair)) == {(longer,)}


@pytest.mark.parametrize("direction", DIRECTIONS)
@pytest.mark.parametrize("order", ONE_OF_A_PAIR)
def test_exactly_one_edge_of_any_conflicting_pair_is_projected(direction, order):
    for pair in PAIRS[direction]:
        assert set(changed(direction, order, *pair)) <= {(pair[0],), (pair[1],)}


@pytest.mark.parametrize("direction", DIRECTIONS)
def test_both_edges_of_any_conflicting_pair_are_projected_when_symmetric(direction):
    for pair in PAIRS[direction]:
        assert set(changed(direction, "symmetric", *pair)) == {pair}


@pytest.mark.parametrize("order", ["shortest_to_longest", "longest_to_shortest"])
def test_a_fair_coin_decides_between_edges_of_equal_length(order):
    for pair in ((0, 1), (2, 3), (5, 6), (9, 10)):
        counts = Counter(changed("in", order, *pair, draws=1000))
        assert set(counts) == {(pair[0],), (pair[1],)}
        assert binomial(counts[(pair[0],)], 1000)


@pytest.mark.parametrize("direction", DIRECTIONS)
def test_in_random_order_the_coin_is_fair_for_every_pair(direction):
    for pair in PAIRS[direction]:
        assert binomial(changed(direction, "random", *pair, draws=1000).count((pair[0],)), 1000)


@pytest.mark.parametrize("direction", DIRECTIONS)
@pytest.mark.parametrize("order", ORDERS)
def test_edges_that_share_no_group_leave_each_other_alone(direction, order):
    for pair in combinations(range(14), 2):
        if pair not in PAIRS[direction]:
            assert set(changed(direction, order, *pair, draws=5)) == {()}


def test_every_pair_of_a_group_has_a_coin_of_its_own():
    # Every pair conflicts, and a row's change shows which others it was projected on.
    rows = torch.tensor([[1.0, 1, 0, 2, 0, 0], [-1.0, 0, 1, 0, 2, 0], [0.0, -1, -1, 0, 0, 2]], dtype=torch.float64)
    draws = 4000
    out = project_group(rows, "random", draws=draws)
    shares = torch.linalg.lstsq(rows.T, (out - rows).reshape(-1, 6).T).solution.T.view(draws, 3, 3)
    on = shares.abs() > 1e-9
    assert (on.sum((1, 2)) == 3).all()
    patterns = Counter((bool(on[d, 0, 1]), bool(on[d, 0, 2]), bool(on[d, 1, 2])) for d in range(draws))
    assert len(patterns) == 8
    assert all(binomial(count, draws, 1 / 8) for count in patterns.values())


def test_the_coins_of_different_groups_and_of_both_cells_are_independent():
    draws = 2000
    rows = torch.stack([pair_rows(0, 1) + pair_rows(2, 3), pair_rows(0, 1)])
    first, second, third = [], [], []
    generator, project = stream(1), projector()
    for _ in range(draws):
        moved = (project(rows, generator) != rows).any(-1)
        first.append(bool(moved[0, 0]))
        second.append(bool(moved[0, 2]))
        third.append(bool(moved[1, 0]))
    for one, other in combinations([first, second, third], 2):
        assert binomial(sum(a == b for a, b in zip(one, other, strict=True)), draws)


@pytest.mark.parametrize("direction", DIRECTIONS)
@pytest.mark.parametrize("order", ORDERS)
def test_other_gradients_in_one_group_or_cell_change_no_bit_of_the_others(direction, order):
    rows = torch.randn(2, 14, 8, generator=stream(5))
    project = projector(direction, order)
    base = project(rows, stream(6))
    for cell in range(2):
        for group in GROUPS[direction]:
            other = rows.clone()
            other[cell, list(group)] = torch.randn(len(group), 8, generator=stream(7)) * 3
            out = project(other, stream(6))
            same = torch.ones(2, 14, dtype=torch.bool)
            same[cell, list(group)] = False
            assert torch.equal(out[same], base[same])
            assert not torch.equal(out[~same], base[~same])


def test_the_same_edges_of_both_cells_are_never_compared():
    rows = torch.zeros(2, 14, 8)
    rows[0, :, 0], rows[1, :, 0] = 1.0, -1.0
    for direction in DIRECTIONS:
        assert torch.equal(projector(direction, "symmetric")(rows, stream()), rows)


@pytest.mark.parametrize(("direction", "lone"), [("in", None), ("out", 13)])
def test_a_group_of_one_edge_is_left_alone(direction, lone):
    rows = torch.randn(14, 8, generator=stream(3), dtype=torch.float64)
    out = torch.stack([projector(direction, "symmetric")(rows, stream(s)) for s in range(20)])
    untouched = [e for e in range(14) if torch.equal(out[:, e], rows[e].expand(20, 8))]
    conflicting = {e for pair in PAIRS[direction] for e in pair if rows[pair[0]] @ rows[pair[1]] < 0}
    assert set(untouched) == set(range(14)) - conflicting
    if lone is not None:
        assert lone in untouched


def test_a_topology_without_any_group_is_projected_to_itself():
    topology = one_group(1)
    rows = torch.randn(1, 1, 3)
    assert torch.equal(projector("in", "random", topology)(rows, stream()), rows)


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("direction", DIRECTIONS)
def test_as_many_random_numbers_are_drawn_whatever_the_gradients_and_settings(direction, order):
    expected = stream(2)
    projector()(torch.zeros(2, 14, 8), expected)
    for rows in (torch.randn(2, 14, 8), torch.full((2, 14, 8), 1e30), torch.randn(2, 14, 3).double()):
        generator = stream(2)
        projector(direction, order)(rows, generator)
        assert torch.equal(generator.get_state(), expected.get_state())
    assert not torch.equal(expected.get_state(), stream(2).get_state())


@pytest.mark.parametrize("order", ORDERS)
def test_torchs_global_stream_is_neither_used_nor_moved(order):
    rows, project = torch.randn(2, 14, 8), projector("in", order)
    torch.manual_seed(0)
    before = torch.get_rng_state()
    first = project(rows, stream(4))
    assert torch.equal(torch.get_rng_state(), before)
    torch.manual_seed(1)
    assert torch.equal(project(rows, stream(4)), first)


@pytest.mark.parametrize("order", ORDERS)
def test_the_gradients_handed_in_are_not_written_to(order):
    rows = torch.randn(2, 14, 8, generator=stream(8), dtype=torch.float64)
    before = rows.clone()
    assert not torch.equal(projector("in", order)(rows, stream()), rows)
    assert torch.equal(rows, before)
