"""The phase of a run that gives each network its size, and the one that measures what was exported."""

from __future__ import annotations

import shlex
import time
from collections.abc import Mapping
from typing import Any

from edgewise.budget import TITLES, Budget, figures_of, show_limits, show_used
from edgewise.errors import ConfigError, NoFitError
from edgewise.export import measure_file
from edgewise.nn import HAND_MADE
from edgewise.pipeline.context import Context
from edgewise.pipeline.networks import cells_of
from edgewise.pipeline.sized import Sized, measured_record, shares_of
from edgewise.pipeline.sizing import Sizing
from edgewise.runs import folder as files


def budget_facts(budget: Budget) -> dict[str, Any]:
    """What run.json says of a budget; without limits, the found network's weights become one."""
    return {
        "limits": budget.limits,
        "int8": budget.int8,
        "device": budget.device,
        "from": "limits" if budget.limits else "found",
    }


def budget_sentence(run: Mapping[str, Any]) -> str:
    """What all networks of a run keep to, in words; empty where that is nothing.

    Args:
        run: the content of run.json.
    """
    budget = run.get("budget")
    if budget is None or not budget["limits"]:
        return ""
    limits = show_limits(budget["limits"])
    if budget["from"] == "found":
        return f"of about as many weights as the found network ({limits})"
    counted = "; int8: one byte a value" if budget["int8"] else ""
    device = f"; {budget['device']}" if budget["device"] else ""
    return f"each of at most {limits}{counted}{device}"


def fit(context: Context) -> None:
    """Finds the size of each network, and notes it in run.json."""
    run = context.folder.read_run()
    if "budget" not in run:  # version 0.1 began this run: sizes follow from the recipe
        return
    began = time.perf_counter()
    for name in context.networks:
        fitted = name in context.sizes() or name in context.folder.read_run().get("unfit", {})
        if not fitted and not context.is_winner(name):
            sized = _sized(name, context)
            if sized is None:
                continue
            context.folder.update_run({"fitted": {name: sized.record()}})
            context.progress.say(f"{context.called(name)}: {_sentence(name, sized, _limits(context))}")
    seconds = round(time.perf_counter() - began, 3)
    before = run.get("phases", {}).get("fit", {}).get("seconds", 0.0)
    context.folder.update_run({"phases": {"fit": {"seconds": before + seconds, "peak_memory_bytes": 0}}})


def _limits(context: Context) -> dict[str, float]:
    return context.folder.read_run()["budget"]["limits"]


def _sized(name: str, context: Context) -> Sized | None:
    """The size of one network; None, noted in run.json, where a network to compare with fits at no size."""
    try:
        return _size(name, context)
    except ConfigError as error:
        if name != "found":
            context.folder.update_run({"unfit": {name: str(error)}})
            context.progress.say(f"note: {name} is left out: {error}")
            return None
        cells = shlex.quote(str(context.folder.file(files.GENOTYPE)))
        raise NoFitError(f"{error}. The cells are kept: `edgewise train {cells}` takes other limits") from error


def _size(name: str, context: Context) -> Sized:
    sizing = sizing_of(context)
    found = context.genotype()
    if name == "found" and not sizing.limits:
        sized = sizing.given(found)
        if len(context.networks) == 1:  # there is none to compare with
            return sized
        note_found_limit(sized, context)
        return sized
    contender = context.contender(name)
    if contender is not None:
        return Sized.of(contender)
    if name == "searched":
        return sizing.cells(context.searched(), what="the search's cells")
    if name == "hand" and context.folder.read_run()["budget"]["from"] == "found":
        return sizing.hand_made_of(int(sizing.limits["params"]))
    if name in HAND_MADE:
        return sizing.hand_made(name)
    return sizing.cells(cells_of(name, found, context.seed), what=f"the {context.called(name)} cells")


def note_found_limit(found: Sized, context: Context) -> None:
    """Makes the weights of the found network the limit of all others, where none was stated."""
    context.folder.update_run({"budget": {"limits": {"params": found.params}}})


def sizing_of(context: Context) -> Sizing:
    """What fits the networks of a run."""
    settings = context.settings
    return Sizing.of(settings, context.splits, stem=context.stem, budget=settings.budget, limits=_limits(context))


def _sentence(network: str, sized: Sized, limits: dict[str, float]) -> str:
    entry = sized.record()
    used = shares_of(entry, limits)
    parts = [
        f"{TITLES[name]} {show_used(name, value, used, digits=0)}" for name, value in figures_of(entry).items()
    ]
    depth = "blocks a stage" if network in HAND_MADE else "cells"
    return f"{sized.channels} channels, {sized.layers} {depth}; {', '.join(parts)}"


def measure(context: Context) -> None:
    """Measures size and latency of each trained network, where the fit did not, and notes the used shares."""
    if "budget" not in context.folder.read_run():
        return
    sizing, results = sizing_of(context), context.results()
    for name, entry in results.items():
        if "used" in entry:
            continue
        measured = {} if "size" in entry else _measured(name, context, sizing)
        full = entry | measured
        results = results | {name: full | {"used": shares_of(full, sizing.limits)}}
        context.folder.write_json(files.RESULTS, results)


def _measured(name: str, context: Context, sizing: Sizing) -> dict[str, Any]:
    candidate = context.candidate(name)
    if name != "found":
        return sizing.measure(candidate.network, candidate.design, candidate.spec)
    content = context.folder.file(files.ONNX).read_bytes()
    splits = context.splits
    measured = measure_file(content, image_size=splits.image_size, in_channels=splits.channels)
    return measured_record(measured, candidate.network, context.settings.budget)
