"""Random search at equal cost: the best of as many random cells as search and selection have paid for."""

from __future__ import annotations

import random
from typing import Any

from edgewise.core import folder as files
from edgewise.core.errors import ConfigError
from edgewise.core.limits import MOST_CANDIDATES
from edgewise.core.streams import Streams
from edgewise.pipeline.candidates import Design
from edgewise.pipeline.context import Context
from edgewise.pipeline.fitting import sizing_of
from edgewise.pipeline.selecting import halve
from edgewise.pipeline.settings import RANDOM_SEARCH
from edgewise.pipeline.sizing import size_of
from edgewise.selection import Halving
from edgewise.spaces import random_genotype, space

TITLE = "random search"
# A space may be drawn out before there are as many cells as there is time for.
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


def _draw(context: Context) -> dict[str, Any]:
    """The random cells, each at its largest size within the limits."""
    phases, selection, halving = (
        context.folder.read_run()["phases"],
        context.selection(),
        context.settings.selection,
    )
    assert selection is not None
    assert halving is not None
    seconds = sum(phases.get(name, {}).get("seconds", 0.0) for name in ("search", "select"))
    epochs = sum(selection["epochs"].values())
    each = sum(selection["seconds"].values()) / epochs if epochs else 0.0
    count = affordable(halving, seconds, each) if each > 0 else len(selection["candidates"])
    context.progress.say(
        f"{TITLE}: search and selection took {seconds:.0f} s and an epoch of a candidate {each:.2f} s: "
        f"{count} random cells"
    )
    cells, sizing = space(context.searched().space), sizing_of(context)
    chance = random.Random(Streams(context.seed).integer("random search"))
    entries, unfit, seen = [], {}, []
    for _ in range(count * DRAWS):
        if len(entries) == count:
            break
        genotype = random_genotype(cells, chance)
        if genotype in seen:
            continue
        seen.append(genotype)
        design = Design(f"random {len(seen)}", "random", genotype)
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
