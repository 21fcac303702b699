"""Random search at equal cost: the best of as many random cells as search and selection have paid for."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping
from typing import Any

from edgewise.config.limits import MOST_CANDIDATES
from edgewise.errors import ConfigError
from edgewise.pipeline.candidates import Design
from edgewise.pipeline.context import Context
from edgewise.pipeline.selecting import halve
from edgewise.pipeline.settings import RANDOM_SEARCH
from edgewise.pipeline.size_phase import sizing_of
from edgewise.pipeline.sizing import size_of
from edgewise.runs import folder as files
from edgewise.runtime.random import Streams
from edgewise.selection import Halving
from edgewise.spaces import Genotype, random_genotype, space

TITLE = "random search"
# How many draws are made for each cell that is wanted, before a space counts as drawn out.
DRAWS = 20


def random_search(context: Context) -> None:
    """Chooses among random cells, by the run's own rungs, for as many seconds as search and selection have taken.

    How many cells these are follows from the seconds that an epoch of a candidate took in the selection. Their
    number and the seconds stand in random_search.json.
    """
    context.compute.processes.on_main(lambda: _draw_once(context))
    drawn = context.selection(files.RANDOM_SEARCH)
    assert drawn is not None
    if "winner" in drawn:
        return
    if not drawn["candidates"]:
        context.folder.update_run({"unfit": {RANDOM_SEARCH: "no random cell fits the budget"}})
        context.progress.say(f"note: {RANDOM_SEARCH} is left out: no random cell fits the budget")
        return
    outcome = halve(drawn["candidates"], context, phase=RANDOM_SEARCH, title=TITLE)
    if outcome is not None:
        context.folder.write_json(files.RANDOM_SEARCH, drawn | outcome)


def _draw_once(context: Context) -> None:
    if not context.folder.has(files.RANDOM_SEARCH):
        context.folder.write_json(files.RANDOM_SEARCH, _draw(context))


def affordable(halving: Halving, seconds: float, epoch_seconds: float) -> int:
    """The largest number of candidates whose selection costs no more than so many seconds; at least 1.

    Args:
        halving: the rungs.
        seconds: what it may cost.
        epoch_seconds: of an epoch of a candidate.
    """
    count = 1
    while count < MOST_CANDIDATES and halving.cost(count + 1) * epoch_seconds <= seconds:
        count += 1
    return count


def seconds_to_spend(run: Mapping[str, Any]) -> float:
    """The seconds of search and selection together.

    Args:
        run: the content of run.json.
    """
    return sum(run["phases"].get(phase, {}).get("seconds", 0.0) for phase in ("search", "select"))


def seconds_of_an_epoch(selection: Mapping[str, Any]) -> float:
    """The mean seconds of an epoch of the candidates with cells; of all where there are only hand-made ones.

    Args:
        selection: the content of selection.json.
    """
    cells = [one["name"] for one in selection["candidates"] if one["genotype"] is not None]
    trained = [name for name in cells or selection["epochs"] if selection["epochs"][name]]
    epochs = sum(selection["epochs"][name] for name in trained)
    return sum(selection["seconds"].get(name, 0.0) for name in trained) / epochs if epochs else 0.0


def random_cells(name: str, seed: int, draws: int) -> Iterator[Genotype]:
    """Distinct random cells of a space, from a stream of their own.

    Args:
        name: of the space.
        seed: of the run.
        draws: how often to draw at most; a space may be drawn out.
    """
    cells, chance = space(name), random.Random(Streams(seed).integer("random search"))
    seen: set[str] = set()
    for _ in range(draws):
        genotype = random_genotype(cells, chance)
        text = genotype.to_json()
        if text not in seen:
            seen.add(text)
            yield genotype


def _draw(context: Context) -> dict[str, Any]:
    """The random cells, each at its largest size within the limits."""
    selection, halving = context.selection(), context.settings.selection
    assert selection is not None
    assert halving is not None
    seconds, each = seconds_to_spend(context.folder.read_run()), seconds_of_an_epoch(selection)
    count = affordable(halving, seconds, each) if each > 0 else len(selection["candidates"])
    context.progress.say(
        f"{TITLE}: search and selection took {seconds:.0f} s and an epoch of a candidate {each:.2f} s: "
        f"{count} random cells"
    )
    sizing, drawn = sizing_of(context), random_cells(context.searched().space, context.seed, count * DRAWS)
    entries: list[dict[str, Any]] = []
    unfit: dict[str, str] = {}
    for number, genotype in enumerate(drawn, 1):
        if len(entries) == count:
            break
        design = Design(f"random {number}", "random", genotype)
        try:
            entries.append(design.record() | size_of(design, sizing, what=design.name).record())
        except ConfigError as error:
            unfit[design.name] = str(error)
    return {
        "candidates": entries,
        "unfit": unfit,
        "seconds_to_spend": round(seconds, 3),
        "epoch_seconds": round(each, 4),
    }
