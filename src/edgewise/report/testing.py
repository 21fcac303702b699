"""Pictures of the test: confusion matrices and the accuracy of each class."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from edgewise.report.figures import Figure, Values, heatmap, named_axis, plot_text, rounded
from edgewise.report.names import short_names
from edgewise.report.record import RunRecord
from edgewise.report.tables import class_names

# Above this many classes, counts would not fit into their squares.
MOST_WITH_COUNTS = 20
SYMBOLS = {
    **{
        "found": "circle",
        "random": "diamond-open",
        "random-search": "cross-open",
        "hand": "x-thin",
        "inverted": "triangle-up-open",
    },
    "resnet8": "star-open",
}


def confusion_figures(record: RunRecord) -> list[Figure]:
    """A confusion matrix for each tested network; colours are shares of the true class."""
    return [_confusion(record, name, entry) for name, entry in record.results.items()]


def _confusion(record: RunRecord, network: str, entry: Mapping[str, Any]) -> Figure:
    counts, short = entry["confusion"], short_names(record.run)
    classes = len(counts)
    names = class_names(record, classes)
    few = classes <= MOST_WITH_COUNTS
    right = sum(row[i] for i, row in enumerate(counts))
    figure = heatmap(
        f"confusion-{network}",
        f"Confusion matrix, {short.get(network, network)}",
        [[rounded(n / sum(row), 3) if sum(row) else None for n in row] for row in counts],
        rows=names,
        columns=names,
        scale="@readable" if few else "@sequential",
        limits=(0.0, 1.0),
        summary=f"Confusion matrix of the {short.get(network, network)} network, {classes} classes: rows are true "
        f"classes, columns predicted ones; {right} images are right",
        hover="share",
    )
    trace = figure.data[0]
    # The names once in the page's data, not once for each of the matrix's squares.
    del trace["customdata"]
    trace |= {
        "text": counts,
        "hovertemplate": "true %{y}<br>predicted %{x}<br>%{text} images, %{z:.1%} of the class<extra></extra>",
        "showscale": False,
    }
    trace |= {"texttemplate": "%{text}", "textfont": {"size": 11}} if few else {"xgap": 0, "ygap": 0}
    _name_classes(figure.layout, few=few, short=max(len(name) for name in names) <= 3)
    if few:
        return replace(figure, height=max(320, 34 * classes + 140), min_width=30 * classes + 60)
    side = 11 * classes + 140
    return replace(figure, height=side, min_width=side, max_height=760)


def _name_classes(layout: dict[str, Any], *, few: bool, short: bool) -> None:
    """Sets the axes of a confusion matrix."""
    layout["xaxis"] |= {"title": {"text": "predicted"}, "tickangle": -90 if not few else 0 if short else -40}
    layout["yaxis"] |= {"title": {"text": "true"}}
    if not few:
        # A matrix that scrolls shows its upper axis first.
        layout["xaxis"]["side"] = "top"
    for axis in (layout["xaxis"], layout["yaxis"]):
        axis["tickfont"] = {"size": 12 if few else 9}


def per_class_figure(record: RunRecord) -> Figure | None:
    """The accuracy of each class, a mark for each network; the first network's hardest class on top."""
    if not record.results:
        return None
    first, short = next(iter(record.results.values()))["per_class"], short_names(record.run)
    names = class_names(record, len(first))
    by_accuracy = sorted(range(len(first)), key=lambda i: (first[i] is None, first[i] or 0.0, i))
    labels = [plot_text(names[i]) for i in by_accuracy]
    data = [
        _marks(name, short.get(name, name), [entry["per_class"][i] for i in by_accuracy], labels)
        for name, entry in record.results.items()
    ]
    few = len(labels) <= MOST_WITH_COUNTS
    row = 34 if few else 20
    layout: dict[str, Any] = {
        "xaxis": {"tickformat": ".0%", "title": {"text": "accuracy"}, "zeroline": False},
        "yaxis": {**named_axis(labels, start=0), "range": [len(labels) - 0.5, -0.5], "showgrid": True},
        "showlegend": len(data) > 1,
    }
    if not few:
        # A long picture scrolls: its axis belongs where the reader begins, the legend above it.
        layout["xaxis"] = {"tickformat": ".0%", "side": "top", "zeroline": False}
        layout["legend"] = {"orientation": "h", "x": 0, "y": 1 + 30 / (row * len(labels)), "yanchor": "bottom"}
    summary = f"Accuracy of each of {len(labels)} classes, hardest first: {names[by_accuracy[0]]}"
    height = row * len(labels) + 110
    return Figure("per-class", "Accuracy of each class", summary, data, layout, height=height, max_height=640)


def _marks(network: str, called: str, accuracies: Values, labels: list[str]) -> dict[str, Any]:
    colour = f"@{network if network in SYMBOLS else 'arch'}"
    return {
        "type": "scatter",
        "mode": "markers",
        "name": plot_text(called),
        "x": list(accuracies),
        "y": list(range(len(labels))),
        "marker": {
            "symbol": SYMBOLS.get(network, "square-open"),
            "size": 9,
            "color": colour,
            "line": {"width": 2, "color": colour},
        },
        "customdata": labels,
        "hovertemplate": "%{customdata}: %{x:.2%}",
    }
