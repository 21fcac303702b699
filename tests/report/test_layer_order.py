from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgewise.report.layer_order import crossings, order, spread


def test_two_links_that_change_sides_cross_once() -> None:
    assert crossings([[0, 1], [2, 3]], [(0, 3), (1, 2)]) == 1
    assert crossings([[0, 1], [2, 3]], [(0, 2), (1, 3)]) == 0
    assert crossings([[0, 1], [2, 3]], [(0, 2), (0, 3), (1, 2), (1, 3)]) == 1


def test_ordering_untangles_a_ladder() -> None:
    links = [(0, 5), (1, 4), (2, 3)]
    assert crossings([[0, 1, 2], [3, 4, 5]], links) == 3
    assert crossings(order([[0, 1, 2], [3, 4, 5]], links), links) == 0


def test_ordering_moves_stations_within_their_column_only() -> None:
    columns = [[0, 1], [2, 3, 4], [5]]
    ordered = order(columns, [(0, 4), (1, 2), (1, 3), (2, 5)])
    assert [sorted(column) for column in ordered] == columns


def test_stations_that_want_the_same_height_are_set_around_it() -> None:
    assert spread([10, 10], [0, 4], [1, 1]) == pytest.approx([8, 12])
    assert spread([10, 10], [0, 4], [3, 1]) == pytest.approx([9, 13])
    assert spread([0, 10], [0, 4], [1, 1]) == pytest.approx([0, 10])
    assert spread([10, 0, 0], [0, 1, 1], [1, 1, 1]) == pytest.approx([7 / 3, 10 / 3, 13 / 3])


@given(st.lists(st.tuples(st.floats(-500, 500), st.floats(0, 50), st.floats(0.1, 5)), min_size=1, max_size=12))
def test_stations_keep_their_distance_whatever_they_want(stations: list[tuple[float, float, float]]) -> None:
    wanted, gaps, weights = zip(*stations, strict=True)
    placed = spread(wanted, gaps, weights)
    assert all(b - a >= gap - 1e-6 for a, b, gap in zip(placed, placed[1:], gaps[1:], strict=False))
