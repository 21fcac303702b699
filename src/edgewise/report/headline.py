"""The first lines of the page: what was found, how far the run is, and what the folder does not hold."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from edgewise.report.diagnostics import epochs_done, stopped
from edgewise.report.exploration import exploration_lead, exploration_title
from edgewise.report.names import are_given, title_of_candidate
from edgewise.report.numbers import percent
from edgewise.report.record import EXPLORE, RunRecord
from edgewise.report.selection import ranked
from edgewise.report.tables import verdicts

ALONE = ("search", "select")
"""Commands that train no network to its end."""
STATES = {"done": "finished", "running": "running", "interrupted": "interrupted", "failed": "failed"}


@dataclass(frozen=True)
class Headline:
    """The top of the page.

    Args:
        title: one line.
        status: the run's status.
        lead: what the run is, in a sentence.
        verdicts: how the found network compares.
        missing: what the folder has no data for.
        error: why a failed run failed.
    """

    title: str
    status: str
    lead: str
    verdicts: list[str]
    missing: list[str]
    error: str


def make_headline(record: RunRecord) -> Headline:
    """The top of the page for a run."""
    status = str(record.run.get("status", ""))
    return Headline(
        title=_title(record),
        status=STATES.get(status, status),
        lead=_lead(record),
        verdicts=verdicts(record),
        missing=_missing(record),
        error=str(record.run.get("error", "")) if status == "failed" else "",
    )


def _title(record: RunRecord) -> str:
    source = record.run.get("data", {}).get("source", "its images")
    if record.results:
        name, entry = next(iter(record.results.items()))
        found = f"the given cells{_of(record)}" if are_given(record.run) else "the cells found"
        found = "the chosen network" if record.run.get("won") else found
        cells = found if name == "found" else f"the {name} network"
        return f"{percent(entry['top1'])} of {entry['test_images']:,} test images right: {cells} on {source}"
    if record.front:
        return _front_title(record.front, source)
    if record.training:
        name, epochs = list(record.training.items())[-1]
        called = "given" if name == "found" and are_given(record.run) else name
        return f"Training ({called}) on {source}: {_progress(len(epochs), record.planned_epochs('train'))}"
    if record.explored:
        return exploration_title(record)
    if record.search:
        if record.run.get("won") and record.selection:
            return _chosen(record.selection, source)
        if record.genotype is not None:
            return f"Cells found on {source} in {len(record.search)} epochs{_detours(record.search)}"
        return f"Search on {source}: {_progress(epochs_done(record.search), record.planned_epochs('search'))}"
    if record.run.get("won") and record.selection:
        return _chosen(record.selection, source)
    return f"A run on {source} that has no epoch behind it yet"


def _front_title(front: Mapping[str, Any], source: str) -> str:
    found = {
        end["name"]: end["networks"]["found"] for end in front["budgets"] if "found" in end.get("networks", {})
    }
    if not found:
        return f"{len(front['budgets'])} budgets, one search, on {source}"
    each = ", ".join(f"{percent(entry['top1'])} at {name}" for name, entry in found.items())
    return f"{each} of {next(iter(found.values()))['test_images']:,} test images right, on {source}"


def _chosen(selection: Mapping[str, Any], source: str) -> str:
    best = ranked(selection)[0]
    return f"{title_of_candidate(best)}, chosen of {len(selection['candidates'])} candidates on {source}"


def _of(record: RunRecord) -> str:
    given = record.run.get("given")
    return f" ({given})" if given else ""


def _detours(search: Sequence[Mapping[str, Any]]) -> str:
    """What a stop rule did to the search."""
    back = sum((epoch.get("decision") or {}).get("action") == "roll back" for epoch in search)
    rolled = f", rolled back {('once', 'twice')[back - 1] if back < 3 else f'{back} times'}" if back else ""
    return f"{rolled}{', stopped early' if stopped(search) else ''}"


def _progress(done: int, planned: int | None) -> str:
    return f"{done} of {planned} epochs done" if planned else f"{done} epochs done"


def _lead(record: RunRecord) -> str:
    run = record.run
    data = run.get("data", {})
    size = f", {data['image_size']} × {data['image_size']} pixels" if data.get("image_size") else ""
    parts = [
        f"Recipe {record.recipe['name']}" if record.recipe.get("name") else "",
        exploration_lead(record) if record.explored else "",
        f"{len(record.classes)} classes{size}" if record.classes else "",
        f"seed {run['seed']}" if "seed" in run else "",
        str(run.get("device_name") or run.get("device") or ""),
    ]
    return "; ".join(part for part in parts if part)


def _missing(record: RunRecord) -> list[str]:
    """What a whole run holds and this folder does not (or not all of it)."""
    missing = []
    command = record.run.get("command")
    if command == EXPLORE:
        return [] if record.verdict else ["no result yet: the search is not at its end"]
    if not record.search:
        told = {"budget": "the search: it is in the run that this one is a part of"}
        told |= dict.fromkeys(("train", "select"), "no search: the cells were given")
        missing.append(told.get(str(command), "no epoch of a search yet"))
    else:
        planned = record.planned_epochs("search")
        done = epochs_done(record.search)
        if planned and done < planned and record.run.get("status") != "done" and not stopped(record.search):
            missing.append(f"epochs {done + 1} to {planned} of the search")
        if record.search[-1]["beta"] is None:
            missing.append("no beta: this recipe has no edge normalisation")
        if not any(epoch["conflicts"] for epoch in record.search):
            missing.append("no conflicts: alpha has not been trained yet")
    if record.front:
        return missing
    if not record.training:
        missing.append("no training" if command in ALONE else "no epoch of a training yet")
    if not record.results:
        missing.append("no test results" if command in ALONE else "no test results yet")
    return missing
