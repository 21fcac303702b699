"""Several budgets, one search: a run for each in a folder of its own, and the front of accuracy against cost."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from edgewise.budget import FIGURES, figures_of
from edgewise.config.build import to_toml
from edgewise.data import DataSettings
from edgewise.errors import NoFitError, RunError
from edgewise.pipeline.candidates import Design
from edgewise.pipeline.context import Context
from edgewise.pipeline.distributed import make_folder, open_folder
from edgewise.pipeline.facts import ENDS, part_facts
from edgewise.pipeline.selecting import designs_of_run
from edgewise.pipeline.settings import Settings
from edgewise.pipeline.size_phase import budget_sentence
from edgewise.runs import folder as files
from edgewise.runs.folder import RunFolder

KNEE = "knee"
# What a front keeps of the network of a budget.
KEPT = (
    "top1",
    "test_images",
    "channels",
    "layers",
    "params",
    "macs",
    "ram",
    "size",
    "latency",
    "used",
    "genotype",
)
# A line between two ends has nothing above it.
_FEWEST = 3


RunOfBudget = Callable[[Path, Settings, Sequence[Design]], Mapping[str, str]]
"""Carries out, or goes on with, the run of one budget in its folder, with the candidates to choose from (none
without a selection); returns what diverged, by network."""


def run_budgets(context: Context, run: RunOfBudget) -> None:
    """Chooses, trains, tests and exports a network for each budget; front.json tells of all.

    Args:
        context: of the run whose search they share.
        run: carries out the part of one budget.

    Raises:
        NoFitError: nothing fits any of the budgets.
    """
    designs = designs_of_run(context) if context.settings.selection is not None else []
    ends: list[dict[str, Any]] = []
    for name, settings in context.settings.for_each_budget.items():
        path = context.folder.path / files.BUDGETS / name
        context.progress.say(f"budget {name}: {settings.budget.sentence()}")
        try:
            diverged = run(path, settings, designs)
        except NoFitError as error:
            if context.compute.processes.several:  # the others wait for this one: all of them end
                raise
            context.progress.say(f"note: budget {name} is left out: {error}")
            ends.append({"name": name, "limits": settings.budget.limits, "unfit": str(error)})
            continue
        ends.append(_end(name, settings, path))
        context.folder.update_run({"phases": {f"budget {name}": _cost_of(path)}})
        if diverged:
            context.folder.update_run(
                {"diverged": {f"{name}, {network}": said for network, said in diverged.items()}}
            )
    if all("unfit" in end for end in ends):
        raise NoFitError(f"no network fits any of the budgets: {'; '.join(end['unfit'] for end in ends)}")
    if context.compute.processes.main:
        context.folder.write_json(files.FRONT, make_front(ends))


def run_of_budget(
    context: Context,
    data: DataSettings,
    carry_out: Callable[..., object],
    path: Path,
    settings: Settings,
    designs: Sequence[Design],
) -> Mapping[str, str]:
    """The run of one of several budgets, begun, gone on with, or left as it is; returns what diverged.

    Args:
        context: of the run whose search it shares.
        data: where the images come from, as seen from here.
        carry_out: carries out the phases that a run still lacks.
        path: its folder.
        settings: with the one budget.
        designs: the candidates; empty without a selection.
    """
    whole, compute = context.folder, context.compute
    processes = compute.processes
    begun = processes.broadcast((path / files.RUN).is_file() and RunFolder.open(path).has(files.RECIPE))
    if begun and RunFolder.open(path).status == "done":
        return {}
    with open_folder(path, processes) if begun else make_folder(path, processes, overwrite=True) as folder:
        if not begun:
            if whole.has(files.GENOTYPE):
                folder.write_text(files.GENOTYPE, whole.read_text(files.GENOTYPE))
            if designs:
                folder.write_json(files.SELECTION, {"given": [design.record() for design in designs]})
            folder.update_run(part_facts(whole.read_run(), settings, data, path))
        own = {key: value for key, value in folder.read_run().items() if key not in ENDS}
        folder.write_json(files.RUN, own | {"status": "running"})
        folder.write_text(files.RECIPE, to_toml(settings))
        processes.barrier()
        carry_out(folder, settings, context.splits, compute, context.progress, data, whole=whole.path)
        return folder.read_run().get("diverged", {})


def _end(name: str, settings: Settings, path: Path) -> dict[str, Any]:
    """What a budget's run came to."""
    folder = RunFolder.open(path)
    run = folder.read_run()
    end: dict[str, Any] = {"name": name, "limits": settings.budget.limits, "sentence": budget_sentence(run)}
    if "won" in run:
        end["won"] = run["won"]
    results = folder.read_json(files.RESULTS) if folder.has(files.RESULTS) else {}
    end["networks"] = {
        network: {key: entry[key] for key in KEPT if key in entry} for network, entry in results.items()
    }
    return end


def _cost_of(path: Path) -> dict[str, float]:
    """Seconds and memory of a budget's own phases."""
    phases = [own for name, own in RunFolder.open(path).read_run()["phases"].items() if name != "search"]
    peak = max((own["peak_memory_bytes"] for own in phases), default=0)
    return {"seconds": round(sum(own["seconds"] for own in phases), 3), "peak_memory_bytes": peak}


def make_front(ends: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """The content of front.json: every budget, the cost that they differ in, which are not beaten, the knee.

    Args:
        ends: of each budget its "name", "limits" and "networks".
    """
    cost = _cost(ends)
    points = {
        end["name"]: (figures_of(found)[cost], found["top1"])
        for end in ends
        if (found := end.get("networks", {}).get("found")) is not None and cost in figures_of(found)
    }
    unbeaten = front_of(points)
    return {
        "cost": cost,
        "budgets": list(ends),
        "front": unbeaten,
        "knee": knee_of({n: points[n] for n in unbeaten}),
    }


def _cost(ends: Sequence[Mapping[str, Any]]) -> str:
    """The first figure that the limits of the budgets differ in."""
    for figure in FIGURES:
        if len({end["limits"].get(figure) for end in ends}) > 1:
            return figure
    return FIGURES[0]


def front_of(points: Mapping[str, tuple[float, float]]) -> list[str]:
    """The names that no other beats, the cheapest first: none costs less or as much and is more accurate.

    Args:
        points: cost and accuracy of each.
    """
    names = sorted(points, key=lambda name: (points[name][0], -points[name][1]))
    kept: list[str] = []
    for name in names:
        if not kept or points[name][1] > points[kept[-1]][1]:
            kept.append(name)
    return kept


def knee_of(points: Mapping[str, tuple[float, float]]) -> str | None:
    """The point of a front behind which accuracy gets dear; the most accurate of fewer than three.

    It lies farthest above the straight line from the cheapest to the dearest, over the logarithm of the cost; both
    axes are scaled to the line's ends.

    Args:
        points: cost and accuracy of each, none beaten by another.

    Source: Satopaa et al. 2011 (Kneedle), for few points.
    """
    if not points:
        return None
    names = sorted(points, key=lambda name: points[name][0])
    first, last = points[names[0]], points[names[-1]]
    if len(names) < _FEWEST:
        return names[-1]
    width, height = math.log(last[0] / first[0]), last[1] - first[1]

    def above(name: str) -> float:
        cost, accuracy = points[name]
        return (accuracy - first[1]) / height - math.log(cost / first[0]) / width

    return max(names, key=above)


def picked(run: Path, pick: str | None) -> Path:
    """The folder of a run's network: its own, or that of one of its budgets.

    Args:
        run: the run folder.
        pick: a budget's name, or "knee"; None for a run without several budgets.

    Raises:
        RunError: there are several networks and none is picked, or there is none of that name.
    """
    if not (run / files.FRONT).is_file():
        if pick is not None:
            raise RunError(f"{run} has no front to pick {pick!r} from: it is no finished run with several budgets")
        return run
    front = RunFolder.open(run).read_json(files.FRONT)
    names = [end["name"] for end in front["budgets"] if "unfit" not in end]
    if pick is None or (pick != KNEE and pick not in names):
        what = "holds a network for each budget" if pick is None else f"holds no network {pick!r}"
        raise RunError(f"{run} {what}: pick one of {', '.join(names)} or {KNEE} ({front['knee']}) with --pick")
    return run / files.BUDGETS / (front["knee"] if pick == KNEE else pick)
