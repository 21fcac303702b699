"""The section Budgets: one search, a network for each budget, and what accuracy costs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from edgewise.budget import TITLES, figures_of, show_figure, show_limits, show_used
from edgewise.report.budget import SYMBOLS, UNITS
from edgewise.report.figures import Figure, plot_text, rounded
from edgewise.report.names import NAMES, SHORT, title_of_candidate
from edgewise.report.numbers import count, interval, percent
from edgewise.report.record import RunRecord
from edgewise.report.tables import NARROW, Table

HEIGHT = 380
_WIDE = 10


def _networks(front: Mapping[str, Any]) -> Iterator[tuple[Mapping[str, Any], str, Mapping[str, Any]]]:
    """Every trained network with its budget."""
    for end in front["budgets"]:
        for name, entry in end.get("networks", {}).items():
            yield end, name, entry


def front_sentences(record: RunRecord) -> list[str]:
    """What the networks share, and which of them to take; empty without several budgets."""
    front = record.front
    if not front:
        return []
    cost = TITLES[front["cost"]]
    said = [
        "One search; for each budget, its own selection, training and test. A network is on the front if no other "
        f"that needs as much or less ({cost}) has a higher test accuracy; which of them differ by more than their "
        "intervals is to be read off the table."
    ]
    if front["knee"] is not None:
        said.append(
            f"The knee is {front['knee']}: behind it, accuracy costs most. edgewise export {record.path.name} "
            "--pick knee takes it, --pick NAME another."
        )
    said += [f"Budget {end['name']} is left out: {end['unfit']}" for end in front["budgets"] if "unfit" in end]
    return said


def front_table(record: RunRecord) -> Table | None:
    """One row a network, budget by budget; None without several budgets."""
    front = record.front
    if not front:
        return None
    rows = []
    for end, name, entry in _networks(front):
        low, high = interval(entry["top1"], entry["test_images"])
        used, figures = entry.get("used", {}), figures_of(entry)
        rows.append(
            (
                end["name"],
                _name(end, name),
                percent(entry["top1"]),
                f"{percent(low)} to {percent(high)}",
                count(entry["test_images"]),
                *(
                    show_used(figure, figures[figure], used).replace(" ", NARROW) if figure in figures else "–"
                    for figure in TITLES
                ),
                place_on_front(front, end["name"]) if name == "found" else "",
            )
        )
    heads = ("budget", "network", "test accuracy", "95 % interval", "test images", *TITLES.values(), "front")
    limits = "; ".join(f"{end['name']}: {show_limits(end['limits'])}" for end in front["budgets"])
    return Table(f"Limits: {limits}. Values in brackets are shares of the limit.", heads, tuple(rows))


def _name(end: Mapping[str, Any], network: str) -> str:
    if network != "found":
        return NAMES.get(network, network)
    return f"chosen: {title_of_candidate(end['won'])}" if "won" in end else NAMES["found"]


def place_on_front(front: Mapping[str, Any], name: str) -> str:
    """Whether a budget's network is the knee, on the front, or beaten.

    Args:
        front: the content of front.json.
        name: of the budget.
    """
    return "knee" if name == front["knee"] else "on it" if name in front["front"] else "beaten"


def front_links(record: RunRecord) -> list[tuple[str, str]]:
    """Name and address, relative to this page, of the report of each budget."""
    ends = record.front["budgets"] if record.front else ()
    return [(end["name"], f"budgets/{end['name']}/report.html") for end in ends if "unfit" not in end]


def front_figures(record: RunRecord) -> list[Figure]:
    """Test accuracy of the networks of all budgets against what the budgets limit."""
    front = record.front
    if not front:
        return []
    cost = front["cost"]
    places: dict[str, list[tuple[float, Mapping[str, Any], str]]] = {}
    for end, name, entry in _networks(front):
        if cost in figures_of(entry):
            places.setdefault(name, []).append((figures_of(entry)[cost], entry, end["name"]))
    data, words = [], []
    for name, found in places.items():
        found.sort(key=lambda place: place[0])
        label = "chosen" if name == "found" else SHORT.get(name, name)
        bounds = [interval(entry["top1"], entry["test_images"]) for _, entry, _ in found]
        tops = [entry["top1"] for _, entry, _ in found]
        colour = f"@{name if name in SYMBOLS else 'arch'}"
        said = (f"{budget} {percent(top)}" for (_, _, budget), top in zip(found, tops, strict=True))
        words.append(f"{label}: {', '.join(said)}")
        data.append(
            {
                "type": "scatter",
                "mode": "lines+markers" if name == "found" else "markers",
                "name": plot_text(label),
                "x": [value for value, _, _ in found],
                "y": tops,
                "line": {"color": colour, "width": 2},
                "marker": {"color": colour, "size": 10, "symbol": SYMBOLS.get(name, "circle")},
                "error_y": {
                    **{"type": "data", "symmetric": False, "color": colour, "thickness": 1.2, "width": 4},
                    "array": [rounded(high - top) for (_, high), top in zip(bounds, tops, strict=True)],
                    "arrayminus": [rounded(top - low) for (low, _), top in zip(bounds, tops, strict=True)],
                },
                "text": [plot_text(f"{budget}, {show_figure(cost, value)}") for value, _, budget in found],
                "hovertemplate": f"{plot_text(label)}<br>%{{text}}<br>%{{y:.2%}}<extra></extra>",
            }
        )
    if not data:
        return []
    values = [value for found in places.values() for value, _, _ in found]
    across = {"type": "log"} if max(values) > _WIDE * min(values) else {"rangemode": "tozero", "nticks": 6}
    layout = {
        "xaxis": {"title": {"text": UNITS.get(cost, TITLES[cost])}, "tickformat": "~s", **across},
        "yaxis": {"title": {"text": "test accuracy"}, "tickformat": ".0%"},
        "hovermode": "closest",
        "showlegend": True,
    }
    title = f"Test accuracy and {TITLES[cost]}"
    return [Figure("front", title, f"{title}, by budget: {'; '.join(words)}", data, layout, HEIGHT)]
