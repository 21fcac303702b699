"""Plotly figures as plain data; colours are names ("@found") that the page's script looks up, light or dark."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from html import escape
from typing import Any

Values = Sequence[float | None]
LINE_HEIGHT = 280
ROW_HEIGHT = 20
LONGEST_NAME = 24
_SQUARES: dict[str, Any] = {
    "type": "heatmap",
    "xgap": 1,
    "ygap": 1,
    "hoverongaps": False,
    "colorbar": {"thickness": 10, "outlinewidth": 0, "tickfont": {"size": 11}, "xpad": 6},
}


@dataclass(frozen=True)
class Figure:
    """One plot of the page.

    Args:
        key: its name in the page's data.
        title: its heading.
        summary: what it shows, for readers who can't see it.
        data: plotly's traces.
        layout: plotly's layout, without what all figures share.
        height: in pixels.
        min_width: in pixels; on a narrower page the plot scrolls in its box.
        max_height: in pixels; a taller plot scrolls in its box. None for no limit.
    """

    key: str
    title: str
    summary: str
    data: list[dict[str, Any]]
    layout: dict[str, Any]
    height: int = LINE_HEIGHT
    min_width: int = 0
    max_height: int | None = None


@dataclass(frozen=True)
class Series:
    """One line of a figure: its name, colour and values over epochs."""

    name: str
    colour: str
    values: Values
    dash: str = "solid"


def plot_text(text: str) -> str:
    """A name as plotly prints it letter by letter: it would read tags, entities and line breaks otherwise."""
    flat = " ".join(text.split())
    short = flat if len(flat) <= LONGEST_NAME else flat[: LONGEST_NAME - 1] + "…"
    return escape(short, quote=False)


@dataclass(frozen=True)
class Axis:
    """A y axis of curves: what it measures, the d3 format of its values, further settings of plotly's."""

    title: str
    form: str = ".4~g"
    settings: Mapping[str, Any] = field(default_factory=dict)


def lines(key: str, title: str, epochs: Sequence[int], series: Sequence[Series], axis: Axis) -> Figure:
    """Curves over epochs.

    Args:
        key: see `Figure`.
        title: see `Figure`.
        epochs: epoch numbers as the trace counts them, from 0; people count from 1.
        series: the curves; one without any value is left out.
        axis: the y axis.
    """
    shown = [entry for entry in series if any(value is not None for value in entry.values)]
    data = [
        {
            "type": "scatter",
            "mode": "lines+markers" if len(epochs) <= 30 else "lines",
            "name": plot_text(entry.name),
            "x": [epoch + 1 for epoch in epochs][: len(entry.values)],
            "y": list(entry.values),
            "line": {"color": entry.colour, "width": 2, "dash": entry.dash},
            "marker": {"color": entry.colour, "size": 5},
            "hovertemplate": f"%{{y:{axis.form}}}",
        }
        for entry in shown
    ]
    layout = {
        "xaxis": epoch_axis(len(epochs)),
        "yaxis": {"title": {"text": axis.title}, "automargin": True, **axis.settings},
        "hovermode": "x unified",
        "showlegend": len(shown) > 1,
    }
    summary = f"{title} over {len(epochs)} epochs: {'; '.join(_ends(entry) for entry in shown)}"
    return Figure(key, title, summary, data, layout)


def epoch_axis(epochs: int, most: int = 10) -> dict[str, Any]:
    """An x axis of whole epochs, counted from 1, with at most so many numbers."""
    step = next(step for step in (1, 2, 5, 10, 20, 50, 100, 200, 500, epochs) if epochs / step <= most)
    return {"title": {"text": "epoch"}, "tick0": step if step > 1 else 1, "dtick": step, "zeroline": False}


def log_axis(title: str, series: Sequence[Series]) -> Axis:
    """A logarithmic y axis with numbers at 1, 2 and 5, or at powers of ten where there are many of these."""
    values = [value for entry in series for value in entry.values if value]
    wide = bool(values) and max(values) > 1000 * min(values)
    return Axis(title, settings={"type": "log", "tickformat": "~g", "dtick": 1 if wide else "D2"})


def _ends(entry: Series) -> str:
    known = [value for value in entry.values if value is not None]
    return f"{entry.name} from {known[0]:.4g} to {known[-1]:.4g}"


def heatmap(
    key: str,
    title: str,
    z: Sequence[Values],
    *,
    rows: Sequence[str],
    columns: Sequence[str] | None,
    scale: str,
    limits: tuple[float, float],
    summary: str,
    hover: str,
) -> Figure:
    """A table of numbers as colours, first row on top.

    Args:
        key, title, summary: see `Figure`.
        z: rows of numbers; None stays empty.
        rows, columns: their names; None for columns that are epochs.
        scale: "@sequential", "@readable" (for squares with text) or "@diverging".
        limits: the numbers at the ends of the colour scale.
        hover: what a number is.
    """
    names = [plot_text(name) for name in columns or [f"epoch {i + 1}" for i in range(len(z[0]))]]
    row_names, (low, high) = [plot_text(name) for name in rows], limits
    trace = {
        **_SQUARES,
        "z": [list(row) for row in z],
        "x": list(range(1, len(names) + 1)),
        "y": list(range(len(rows))),
        **{"zmin": low, "zmax": high, "colorscale": scale},
        "customdata": [[[row, name] for name in names] for row in row_names],
        "hovertemplate": f"%{{customdata[0]}}, %{{customdata[1]}}<br>{hover} %{{z:.3f}}<extra></extra>",
    }
    across = epoch_axis(len(names)) if columns is None else named_axis(names, start=1, angle=-40)
    down = {**named_axis(row_names, start=0), "range": [len(rows) - 0.5, -0.5]}
    layout = {"xaxis": across | {"showgrid": False, "range": [0.5, len(names) + 0.5]}, "yaxis": down}
    height = max(180, ROW_HEIGHT * len(rows) + (90 if columns is None else 130))
    return Figure(key, title, summary, [trace], layout, height)


def named_axis(names: Sequence[str], *, start: int, angle: int = 0) -> dict[str, Any]:
    """An axis of names at whole numbers: names that look like numbers or occur twice stay as they are."""
    return {
        "tickmode": "array",
        "tickvals": list(range(start, start + len(names))),
        "ticktext": list(names),
        "tickangle": angle,
        "automargin": True,
        "showgrid": False,
        "zeroline": False,
        "ticks": "",
    }


def rounded(value: float | None, digits: int = 5) -> float | None:
    """A number for a picture: no more digits than can be seen keep the page small."""
    return None if value is None else float(f"{value:.{digits}g}")
