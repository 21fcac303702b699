"""What the networks of a run were allowed to need, what they need, and what accuracy that buys."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from edgewise.budget import TITLES, figures_of, show_figure, show_limits, show_used
from edgewise.report.figures import Figure, plot_text, rounded
from edgewise.report.names import network_names, short_names
from edgewise.report.numbers import interval, percent
from edgewise.report.record import RunRecord
from edgewise.report.tables import NARROW, Table

UNITS = {
    **{"params": "parameters", "macs": "multiply-adds", "size": "bytes of the exported file"},
    "latency_ms": "milliseconds for an image",
}
SYMBOLS = {
    **{
        "found": "circle",
        "searched": "pentagon",
        "random": "diamond",
        "random-search": "cross",
        "hand": "square",
        "inverted": "triangle-up",
    },
    "resnet8": "star",
}
_WIDE = 10
HEIGHT = 320


def budget_sentences(record: RunRecord) -> list[str]:
    """What the limits are, and how figures were measured; empty for a run without a budget."""
    budget = record.run.get("budget")
    if not budget:
        return []
    limits = show_limits(budget["limits"])
    device = f" ({budget['device']})" if budget.get("device") else ""
    whose = f"Each network is the largest of its kind within the limits{device}: {limits}."
    if budget.get("from") == "found":
        whose = f"No limit was stated: the others have about as many weights as the first network ({limits})."
    int8 = budget.get("int8")
    counted = "one byte a value (int8)" if int8 else "four bytes a value (float32)"
    size = "the exported float32 file’s, less three bytes a weight" if int8 else "the exported file’s"
    figures = (
        f"RAM is the peak of one image’s activations with {counted}, weights not counted; it is computed, as "
        f"parameters and multiply-adds are. Size is {size}; latency is measured on this machine with "
        f"onnxruntime{_runs(record)}."
    )
    return [whose, figures] if limits else [figures]


def _runs(record: RunRecord) -> str:
    latencies = [entry["latency"] for entry in record.results.values() if entry.get("latency")]
    if not latencies:
        return ""
    runs, threads = latencies[0].get("n", "?"), latencies[0].get("threads", "?")
    return f" (median of {runs} runs, one image, {threads} thread{'' if threads == 1 else 's'})"


def budget_table(record: RunRecord) -> Table | None:
    """Size, limits and used shares of each trained network; None for a run without a budget."""
    budget = record.run.get("budget")
    if not budget or not record.results:
        return None
    limits: Mapping[str, float] = budget.get("limits", {})
    names = network_names(record.run)
    heads = tuple(
        f"{title}, at most {show_figure(name, limits[name])}" if name in limits else title
        for name, title in TITLES.items()
    )
    rows = []
    for name, entry in record.results.items():
        figures = (_shown(entry, figure).replace(" ", NARROW) for figure in TITLES)
        rows.append((names.get(name, name), str(entry.get("channels", "–")), _depth(entry), *figures))
    caption = "Values in brackets are shares of the limit." if limits else "No limit was stated."
    return Table(caption, ("network", "channels", "cells", *heads), tuple(rows))


def _depth(entry: Mapping[str, Any]) -> str:
    """Cells, or blocks a stage of a hand-made network."""
    if "layers" not in entry:
        return "–"
    layers, hand_made = entry["layers"], entry.get("cells") is None
    return (
        f"{layers} {'block' if layers == 1 else 'blocks'} a stage".replace(" ", NARROW)
        if hand_made
        else str(layers)
    )


def _shown(entry: Mapping[str, Any], name: str) -> str:
    value = figures_of(entry).get(name)
    return "–" if value is None else show_used(name, value, entry.get("used", {}))


def budget_figures(record: RunRecord) -> list[Figure]:
    """Test accuracy against what it costs, a figure a cost; one that no network has is left out."""
    figures = [_scatter(record, name) for name in UNITS] if record.run.get("budget") else []
    return [figure for figure in figures if figure.data]


def _scatter(record: RunRecord, name: str) -> Figure:
    short, data, words = short_names(record.run), [], []
    values = [value for entry in record.results.values() if (value := figures_of(entry).get(name))]
    for network, entry in record.results.items():
        value = figures_of(entry).get(name)
        if not value:
            continue
        low, high = interval(entry["top1"], entry["test_images"])
        label, colour = short.get(network, network), f"@{network if network in SYMBOLS else 'arch'}"
        words.append(f"{label} {percent(entry['top1'])} at {show_figure(name, value)}")
        data.append(
            {
                "type": "scatter",
                "mode": "markers",
                "name": plot_text(label),
                "x": [value],
                "y": [entry["top1"]],
                "marker": {"color": colour, "size": 11, "symbol": SYMBOLS.get(network, "circle")},
                "error_y": {
                    **{"type": "data", "symmetric": False, "color": colour, "thickness": 1.2, "width": 4},
                    "array": [rounded(high - entry["top1"])],
                    "arrayminus": [rounded(entry["top1"] - low)],
                },
                "hovertemplate": f"{plot_text(label)}<br>%{{y:.2%}}<br>{show_figure(name, value)}<extra></extra>",
            }
        )
    log = bool(values) and max(values) > _WIDE * min(values)
    across = {"type": "log", "dtick": 1} if log else {"rangemode": "tozero", "nticks": 6}
    layout = {
        "xaxis": {"title": {"text": UNITS[name]}, "tickformat": "~s" if name != "latency_ms" else "~g", **across},
        "yaxis": {"title": {"text": "test accuracy"}, "tickformat": ".0%"},
        "hovermode": "closest",
        "showlegend": True,
    }
    title = f"Test accuracy and {TITLES[name]}"
    return Figure(f"cost-{name}", title, f"{title}: {'; '.join(words)}", data, layout, HEIGHT)
