"""Conflicts between the alpha gradients of edges that share a node, over the epochs of a search."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from edgewise.report.figures import Axis, Figure, Series, Values, heatmap, lines, rounded
from edgewise.report.tables import short_cell_name

Search = Sequence[Mapping[str, Any]]
WHAT = {"conflict_rate": "conflict rate", "cosine": "mean cosine"}
AXES = {
    "conflict_rate": Axis("conflict rate", ".2%", {"tickformat": ".0%", "rangemode": "tozero"}),
    "cosine": Axis("mean cosine", ".4f"),
}


def conflict_state(search: Search) -> Mapping[str, Any] | None:
    """The newest epoch's conflicts; None where none were measured."""
    measured = [record["conflicts"] for record in search if record["conflicts"]]
    return measured[-1] if measured else None


def conflict_means(search: Search) -> list[Figure]:
    """Conflict rate and mean cosine over the epochs, before and after projection: means over the groups."""
    state = conflict_state(search)
    if state is None:
        return []
    epochs = [record["epoch"] for record in search]
    figures = []
    for measure, name in WHAT.items():
        series = [
            Series(
                f"{when} projection" if state["projected"] else "measured",
                colour,
                _means(search, f"{measure}_{when}"),
                dash,
            )
            for when, colour, dash in _moments(state)
        ]
        figures.append(
            lines(
                f"conflicts-{measure}", f"{name.capitalize()}, mean over the groups", epochs, series, AXES[measure]
            )
        )
    return figures


def conflict_maps(search: Search) -> list[Figure]:
    """Groups x epochs for conflict rate and mean cosine, before and after projection."""
    state = conflict_state(search)
    if state is None:
        return []
    figures = []
    for measure, name in WHAT.items():
        tables = {when: _by_group(search, state, f"{measure}_{when}") for when, *_ in _moments(state)}
        size = max((abs(v) for rows in tables.values() for row in rows for v in row if v is not None), default=0.0)
        size = size or 1.0
        for when, table in tables.items():
            title = f"{name.capitalize()} {when} projection" if state["projected"] else name.capitalize()
            figures.append(
                heatmap(
                    f"conflicts-{measure}-{when}",
                    title,
                    table,
                    rows=[group_name(group, state["direction"]) for group in state["groups"]],
                    columns=None,
                    scale="@sequential" if measure == "conflict_rate" else "@diverging",
                    limits=(0.0, size) if measure == "conflict_rate" else (-size, size),
                    summary=f"{title} of each group of edges, by epoch",
                    hover=name,
                )
            )
    return figures


def group_name(group: Mapping[str, Any], direction: str) -> str:
    """What a group is: the edges into or out of a node of a cell."""
    return f"{short_cell_name(group['cell'])}, {'into' if direction == 'in' else 'out of'} {group['node']}"


def _moments(state: Mapping[str, Any]) -> list[tuple[str, str, str]]:
    moments = [("before", "@arch", "solid"), ("after", "@weights", "dash")]
    # Without projection "after" repeats "before".
    return moments if state["projected"] else moments[:1]


def _by_group(search: Search, state: Mapping[str, Any], key: str) -> list[Values]:
    rows = []
    for wanted in state["groups"]:
        row: list[float | None] = []
        for record in search:
            groups = record["conflicts"]["groups"] if record["conflicts"] else []
            same = [g for g in groups if (g["cell"], g["node"]) == (wanted["cell"], wanted["node"])]
            row.append(rounded(same[0][key], 4) if same else None)
        rows.append(row)
    return rows


def _means(search: Search, key: str) -> Values:
    means: list[float | None] = []
    for record in search:
        values = [g[key] for g in record["conflicts"]["groups"]] if record["conflicts"] else []
        known = [value for value in values if value is not None]
        means.append(rounded(sum(known) / len(known)) if known else None)
    return means
