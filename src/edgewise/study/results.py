"""What the runs of a study left behind, as figures."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from edgewise.errors import RunError
from edgewise.runs import folder as files
from edgewise.runs.folder import RunFolder
from edgewise.study.plan import Cell, PlannedRun
from edgewise.study.state import RunState
from edgewise.study.statistics import PairedTest, Spread, holm, paired_test, spread


@dataclass(frozen=True)
class RunFigures:
    """The figures of a finished run; None where its command gives none.

    Args:
        name: of the run.
        seed: of the run.
        test: test accuracy of the found network, 0 to 1.
        arch: the supernet's accuracy on the arch split in the search's last epoch, 0 to 1.
        params: of the found network, without an auxiliary head.
        macs: multiply-adds of one image.
        search_seconds: of the search.
        train_seconds: of the found network's training.
        select_seconds: of the selection.
        won: the name of the candidate that won the selection; empty without one.
        won_kind: its kind.
        device: its name.
        curves: by name, one value an epoch.
        cells: the found cells in numbers.
        changed: settings that were changed while the run went on.
    """

    name: str
    seed: int
    test: float | None
    arch: float | None
    params: int | None
    macs: int | None
    search_seconds: float | None
    train_seconds: float | None
    device: str
    curves: Mapping[str, Sequence[float | None]] = field(default_factory=dict, repr=False)
    cells: str = ""
    select_seconds: float | None = None
    won: str = ""
    won_kind: str = ""
    changed: tuple[str, ...] = ()


@dataclass(frozen=True)
class CellResult:
    """A cell of the design with its runs.

    Args:
        cell: the cell.
        runs: its finished runs.
        planned: how many there should be.
        retrained: trainings of its best search's network.
        best: the seed of that search.
    """

    cell: Cell
    runs: tuple[RunFigures, ...]
    planned: int
    retrained: tuple[RunFigures, ...] = ()
    best: int | None = None

    def values(self, name: str) -> dict[int, float]:
        """A figure of each run that has it, by seed."""
        found = {run.seed: getattr(run, name) for run in self.runs}
        return {seed: value for seed, value in found.items() if value is not None}

    def spread(self, name: str) -> Spread | None:
        """A figure's spread over the searches."""
        return spread(list(self.values(name).values()))

    def won_by(self) -> Counter[str]:
        """How many selections a candidate of each kind has won."""
        return Counter(run.won_kind for run in self.runs if run.won_kind)

    def retrained_spread(self) -> Spread | None:
        """The spread of the test accuracy over trainings of the best search's network."""
        return spread([run.test for run in self.retrained if run.test is not None])


@dataclass(frozen=True)
class Results:
    """A study's results so far.

    Args:
        cells: of the design.
        metric: the figure that cells are compared by: "test", or "arch" where nothing was trained.
        tests: pairs of cells over common seeds.
        unfinished: runs that are missing, with their state.
    """

    cells: tuple[CellResult, ...]
    metric: str
    tests: tuple[PairedTest, ...]
    unfinished: tuple[tuple[str, RunState], ...]


def read_figures(root: Path, run: PlannedRun) -> RunFigures:
    """Reads a finished run's figures.

    Raises:
        RunError: a file is missing or damaged.
    """
    folder = RunFolder.open(root / run.name)
    record, trace = folder.read_run(), folder.read_trace()
    found = folder.read_json(files.RESULTS).get("found", {}) if folder.has(files.RESULTS) else {}
    search = [entry for entry in trace if entry["phase"] == "search"]
    training = [entry for entry in trace if entry["phase"] == "train" and entry.get("network") == "found"]
    phases = record.get("phases", {})
    return RunFigures(
        name=run.name,
        seed=run.seed,
        test=found.get("top1"),
        arch=search[-1]["arch_accuracy"] if search else None,
        params=found.get("params"),
        macs=found.get("macs"),
        search_seconds=phases.get("search", {}).get("seconds"),
        train_seconds=found.get("train_seconds"),
        device=str(record.get("device_name", "")),
        curves=_curves(search, training),
        cells=_cells_in_words(search, found),
        select_seconds=phases.get("select", {}).get("seconds"),
        won=record.get("won", {}).get("name", ""),
        won_kind=record.get("won", {}).get("kind", ""),
        changed=tuple(record.get("changed_settings", ())),
    )


def _curves(search: Sequence[Mapping[str, Any]], training: Sequence[Mapping[str, Any]]) -> dict[str, list[Any]]:
    curves = {
        "arch accuracy": [entry.get("arch_accuracy") for entry in search],
        "arch loss": [entry.get("arch_loss") for entry in search],
        "skips in the normal cell": [(entry.get("skips") or {}).get("normal") for entry in search],
        "training accuracy": [entry.get("accuracy") for entry in training],
        "training loss": [entry.get("loss") for entry in training],
    }
    return {name: values for name, values in curves.items() if any(value is not None for value in values)}


def _cells_in_words(search: Sequence[Mapping[str, Any]], found: Mapping[str, Any]) -> str:
    if search and "depth" in search[-1]:
        last = search[-1]
        return "; ".join(
            f"{name}: depth {depth}, {last['skips'][name]} skips, {last['pools'][name]} pools"
            for name, depth in last["depth"].items()
        )
    return ""


def gather(
    root: Path,
    runs: Sequence[PlannedRun],
    states: Mapping[str, RunState],
    *,
    retrained: Mapping[str, tuple[int, Sequence[PlannedRun]]],
    baseline: str,
) -> Results:
    """Reads everything that is finished.

    Args:
        root: the study's folder.
        runs: of the design.
        states: of these and the trainings of best networks, by name.
        retrained: for each cell's key, the seed of its best search and the trainings of its network.
        baseline: the method that the others are tested against; empty for all pairs.
    """
    cells: dict[str, CellResult] = {}
    for run in runs:
        old = cells.get(run.cell.key, CellResult(run.cell, (), 0))
        figures = (read_figures(root, run),) if states[run.name].status == "finished" else ()
        cells[run.cell.key] = replace(old, runs=(*old.runs, *figures), planned=old.planned + 1)
    for key, (best, trainings) in retrained.items():
        done = tuple(read_figures(root, run) for run in trainings if states[run.name].status == "finished")
        cells[key] = replace(cells[key], retrained=done, best=best)
    found = tuple(cells.values())
    metric = "test" if any(run.command == "run" for run in runs) else "arch"
    planned = [*runs, *(run for _, trainings in retrained.values() for run in trainings)]
    unfinished = tuple((r.name, states[r.name]) for r in planned if states[r.name].status != "finished")
    return Results(found, metric, _tests(found, metric, baseline), unfinished)


def _tests(cells: Sequence[CellResult], metric: str, baseline: str) -> tuple[PairedTest, ...]:
    """All pairs on the same images; with a baseline only those with it, on equal terms otherwise."""
    found = []
    for i, a in enumerate(cells):
        for b in cells[i + 1 :]:
            if a.cell.data != b.cell.data or not _wanted(a.cell, b.cell, baseline):
                continue
            first, second = (b, a) if a.cell.method == baseline else (a, b)
            test = paired_test(first.cell.key, second.cell.key, first.values(metric), second.values(metric))
            if test is not None:
                found.append(test)
    by_wilcoxon, by_t = holm([test.wilcoxon for test in found]), holm([test.t for test in found])
    return tuple(
        replace(test, wilcoxon_holm=w, t_holm=t) for test, w, t in zip(found, by_wilcoxon, by_t, strict=True)
    )


def _wanted(a: Cell, b: Cell, baseline: str) -> bool:
    if not baseline:
        return True
    same_terms = (a.space, a.grid) == (b.space, b.grid)
    return same_terms and baseline in (a.method, b.method)


def best_search(result: CellResult) -> RunFigures:
    """The search whose supernet did best on the arch split at its end; never asks for a test figure.

    Raises:
        RunError: no search of the cell recorded that accuracy.
    """
    known = [run for run in result.runs if run.arch is not None]
    if not known:
        raise RunError(
            f"{result.cell.key}: no search recorded an accuracy on the arch split, so the best one can't be told: "
            "leave --retrain-best away, or shorten warm_up.epochs"
        )
    return max(known, key=lambda run: (run.arch, -run.seed))
