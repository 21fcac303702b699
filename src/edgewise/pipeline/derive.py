"""Derives the cells of any epoch of a search from its trace."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from edgewise.config.build import build
from edgewise.config.toml import from_toml
from edgewise.errors import RunError
from edgewise.methods import ArchParameters
from edgewise.methods import derive as derive_cells
from edgewise.pipeline.settings import Settings
from edgewise.runs import folder as files
from edgewise.runs.folder import RunFolder
from edgewise.spaces import Genotype, space


def derive_epoch(path: Path | str, epoch: int | None = None) -> tuple[Genotype, int]:
    """Derives the genotype of an epoch.

    Args:
        path: a run folder with a search.
        epoch: counted from 0; if None the one whose cells the search ended with: the last one, unless a rule
            stopped the search.

    Returns:
        The genotype and its epoch.

    Raises:
        RunError: the run has no search, or not that epoch.
    """
    folder = RunFolder.open(path)
    records = [record for record in folder.read_trace() if record["phase"] == "search"]
    if not records:
        raise RunError(f"{path}: no epoch of a search is recorded here: run `edgewise search` first")
    wanted = _ended_with(records) if epoch is None else epoch
    chosen = [record for record in records if record["epoch"] == wanted]
    if not chosen:
        raise RunError(f"{path}: epoch {wanted} is not recorded; there are 0 to {records[-1]['epoch']}")
    settings = build(Settings, from_toml(folder.file(files.RECIPE)))
    # In a search with stages, edges have lost primitives: these have no share of the mixture.
    kept = {name: torch.tensor(rows) > 0 for name, rows in chosen[0].get("mixture", {}).items()} or None
    arch = ArchParameters(
        space(settings.space), beta=chosen[0]["beta"] is not None, generator=torch.Generator(), kept=kept
    )
    with torch.no_grad():
        for table, values in ((arch.alpha, chosen[0]["alpha"]), (arch.beta, chosen[0]["beta"] or {})):
            for name, rows in values.items():
                table[name].copy_(torch.tensor(rows))
    source = f"edgewise {settings.name}, epoch {wanted} of {folder.path}"
    return derive_cells(arch.space, arch, settings.relaxation, settings.derivation, source=source), wanted


def _ended_with(records: list[dict[str, Any]]) -> int:
    decision = records[-1].get("decision")
    if decision is None or decision["action"] != "stop":
        return records[-1]["epoch"]
    return [record["epoch"] for record in records if record["schedule_epoch"] == decision["epoch"]][-1]
