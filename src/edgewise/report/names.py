"""What tables, curves and lines call the networks of a run."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

NAMES = {
    "found": "found by the search",
    "random": "random cell, same space",
    "hand": "hand-made residual",
    "inverted": "hand-made inverted residual",
    "resnet8": "ResNet-8 (MLPerf Tiny)",
}
SHORT = {
    **{"found": "found", "random": "random", "hand": "hand-made", "inverted": "inverted residual"},
    "resnet8": "ResNet-8",
}


def are_given(run: Mapping[str, Any]) -> bool:
    """Whether a run trains cells that it was given, and has no search; its results are still filed as "found".

    Args:
        run: the content of run.json.
    """
    return run.get("command") == "train"


def network_names(run: Mapping[str, Any]) -> dict[str, str]:
    """What a table calls each network of a run.

    Args:
        run: the content of run.json; older ones don't say what the given cells are called.
    """
    if not are_given(run):
        return NAMES
    name = run.get("given")
    return NAMES | {"found": f"{name} (given)" if name else "given cells"}


def short_names(run: Mapping[str, Any]) -> dict[str, str]:
    """What a curve calls each network of a run, in a word."""
    return SHORT | {"found": "given"} if are_given(run) else SHORT
