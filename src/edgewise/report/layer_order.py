"""Order and heights within the columns of a layered drawing."""

from __future__ import annotations

import itertools
import random
from collections.abc import Sequence

Columns = list[list[int]]
Links = Sequence[tuple[int, int]]
STARTS = 6
SWEEPS = 8
ROUNDS = 24


def crossings(columns: Columns, links: Links) -> int:
    """How many pairs of links cross.

    Args:
        columns: the stations of each column, top to bottom.
        links: pairs of stations in neighbouring columns.
    """
    rank = {station: i for column in columns for i, station in enumerate(column)}
    column_of = {station: c for c, column in enumerate(columns) for station in column}
    total = 0
    by_column: dict[int, list[tuple[int, int]]] = {}
    for a, b in links:
        by_column.setdefault(column_of[a], []).append((rank[a], rank[b]))
    for pairs in by_column.values():
        for i, (a, b) in enumerate(pairs):
            total += sum((a - c) * (b - d) < 0 for c, d in pairs[i + 1 :])
    return total


def order(columns: Columns, links: Links) -> Columns:
    """Reorders each column so that few links cross; the same input always gives the same order."""
    rng = random.Random(0)
    before, after = _neighbours(links)
    best, fewest = columns, crossings(columns, links)
    for start in range(STARTS):
        tried = [list(column) for column in columns]
        if start:
            for column in tried:
                rng.shuffle(column)
        for sweep in range(SWEEPS):
            forward = sweep % 2 == 0
            for c in range(1, len(tried)) if forward else range(len(tried) - 2, -1, -1):
                fixed = {station: i for i, station in enumerate(tried[c - 1 if forward else c + 1])}
                _sort(tried[c], before if forward else after, fixed)
            count = crossings(tried, links)
            if count < fewest:
                best, fewest = [list(column) for column in tried], count
        if fewest == 0:
            break
    return best


def _neighbours(links: Links) -> tuple[dict[int, list[int]], dict[int, list[int]]]:
    before: dict[int, list[int]] = {}
    after: dict[int, list[int]] = {}
    for a, b in links:
        before.setdefault(b, []).append(a)
        after.setdefault(a, []).append(b)
    return before, after


def _sort(column: list[int], near: dict[int, list[int]], fixed: dict[int, int]) -> None:
    """Sorts a column by the mean rank of its neighbours in the fixed column."""
    own = {station: i for i, station in enumerate(column)}

    def wanted(station: int) -> float:
        ranks = [fixed[other] for other in near.get(station, ()) if other in fixed]
        return sum(ranks) / len(ranks) if ranks else own[station]

    column.sort(key=wanted)


def spread(wanted: Sequence[float], gaps: Sequence[float], weights: Sequence[float]) -> list[float]:
    """The heights nearest to those wanted (weighted squares) at which neighbours keep their distance.

    Args:
        wanted: heights, top to bottom, in pixels.
        gaps: least distance of each from the one above; the first is not used.
        weights: how much each counts.
    """
    shift, shifts = 0.0, []
    for i, gap in enumerate(gaps):
        shift += gap if i else 0.0
        shifts.append(shift)
    # Without the distances it is an isotonic regression: pool neighbours that stand in the wrong order.
    blocks: list[list[float]] = []
    for height, shifted, weight in zip(wanted, shifts, weights, strict=True):
        blocks.append([height - shifted, weight, 1])
        while len(blocks) > 1 and blocks[-2][0] > blocks[-1][0]:
            mean, mass, count = blocks.pop()
            last = blocks[-1]
            last[0] = (last[0] * last[1] + mean * mass) / (last[1] + mass)
            last[1] += mass
            last[2] += count
    flat = [mean for mean, _, count in blocks for _ in range(int(count))]
    return [height + shifted for height, shifted in zip(flat, shifts, strict=True)]


def place(
    columns: Columns, links: Links, heights: Sequence[float], weights: Sequence[float], margin: float
) -> list[float]:
    """A height for every station: near its neighbours, and clear of the stations above and below.

    Args:
        columns: the stations of each column, in their order.
        links: pairs of stations in neighbouring columns.
        heights: how tall each station is, in pixels.
        weights: how much each station pulls on its neighbours.
        margin: least free space between two stations of a column, in pixels.
    """
    before, after = _neighbours(links)
    near = {s: before.get(s, []) + after.get(s, []) for column in columns for s in column}
    gaps = [
        [0.0][: len(column)] + [(heights[a] + heights[b]) / 2 + margin for a, b in itertools.pairwise(column)]
        for column in columns
    ]
    y = [0.0] * len(heights)
    for column, column_gaps in zip(columns, gaps, strict=True):
        total = sum(column_gaps)
        for station, height in zip(
            column, spread([0.0] * len(column), column_gaps, [1.0] * len(column)), strict=True
        ):
            y[station] = height if total else 0.0
    for turn in range(ROUNDS):
        for c in range(len(columns)) if turn % 2 == 0 else reversed(range(len(columns))):
            column = columns[c]
            wanted = []
            for station in column:
                mass = sum(weights[other] for other in near[station])
                pulled = sum(weights[other] * y[other] for other in near[station])
                wanted.append(pulled / mass if mass else y[station])
            placed = spread(wanted, gaps[c], [weights[station] for station in column])
            for station, height in zip(column, placed, strict=True):
                y[station] = height
    return y
