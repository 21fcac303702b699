"""What tables, curves and lines call the networks of a run."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

NAMES = {
    "found": "found by the search",
    "searched": "the search's own cells",
    "random": "random cell, same space",
    "random-search": "random search, equal cost",
    "hand": "hand-made residual",
    "inverted": "hand-made inverted residual",
    "resnet8": "ResNet-8 (MLPerf Tiny)",
}
SHORT = {
    **{
        "found": "found",
        "searched": "searched",
        "random": "random",
        "random-search": "random search",
        "hand": "hand-made",
        "inverted": "inverted residual",
    },
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
    won = run.get("won")
    if won is not None:
        best = {"random": "best random candidate"} if won["kind"] != "random" else {}
        return NAMES | {"found": f"chosen: {title_of_candidate(won)}"} | best
    if not are_given(run):
        return NAMES
    name = run.get("given")
    return NAMES | {"found": f"{name} (given)" if name else "given cells"}


def title_of_candidate(entry: Mapping[str, Any]) -> str:
    """What tables call a candidate of a selection.

    Args:
        entry: says its "name" and "kind".
    """
    if entry["kind"] == "last":
        return "the search's cells"
    if entry["kind"] == "hand":
        return NAMES.get(entry["name"], str(entry["name"]))
    name = str(entry["name"])
    said = {
        "epochs": f"cells of {name}",
        "sampled": f"{name} from the mixture",
        "published": f"{name} (published)",
    }
    return said.get(entry["kind"], name)


def short_names(run: Mapping[str, Any]) -> dict[str, str]:
    """What a curve calls each network of a run, in a word."""
    if run.get("won") is not None:
        return SHORT | {"found": "chosen"}
    return SHORT | {"found": "given"} if are_given(run) else SHORT
