"""What run.json says of a run from its start on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch

from edgewise.config.build import dump
from edgewise.data import DataSettings, Splits
from edgewise.nn import choose_stem
from edgewise.pipeline.options import Options
from edgewise.pipeline.settings import Settings
from edgewise.pipeline.size_phase import budget_facts
from edgewise.pipeline.sources import path_facts
from edgewise.plugins import plugins_of
from edgewise.runs.provenance import device_name, git_state, now, versions
from edgewise.runtime.compute import Compute
from edgewise.spaces import SPACES

ENDS = ("error", "diverged")
"""What run.json says of an end that was not well."""
# What the run of one of several budgets has in common with the run whose search it shares.
SHARED = ("seed", "device", "device_name", "precision", "compile", "checkpoint_seconds", "truth", "versions")
SHARED += ("plugins", "threads", "processes", "git", "stem", "data", "citations", "phases", "track")
PART = "budget"
"""The command of a run for one of several budgets."""


def run_facts(
    settings: Settings, splits: Splits, options: Options, compute: Compute, command: str
) -> dict[str, Any]:
    """What a new run says of settings, images, machine and versions."""
    return {
        "status": "running",
        "command": command,
        "seed": options.seed,
        "device": str(compute.device),
        "device_name": device_name(compute.device),
        "precision": options.precision,
        "compile": options.compile,
        "checkpoint_seconds": options.checkpoint_seconds,
        "truth": options.truth,
        **({"track": options.track} if options.track else {}),
        "versions": versions(),
        **plugin_facts(settings, settings.space),
        "threads": torch.get_num_threads(),
        "processes": compute.processes.world,
        "git": git_state(),
        "stem": choose_stem(splits.image_size),
        "budget": budget_facts(settings.budget),
        "started": now(),
        "data": {
            "source": splits.source,
            "fingerprint": splits.fingerprint,
            "classes": list(splits.class_names),
            "images": {"weights": len(splits.weights), "arch": len(splits.arch), "test": len(splits.test)},
            "image_size": splits.image_size,
            "channels": splits.channels,
            "normalisation": asdict(splits.normalisation),
            "notes": list(splits.notes),
            "bad_files": list(splits.bad_files),
        },
        "citations": settings.bibtex(),
    }


def plugin_facts(settings: Any, space: str) -> dict[str, Any]:
    """The plug-ins that a run needs, for run.json; nothing where it needs none.

    Args:
        settings: of the run.
        space: the name of the space that is searched; it brings primitives and a skeleton along.
    """
    cells = SPACES.get(space)
    noted = plugins_of(dump(settings), () if cells is None else (cells.skeleton, cells.primitives))
    return {"plugins": noted} if noted else {}


def part_facts(run: Mapping[str, Any], settings: Settings, data: DataSettings, path: Path) -> dict[str, Any]:
    """What the run of one of several budgets says.

    Args:
        run: the content of run.json of the run whose search it shares.
        settings: with the one budget.
        data: where the images come from, as seen from here.
        path: its folder.
    """
    return {key: value for key, value in run.items() if key in SHARED} | {
        "command": run["command"] if run["command"] == "select" else PART,
        "budget": budget_facts(settings.budget),
        "paths": path_facts({"data": data.source, "truth": None}, path),
        "started": now(),
    }
