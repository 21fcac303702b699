"""What a search measured about itself, over its epochs: eigenvalue, shares, counts, gap, weight decay, stages."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from edgewise.report.curves import ACCURACY
from edgewise.report.figures import Axis, Figure, Series, Values, epoch_axis, lines, log_axis, rounded
from edgewise.report.tables import Table, cell_title, short_cell_name

Search = Sequence[Mapping[str, Any]]
KINDS = {"parametrised": "solid", "pool": "dot", "skip": "dash", "none": "dashdot"}
COUNTS = {
    "depth": ("Depth", "edges on the longest path", 1),
    "width": ("Width", "nodes that hear an input", 1),
    "skips": ("Skips", "skip connections", 2),
    "pools": ("Pools", "pools", 2),
}
CELL_COLOURS = (("@weights", "solid"), ("@arch", "dash"), ("@beta", "dot"))
SYMBOLS = {"stop": "square", "roll back": "triangle-left"}
EIGENVALUE = Axis("largest eigenvalue")
SWITCHES = {
    "hessian": ("the largest eigenvalue of the architecture Hessian", "diagnostics.hessian_every=2"),
    "gap": ("the discretisation gap", "diagnostics.gap_every=2"),
}


def eigenvalue_figures(search: Search) -> list[Figure]:
    """The largest eigenvalue of the architecture Hessian, decisions marked; empty where it was not measured."""
    values = _inner(search, "hessian", "eigenvalue")
    if all(value is None for value in values):
        return []
    series = [Series("eigenvalue", "@weights", values)]
    figure = lines(
        "eigenvalue", "Largest eigenvalue of the architecture Hessian", _epochs(search), series, EIGENVALUE
    )
    figure.data[0]["connectgaps"] = True
    for action, symbol in SYMBOLS.items():
        at = [i for i, record in enumerate(search) if (record.get("decision") or {}).get("action") == action]
        if at:
            figure.layout["showlegend"] = True
            figure.data.append(
                {
                    "type": "scatter",
                    "mode": "markers",
                    "name": action,
                    "x": [search[i]["epoch"] + 1 for i in at],
                    "y": [values[i] for i in at],
                    "marker": {"color": "@mark", "size": 12, "symbol": symbol},
                    "hovertemplate": action,
                }
            )
    return [figure]


def decisions(search: Search) -> list[str]:
    """A sentence for each decision of the stop rule."""
    sentences = []
    for i, record in enumerate(search):
        decision = record.get("decision")
        if decision is None:
            continue
        target = search[taken(search, i)]["epoch"] + 1
        if decision["action"] == "stop":
            sentences.append(f"Epoch {record['epoch'] + 1}: stopped; the cells are those of epoch {target}.")
            continue
        decay = [r["weight_decay"] for r in search[i : i + 2] if "weight_decay" in r]
        raised = f", with weight decay {decay[1]:.4g} in place of {decay[0]:.4g}" if len(decay) == 2 else ""
        sentences.append(f"Epoch {record['epoch'] + 1}: rolled back to the end of epoch {target}{raised}.")
    return sentences


def taken(search: Search, row: int) -> int:
    """The row of the trace that the decision in a row went back to."""
    wanted = search[row]["decision"]["epoch"]
    rows = [i for i, record in enumerate(search[: row + 1]) if _scheduled(record) == wanted]
    return rows[-1] if rows else row


def epochs_done(search: Search) -> int:
    """How many epochs of its schedule a search has behind it: what was rolled back does not count."""
    last = search[-1]
    decision = last.get("decision")
    if decision is not None and decision["action"] == "roll back":
        return decision["epoch"] + 1
    return _scheduled(last) + 1


def stopped(search: Search) -> bool:
    """Whether a rule ended the search."""
    decision = search[-1].get("decision") if search else None
    return decision is not None and decision["action"] == "stop"


def _scheduled(record: Mapping[str, Any]) -> int:
    return record.get("schedule_epoch", record["epoch"])


def share_figures(search: Search) -> list[Figure]:
    """Shares of the mixture by kind of primitive, stacked, a figure a cell type; empty where none are recorded."""
    if not search or "shares" not in search[-1]:
        return []
    figures = []
    for cell in search[-1]["shares"]:
        series = [
            Series(kind, f"@{kind}", [_share(record, cell, kind) for record in search], dash)
            for kind, dash in KINDS.items()
            if any(_share(record, cell, kind) for record in search)
        ]
        title = f"Shares of the mixture, {cell_title(cell).lower()}"
        axis = Axis("share", ".1%", {"tickformat": ".0%", "range": [0, 1]})
        figure = lines(f"shares-{cell}", title, _epochs(search), series, axis)
        for trace in figure.data:
            trace["stackgroup"] = "shares"
        figure.layout["showlegend"] = True
        figures.append(figure)
    return figures


def _share(record: Mapping[str, Any], cell: str, kind: str) -> float | None:
    return rounded(record["shares"][cell][kind], 4) if "shares" in record else None


def count_figures(search: Search) -> list[Figure]:
    """Depth, width, skips and pools of the cells that would be derived, by cell type."""
    if not search:
        return []
    figures = []
    for key, (title, unit, step) in COUNTS.items():
        if key not in search[-1]:
            continue
        series = [
            Series(short_cell_name(cell), colour, [record.get(key, {}).get(cell) for record in search], dash)
            for cell, (colour, dash) in zip(search[-1][key], CELL_COLOURS, strict=False)
        ]
        axis = Axis(unit, "d", {"rangemode": "tozero", "dtick": step})
        figure = lines(f"count-{key}", f"{title} of the derived cells", _epochs(search), series, axis)
        figure.layout["xaxis"] = epoch_axis(len(search), most=6)
        for trace in figure.data:
            trace["line"]["shape"] = "hv"
        figures.append(figure)
    return figures


def gap_figures(search: Search) -> list[Figure]:
    """Accuracy of the supernet with its mixture and with the derived choice; empty where it was not measured."""
    series = [
        Series("mixture", "@weights", _inner(search, "gap", "mixture")),
        Series("derived choice", "@arch", _inner(search, "gap", "derived"), "dash"),
    ]
    if all(value is None for value in series[0].values):
        return []
    axis = Axis("accuracy, arch split", ACCURACY.form, ACCURACY.settings)
    figure = lines("gap", "Discretisation gap of the supernet", _epochs(search), series, axis)
    for trace in figure.data:
        trace["connectgaps"] = True
    return [figure]


def weight_decay_figures(search: Search) -> list[Figure]:
    """The weight decay of the weights, where it changes."""
    values = [rounded(record.get("weight_decay")) for record in search]
    known = {value for value in values if value is not None}
    if len(known) < 2:
        return []
    series = [Series("weight decay", "@weights", values)]
    axis = log_axis("weight decay", series) if min(known) > 0 else Axis("weight decay")
    figure = lines("weight-decay", "Weight decay", _epochs(search), series, axis)
    figure.data[0]["line"]["shape"] = "hv"
    return [figure]


def stages_table(search: Search) -> Table | None:
    """Epochs, supernet and primitives of each stage; None for a search without stages."""
    stages = list(dict.fromkeys(record["stage"] for record in search if "stage" in record))
    if len(stages) < 2:
        return None
    rows = []
    for stage in stages:
        own = [record for record in search if record.get("stage") == stage]
        kept = [_kept(own[-1], cell) for cell in own[-1]["alpha"]]
        rows.append(
            (str(stage + 1), f"{own[0]['epoch'] + 1} to {own[-1]['epoch'] + 1}", str(own[-1]["layers"]), *kept)
        )
    heads = ("stage", "epochs", "cells of the supernet")
    return Table(
        "Every stage has a new supernet and new alpha; edges keep the strongest primitives of the stage before.",
        (*heads, *(f"primitives an edge, {short_cell_name(cell)}" for cell in search[-1]["alpha"])),
        tuple(rows),
    )


def _kept(record: Mapping[str, Any], cell: str) -> str:
    if "mixture" not in record:
        return "–"
    counts = [sum(value > 0 for value in row) for row in record["mixture"][cell]]
    return str(counts[0]) if len(set(counts)) == 1 else f"{min(counts)} to {max(counts)}"


def frozen_epochs(search: Search) -> str:
    """The epochs without arch steps, in words; empty where there are none."""
    frozen = [i for i, record in enumerate(search) if not record["arch_steps"]]
    if not frozen:
        return ""
    if frozen == list(range(len(frozen))):
        return "the first epoch" if len(frozen) == 1 else f"the first {len(frozen)} epochs"
    starts = [i for i in frozen if i - 1 not in frozen]
    ends = [i for i in frozen if i + 1 not in frozen]
    spans = [str(a + 1) if a == b else f"{a + 1} to {b + 1}" for a, b in zip(starts, ends, strict=True)]
    return f"epochs {', '.join(spans[:-1])} and {spans[-1]}" if len(spans) > 1 else f"epochs {spans[0]}"


def unmeasured(search: Search) -> list[tuple[str, str]]:
    """What this search did not measure, and the setting that switches it on."""
    return [switch for key, switch in SWITCHES.items() if search and not any(record.get(key) for record in search)]


def _inner(search: Search, key: str, name: str) -> Values:
    return [rounded(record[key][name]) if record.get(key) else None for record in search]


def _epochs(search: Search) -> list[int]:
    return [record["epoch"] for record in search]
