"""Alpha and beta over the epochs of a search."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import exp
from typing import Any

from edgewise.report.figures import Figure, heatmap, rounded
from edgewise.spaces import SPACES, cell_name

Search = Sequence[Mapping[str, Any]]


def softmax(values: Sequence[float]) -> list[float]:
    """The softmax of some numbers."""
    top = max(values)
    powers = [exp(value - top) for value in values]
    return [power / sum(powers) for power in powers]


def edges_of(record: Mapping[str, Any], rows: int) -> list[tuple[int, int]] | None:
    """Source and target of each row of alpha; None where the space does not tell."""
    space = SPACES.get(record["genotype"]["space"])
    if space is None or len(space.topology.edges) != rows:
        return None
    return list(space.topology.edges)


def edge_names(record: Mapping[str, Any], rows: int) -> list[str]:
    """The names of alpha's rows, such as `0 → 2`."""
    edges = edges_of(record, rows)
    return [f"{s} → {t}" for s, t in edges] if edges else [f"edge {i}" for i in range(rows)]


def primitive_names(record: Mapping[str, Any], columns: int) -> list[str]:
    """The names of alpha's columns."""
    space = SPACES.get(record["genotype"]["space"])
    if space is None or len(space.primitives) != columns:
        return [f"primitive {i}" for i in range(columns)]
    return list(space.primitives)


def alpha_values(search: Search) -> dict[str, list[list[list[float | None]]]]:
    """The share of each primitive for each cell type: epochs x edges x primitives; None where it was dropped."""
    return {
        cell: [[[rounded(p or None, 4) for p in row] for row in mixture_rows(record, cell)] for record in search]
        for cell in search[0]["alpha"]
    }


def mixture_rows(record: Mapping[str, Any], cell: str) -> list[list[float]]:
    """The recorded mixture of a cell type; softmax of alpha in traces that do not record it."""
    if "mixture" in record:
        return record["mixture"][cell]
    return [softmax(row) for row in record["alpha"][cell]]


def chosen(record: Mapping[str, Any], genotype: Mapping[str, Any], cell: str) -> list[tuple[int, int]]:
    """Row and column of alpha for each edge of a derived cell; empty where the space does not tell."""
    alpha = record["alpha"][cell]
    edges = edges_of(record, len(alpha))
    primitives = primitive_names(record, len(alpha[0]))
    if edges is None or cell not in genotype["cells"]:
        return []
    return [
        (edges.index((edge["source"], edge["target"])), primitives.index(edge["primitive"]))
        for edge in genotype["cells"][cell]["edges"]
        if (edge["source"], edge["target"]) in edges and edge["primitive"] in primitives
    ]


def alpha_figures(search: Search) -> list[Figure]:
    """Per cell type, edges x primitives of one epoch (the last until the slider moves), chosen ones marked."""
    if not search:
        return []
    values, last = alpha_values(search), search[-1]
    figures = []
    for cell, epochs in values.items():
        top = max(p or 0.0 for epoch in epochs for row in epoch for p in row)
        figure = heatmap(
            f"alpha-{cell}",
            f"Alpha, {cell_name(cell)}",
            epochs[-1],
            rows=edge_names(last, len(epochs[-1])),
            columns=primitive_names(last, len(epochs[-1][0])),
            scale="@readable",
            limits=(0.0, top),
            summary=f"Softmax of alpha for all edges and primitives, {cell_name(cell)}, at the chosen epoch",
            hover="share",
        )
        figure.data[0] |= {"texttemplate": "%{z:.2f}", "textfont": {"size": 10}}
        figure.layout["shapes"] = outlines(chosen(last, last["genotype"], cell))
        _cross_out(figure, dropped=has_dropped(values))
        figures.append(figure)
    return figures


def outlines(marks: Sequence[tuple[int, int]]) -> list[dict[str, Any]]:
    """A frame around each marked square of an alpha heat map, given row and column."""
    return [
        {
            "type": "rect",
            "x0": column + 0.5,
            "x1": column + 1.5,
            "y0": row - 0.5,
            "y1": row + 0.5,
            "line": {"color": "@mark", "width": 2.5},
        }
        for row, column in marks
    ]


def alpha_edge_figure(search: Search) -> Figure | None:
    """Primitives x epochs of one edge (the first, until another is chosen)."""
    if not search:
        return None
    values, last = alpha_values(search), search[-1]
    cell = next(iter(values))
    top = max(p or 0.0 for epochs in values.values() for epoch in epochs for row in epoch for p in row)
    figure = heatmap(
        "alpha-edge",
        "Alpha of one edge over the epochs",
        list(zip(*(epoch[0] for epoch in values[cell]), strict=True)),
        rows=primitive_names(last, len(values[cell][0][0])),
        columns=None,
        scale="@sequential",
        limits=(0.0, top),
        summary="Softmax of alpha over the epochs for the primitives of the chosen edge",
        hover="share",
    )
    _cross_out(figure, dropped=has_dropped(values))
    return figure


def has_dropped(values: Mapping[str, list[list[list[float | None]]]]) -> bool:
    """Whether any edge lacks a primitive at any epoch."""
    return any(p is None for epochs in values.values() for epoch in epochs for row in epoch for p in row)


def _cross_out(figure: Figure, *, dropped: bool) -> None:
    """Marks empty squares with crosses: no colour would tell "not there" from "a share of 0"."""
    if not dropped:
        return
    trace = figure.data[0]
    empty = [
        (x, y)
        for y, row in zip(trace["y"], trace["z"], strict=True)
        for x, p in zip(trace["x"], row, strict=True)
        if p is None
    ]
    figure.data.append(
        {
            "type": "scatter",
            "mode": "markers",
            "x": [x for x, _ in empty],
            "y": [y for _, y in empty],
            "marker": {"symbol": "x-thin", "size": 6, "line": {"width": 1, "color": "@absent"}},
            "hovertemplate": "not on this edge<extra></extra>",
            "showlegend": False,
        }
    )


def beta_figures(search: Search) -> list[Figure]:
    """For each cell type, edges x epochs: softmax of beta over the edges into a node; empty without beta."""
    if not search or search[-1]["beta"] is None:
        return []
    tables = {
        cell: [
            [rounded(value, 4) for value in values]
            for values in zip(*(beta_weights(record, cell) for record in search), strict=True)
        ]
        for cell in search[-1]["beta"]
    }
    top = max(value or 0.0 for table in tables.values() for values in table for value in values)
    return [
        heatmap(
            f"beta-{cell}",
            f"Beta, {cell_name(cell)}",
            table,
            rows=edge_names(search[-1], len(table)),
            columns=None,
            scale="@sequential",
            limits=(0.0, top),
            summary=f"Softmax of beta over the edges into each node of the {cell_name(cell)}, by epoch",
            hover="weight",
        )
        for cell, table in tables.items()
    ]


def beta_weights(record: Mapping[str, Any], cell: str) -> list[float]:
    """The weight of each edge: softmax of beta over the edges that share its target."""
    beta = record["beta"][cell]
    edges = edges_of(record, len(beta))
    targets = [target for _, target in edges] if edges else [0] * len(beta)
    weights = [0.0] * len(beta)
    for target in set(targets):
        rows = [row for row, other in enumerate(targets) if other == target]
        for row, weight in zip(rows, softmax([beta[row] for row in rows]), strict=True):
            weights[row] = weight
    return weights
