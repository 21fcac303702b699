"""Cosines between the alpha gradients of edges that share a node: a matrix for each group, at any epoch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from edgewise.report.conflicts import group_name
from edgewise.report.figures import Figure, Values, heatmap, rounded
from edgewise.report.tables import cell_title
from edgewise.spaces import SPACES

Search = Sequence[Mapping[str, Any]]
HEIGHT = 250


@dataclass(frozen=True)
class Cosines:
    """The matrices of a search.

    Args:
        figures: a heat map for each group of two edges or more, by the title of its cell type.
        values: for each figure's key, the matrix of every epoch; None where alpha was frozen.
        size: the number at the ends of the colour scale, the largest one there is.
        direction: of the groups.
    """

    figures: Mapping[str, list[Figure]]
    values: Mapping[str, list[list[Values] | None]]
    size: float
    direction: str


def make_cosines(search: Search) -> Cosines | None:
    """The matrices of all epochs; None where none are recorded."""
    measured = [record for record in search if record["conflicts"] and _matrices(record)]
    if not measured:
        return None
    last = measured[-1]
    direction = last["conflicts"]["direction"]
    values = {key: [_matrices(record).get(key) for record in search] for key in _matrices(last)}
    numbers = [
        abs(v) for epochs in values.values() for m in epochs for row in m or () for v in row if v is not None
    ]
    size = max(numbers, default=0.0) or 1.0
    figures: dict[str, list[Figure]] = {}
    for group in last["conflicts"]["groups"]:
        if key_of(group) in values:
            figure = _figure(group, values[key_of(group)], _ends(last, group, direction), direction, size)
            figures.setdefault(cell_title(group["cell"]), []).append(figure)
    return Cosines(figures, values, size, direction)


def key_of(group: Mapping[str, Any]) -> str:
    """The key of a group's figure."""
    return f"cosines-{group['cell']}-{group['node']}"


def _matrices(record: Mapping[str, Any]) -> dict[str, list[Values]]:
    """The matrices of an epoch, their diagonals left empty: an edge agrees with itself."""
    groups = record["conflicts"]["groups"] if record["conflicts"] else []
    return {
        key_of(group): [
            [None if i == j else rounded(value, 3) for j, value in enumerate(row)]
            for i, row in enumerate(group["cosines"])
        ]
        for group in groups
        if len(group.get("cosines", ())) > 1
    }


def _ends(record: Mapping[str, Any], group: Mapping[str, Any], direction: str) -> list[str]:
    """The other end of each of a group's edges; its number within the group where the space does not tell."""
    space = SPACES.get(record["genotype"]["space"])
    size = len(group["cosines"])
    groups = dict(space.topology.groups(direction)) if space else {}  # type: ignore[arg-type]
    rows = groups.get(group["node"], ())
    if space is None or len(rows) != size:
        return [f"edge {i}" for i in range(size)]
    return [str(space.topology.edges[row][0 if direction == "in" else 1]) for row in rows]


def _figure(
    group: Mapping[str, Any],
    epochs: Sequence[list[Values] | None],
    ends: list[str],
    direction: str,
    size: float,
) -> Figure:
    """The matrix of the last epoch, until the slider moves."""
    title = f"{'Into' if direction == 'in' else 'Out of'} {group['node']}"
    word = "from" if direction == "in" else "to"
    figure = heatmap(
        key_of(group),
        title,
        epochs[-1] or [[None] * len(ends) for _ in ends],
        rows=ends,
        columns=ends,
        scale="@diverging",
        limits=(-size, size),
        summary=f"Cosines between the alpha gradients of the edges of a group: {group_name(group, direction)}",
        hover="cosine",
    )
    trace = figure.data[0]
    del trace["customdata"]
    trace |= {
        "hovertemplate": f"edges {word} %{{y}} and {word} %{{x}}<br>cosine %{{z:.3f}}<extra></extra>",
        "texttemplate": "%{z:.2f}",
        "textfont": {"size": 10},
        "showscale": False,
    }
    figure.layout["xaxis"] |= {"tickangle": 0, "title": {"text": f"edge {word}"}}
    figure.layout["yaxis"] |= {"title": {"text": f"edge {word}"}}
    return replace(figure, height=HEIGHT)
