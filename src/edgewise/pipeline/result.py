"""What a run left behind, read from its folder."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from edgewise.pipeline.size_phase import budget_sentence
from edgewise.report import NAMES, network_names
from edgewise.runs import folder as files
from edgewise.runs.folder import RunFolder
from edgewise.spaces import Genotype


@dataclass(frozen=True)
class RunResult:
    """What a run left behind.

    Args:
        folder: the run folder.
        genotype: the cells that were found, chosen or trained; None where a hand-made network was chosen of given
            ones.
        results: for each trained network, the entry of results.json.
        failure: what went wrong with those that are not among them; empty where nothing did.
        names: what tables call each of these networks.
        budget: what all of them keep to, in words; empty where that is nothing.
        selection: the content of selection.json; empty without a selection.
        front: the content of front.json, for several budgets; empty for one.
        budgets: for several budgets, what the run of each left behind; those that nothing fits are left out.
    """

    folder: Path
    genotype: Genotype | None
    results: dict[str, dict[str, Any]]
    failure: str = ""
    names: dict[str, str] = field(default_factory=lambda: dict(NAMES))
    budget: str = ""
    selection: dict[str, Any] = field(default_factory=dict)
    front: dict[str, Any] = field(default_factory=dict)
    budgets: dict[str, RunResult] = field(default_factory=dict)


def read_result(folder: RunFolder) -> RunResult:
    """What stands in a run folder, and in those of its budgets."""
    run, genotype = folder.read_run(), None
    # Of given networks, one made by hand may have been chosen; every other run ends with cells.
    if folder.has(files.GENOTYPE) or run.get("command") != "select":
        genotype = Genotype.from_json(folder.read_text(files.GENOTYPE), where=str(folder.file(files.GENOTYPE)))
    selection = folder.read_json(files.SELECTION) if folder.has(files.SELECTION) else {}
    front = folder.read_json(files.FRONT) if folder.has(files.FRONT) else {}
    results = folder.read_json(files.RESULTS) if folder.has(files.RESULTS) else {}
    failure = run.get("error", "") if run.get("diverged") else ""
    parts = {end["name"]: folder.path / files.BUDGETS / end["name"] for end in front.get("budgets", ())}
    budgets = {
        name: read_result(RunFolder.open(path)) for name, path in parts.items() if (path / files.REPORT).exists()
    }
    return RunResult(
        folder.path,
        genotype,
        results,
        failure,
        network_names(run),
        budget_sentence(run),
        selection,
        front,
        budgets,
    )
