"""The table at the end of a run."""

from __future__ import annotations

from typing import Any

from edgewise.spaces import describe_cell

COLUMNS = ("network", "normal cell", "reduction cell", "parameters", "multiply-adds", "test accuracy")
NAMES = {"found": "found by the search", "random": "random cell, same space", "hand": "hand-made residual"}


def summary_rows(results: dict[str, dict[str, Any]]) -> list[tuple[str, ...]]:
    """One row a trained network: cells, parameters, multiply-adds, test accuracy.

    Args:
        results: the content of results.json.
    """
    rows = []
    for name, entry in results.items():
        cells = entry["cells"]
        rows.append(
            (
                NAMES.get(name, name),
                "-" if cells is None else describe_cell(cells["normal"]),
                "-" if cells is None else describe_cell(cells["reduce"]),
                f"{entry['params']:,}",
                f"{entry['macs'] / 1e6:,.2f} M",
                f"{entry['top1']:.2%} of {entry['test_images']}",
            )
        )
    return rows
