"""The table at the end of a run."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from edgewise.budget import FIGURES, TITLES, figures_of, show_used
from edgewise.report import NAMES, place_on_front, ranked, title_of_candidate
from edgewise.report.numbers import interval


def summary_columns(results: Mapping[str, Mapping[str, Any]]) -> tuple[str, ...]:
    """The heads of the table.

    Args:
        results: the content of results.json; figures that no network has get no column.
    """
    known = (TITLES[name] for name in _known(results))
    return ("network", "C x cells", *known, "test accuracy", "95 %", "training")


def summary_rows(
    results: Mapping[str, Mapping[str, Any]], names: Mapping[str, str] = NAMES
) -> list[tuple[str, ...]]:
    """One row a trained network: its size, what it needs and the share of each limit, accuracy, seconds.

    Args:
        results: the content of results.json.
        names: what the run's networks are called, see `network_names`.
    """
    rows = []
    for name, entry in results.items():
        low, high = interval(entry["top1"], entry["test_images"])
        rows.append(
            (
                names.get(name, name),
                _size(entry),
                *(_figure(figure, entry) for figure in _known(results)),
                f"{entry['top1']:.2%} of {entry['test_images']}",
                f"{100 * low:.1f}-{100 * high:.1f}",
                f"{entry['train_seconds']:,.0f} s" if "train_seconds" in entry else "-",
            )
        )
    return rows


SELECTION_COLUMNS = (
    *("place", "candidate", "C x cells", "parameters", "multiply-adds", "epochs", "training loss"),
    *("accuracy (arch split)", "seconds"),
)


def selection_rows(selection: Mapping[str, Any]) -> list[tuple[str, ...]]:
    """One row a candidate of a finished selection, the best first.

    Args:
        selection: the content of selection.json.
    """
    rows = []
    for place, entry in enumerate(ranked(selection), 1):
        name = entry["name"]
        figures = selection["figures"].get(name, {})
        diverged = selection["out"].get(name, {}).get("place", 1) is None
        rows.append(
            (
                "diverged" if diverged else str(place),
                title_of_candidate(entry),
                _size(entry),
                f"{entry['params']:,}",
                f"{entry['macs']:,}",
                str(selection["epochs"][name]),
                f"{figures['loss']:.4f}" if "loss" in figures else "-",
                f"{figures['accuracy']:.2%}" if "accuracy" in figures else "-",
                f"{selection['seconds'].get(name, 0.0):,.1f} s",
            )
        )
    return rows


def front_columns(front: Mapping[str, Any]) -> tuple[str, ...]:
    """The heads of the table of several budgets.

    Args:
        front: the content of front.json.
    """
    return ("budget", *summary_columns(_found_of(front))[:-1], "front")


def front_rows(front: Mapping[str, Any]) -> list[tuple[str, ...]]:
    """One row for the chosen network of each budget, with what it is called for `--pick`.

    Args:
        front: the content of front.json.
    """
    found = _found_of(front)
    names = {end["name"]: title_of_candidate(end["won"]) for end in front["budgets"] if "won" in end}
    rows = {row[0]: row for row in summary_rows(found, {})}
    table = []
    for end in front["budgets"]:
        name = end["name"]
        if name not in rows:
            said = end.get("unfit") or "no network was trained"
            table.append((name, said, *[""] * (len(front_columns(front)) - 2)))
            continue
        place = place_on_front(front, name)
        table.append((name, names.get(name, "the search's cells"), *rows[name][1:-1], place))
    return table


def _found_of(front: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    """The chosen network of each budget that has one."""
    ends = ((end["name"], end.get("networks", {}).get("found")) for end in front["budgets"])
    return {name: found for name, found in ends if found is not None}


def _known(results: Mapping[str, Mapping[str, Any]]) -> list[str]:
    there = {figure for entry in results.values() for figure in figures_of(entry)}
    return [figure for figure in FIGURES if figure in there]


def _size(entry: Mapping[str, Any]) -> str:
    if "channels" not in entry:
        return "-"
    return f"{entry['channels']} x {entry['layers']}{' a stage' if entry.get('genotype', entry) is None else ''}"


def _figure(figure: str, entry: Mapping[str, Any]) -> str:
    figures = figures_of(entry)
    return show_used(figure, figures[figure], entry.get("used", {}), digits=0) if figure in figures else "-"
