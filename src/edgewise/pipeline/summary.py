"""The table at the end of a run."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from edgewise.report import NAMES
from edgewise.spaces import cell_name, describe_cell


def summary_columns(results: dict[str, dict[str, Any]]) -> tuple[str, ...]:
    """The heads of the table: one for each cell type of the trained networks.

    Args:
        results: the content of results.json.
    """
    return ("network", *map(cell_name, _cell_types(results)), "parameters", "multiply-adds", "test accuracy")


def summary_rows(results: dict[str, dict[str, Any]], names: Mapping[str, str] = NAMES) -> list[tuple[str, ...]]:
    """One row a trained network: cells, parameters, multiply-adds, test accuracy.

    Args:
        results: the content of results.json.
        names: what the run's networks are called, see `network_names`.
    """
    rows = []
    for name, entry in results.items():
        cells = entry["cells"] or {}
        rows.append(
            (
                names.get(name, name),
                *(describe_cell(cells[cell]) if cell in cells else "-" for cell in _cell_types(results)),
                f"{entry['params']:,}",
                f"{entry['macs'] / 1e6:,.2f} M",
                f"{entry['top1']:.2%} of {entry['test_images']}",
            )
        )
    return rows


def _cell_types(results: dict[str, dict[str, Any]]) -> list[str]:
    return list(dict.fromkeys(cell for entry in results.values() for cell in entry["cells"] or {}))
