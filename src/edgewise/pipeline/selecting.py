"""The phases of a run that list candidates, fit them to the budget, and choose one by training them a little."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping, Sequence
from typing import Any

from edgewise.budget import Budget
from edgewise.errors import ConfigError, NoFitError
from edgewise.pipeline.candidates import Design, list_candidates
from edgewise.pipeline.context import Context
from edgewise.pipeline.size_phase import note_found_limit, sizing_of
from edgewise.pipeline.sized import Sized
from edgewise.pipeline.sizing import Sizing, size_of
from edgewise.runs import folder as files
from edgewise.selection import Entrant, SelectionTask

# Below so many images a ranking by accuracy is mostly luck.
FEWEST_IMAGES = 20


def rank_interval(images: int) -> float:
    """The largest half-width of the 95 % interval of an accuracy on so many images."""
    return 1.96 * math.sqrt(0.25 / images)


def check_sized(designs: Sequence[Design], budget: Budget) -> None:
    """Raises ConfigError if nothing says how large given candidates may be."""
    if designs and not budget.limits and all(design.genotype is None for design in designs):
        raise ConfigError(
            "hand-made networks have no size of their own: state a limit, such as --max-params 80k, or give cells "
            "as well"
        )


def check_rankable(images: int) -> None:
    """Raises ConfigError if there are too few images to rank candidates by accuracy.

    Args:
        images: of the arch split.
    """
    if images < FEWEST_IMAGES:
        raise ConfigError(
            f"the arch split has {images} images, on which an accuracy is known to {rank_interval(images):.0%} "
            f"either way at best: too few to choose a network by ({FEWEST_IMAGES} at least): give more training "
            "images, raise search.arch_fraction, or choose without a selection (--set selection=none)"
        )


def candidates(context: Context) -> None:
    """Lists the candidates, each at its largest size within the limits, in selection.json."""
    noted = context.selection() or {}
    if "candidates" in noted:
        return
    began = time.perf_counter()
    designs = designs_of_run(context)
    sizing = _sizing(designs, context)
    entries, unfit = [], {}
    for design in designs:
        try:
            entries.append(design.record() | size_of(design, sizing, what=f"candidate {design.name}").record())
        except ConfigError as error:
            unfit[design.name] = str(error)
            context.progress.say(f"note: candidate {design.name} is left out: {error}")
    if not entries:
        raise NoFitError(f"no candidate fits the budget: {'; '.join(unfit.values())}")
    context.folder.write_json(files.SELECTION, noted | {"candidates": entries, "unfit": unfit})
    seconds = round(time.perf_counter() - began, 3)
    context.folder.update_run({"phases": {"candidates": {"seconds": seconds, "peak_memory_bytes": 0}}})
    context.progress.say(f"{len(entries)} candidates: {', '.join(entry['name'] for entry in entries)}")


def designs_of_run(context: Context) -> list[Design]:
    """The candidates: those that were given, or those of the search."""
    noted = context.selection() or {}
    if "given" in noted:
        where = str(context.folder.file(files.SELECTION))
        return [Design.of(record, where=where) for record in noted["given"]]
    return list_candidates(
        context.settings.candidates,
        context.settings,
        context.searched(),
        context.searched_epochs(),
        seed=context.seed,
    )


def _sizing(designs: Sequence[Design], context: Context) -> Sizing:
    """What fits the candidates; without limits, the weights of the first cells at the recipe's size are one."""
    sizing = sizing_of(context)
    if sizing.limits:
        return sizing
    first = next((design.genotype for design in designs if design.genotype is not None), None)
    note_found_limit(sizing.given(first or context.searched()), context)
    return sizing_of(context)


def select(context: Context) -> None:
    """Trains the candidates rung by rung, and puts the winner in the place of the search's cells."""
    selection = context.selection()
    assert selection is not None
    if "winner" not in selection:
        _select(selection, context)
    _install(context)


def _select(selection: Mapping[str, Any], context: Context) -> None:
    images = len(context.splits.arch)
    context.progress.say(
        f"selection: an accuracy on the {images} images of the arch split is known to within "
        f"{rank_interval(images):.1%} either way"
    )
    outcome = halve(selection["candidates"], context)
    if outcome is not None:
        context.folder.write_json(files.SELECTION, {**selection, **outcome})


def halve(
    entries: Sequence[Mapping[str, Any]], context: Context, *, phase: str = "select", title: str = "selection"
) -> dict[str, Any] | None:
    """Trains candidates rung by rung until one is left.

    Args:
        entries: the candidates with their sizes.
        context: of the run.
        phase: its name in the run folder.
        title: what lines call it.

    Returns:
        What selection.json says of the outcome; None in all processes but the first.
    """
    settings = context.settings
    assert settings.selection is not None
    task = SelectionTask(
        [_entrant(entry, context) for entry in entries],
        settings.selection,
        settings.train,
        context.splits,
        context.train_augment,
        seed=context.seed,
        compute=context.compute,
        phase=phase,
        title=title,
        say=context.progress.say,
    )
    context.loop.run(task)
    if not context.compute.processes.main:
        return None
    context.note_cost(task.phase)
    timings = [line for line in context.folder.read_timings() if line["phase"] == task.phase]
    records = [record for record in context.folder.read_trace() if record["phase"] == task.phase]
    return {
        "winner": task.winner,
        "figures": task.figures_at_the_end,
        "order": task.order,
        "out": task.out,
        "epochs": task.trained,
        "images": {name: epochs * len(context.splits.weights) for name, epochs in task.trained.items()},
        "seconds": _seconds(records, timings),
    }


def _seconds(records: Sequence[Mapping[str, Any]], timings: Sequence[Mapping[str, Any]]) -> dict[str, float]:
    """Seconds of each candidate: every epoch of the selection is one candidate's."""
    seconds: dict[str, float] = {}
    for record, timing in zip(records, timings, strict=True):
        seconds[record["network"]] = seconds.get(record["network"], 0.0) + timing["seconds"]
    return {name: round(value, 3) for name, value in seconds.items()}


def _entrant(entry: Mapping[str, Any], context: Context) -> Entrant:
    candidate = context.build(entry["name"], entry, entry)
    return Entrant(entry["name"], candidate.network, entry["macs"])


def _install(context: Context) -> None:
    """Makes the winner the network that the run has found; a second call changes nothing."""
    if not context.compute.processes.main:
        return
    winner = context.contender("found")
    assert winner is not None
    cells = Design.of(winner, where=files.SELECTION).genotype
    if cells is not None:
        if context.folder.has(files.GENOTYPE) and not context.folder.has(files.SEARCHED):
            context.folder.write_text(files.SEARCHED, context.folder.read_text(files.GENOTYPE))
        context.folder.write_text(files.GENOTYPE, cells.to_json())
    won = {"name": winner["name"], "kind": winner["kind"]}
    context.folder.update_run({"won": won, "fitted": {"found": Sized.of(winner).record()}})
