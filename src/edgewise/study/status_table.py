"""All runs of a study at a glance, while it goes on: a table in a terminal, plain lines elsewhere."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from edgewise.progress.pace import duration
from edgewise.progress.protocol import Progress
from edgewise.study.plan import Cell, PlannedRun
from edgewise.study.state import RunState, epochs_done

EVERY = 30.0
"""Seconds after which plain lines say how far the runs are."""


class StatusView(Protocol):
    """Shows how far every run is."""

    def note(self, run: PlannedRun, state: RunState) -> None:
        """Says that a run has another state now."""
        ...

    def refresh(self) -> None:
        """Looks how far the running ones are; cheap enough to be called several times a second."""
        ...

    def close(self) -> None:
        """Ends the picture."""
        ...


@dataclass
class StatusTable:
    """What is known about all runs: the content of the table, however it is shown.

    Args:
        root: the study's folder.
        runs: all of them.
        states: of each run, by name.
    """

    root: Path
    runs: Sequence[PlannedRun]
    states: dict[str, RunState]

    def columns(self) -> list[str]:
        """The heads: the cell, then the seeds."""
        return ["method", *(f"seed {seed}" for seed in self._seeds())]

    def rows(self) -> list[list[str]]:
        """One row for each cell of the design, one column for each seed."""
        by_place = {(run.cell.key, run.seed): run for run in self.runs}
        several = len({cell.data for cell in self._cells()}) > 1 or len({c.space for c in self._cells()}) > 1
        rows = []
        for cell in self._cells():
            name = f"{cell.label()} ({cell.space}, {cell.data})" if several else cell.label()
            found = [by_place.get((cell.key, seed)) for seed in self._seeds()]
            rows.append([name, *("" if run is None else self.entry(run) for run in found)])
        return rows

    def entry(self, run: PlannedRun) -> str:
        """The state of a run in a word or two."""
        state = self.states[run.name]
        if state.status == "running":
            return f"{min(1.0, epochs_done(self.root, run) / run.epochs()):.0%}"
        return {"waiting": ".", "finished": "done", "stopped": "stopped"}.get(state.status, state.status.upper())

    def count(self, *statuses: str) -> int:
        """How many runs are in one of these states."""
        return sum(self.states[run.name].status in statuses for run in self.runs)

    def share(self) -> float:
        """What part of all epochs is done, 0 to 1."""
        total = sum(run.epochs() for run in self.runs)
        done = sum(
            run.epochs()
            if self.states[run.name].status == "finished"
            else min(run.epochs(), epochs_done(self.root, run))
            for run in self.runs
        )
        return done / total if total else 1.0

    def _cells(self) -> list[Cell]:
        return list({run.cell.key: run.cell for run in self.runs}.values())

    def _seeds(self) -> list[int]:
        return list(dict.fromkeys(run.seed for run in self.runs))


class PlainStatusView:
    """A line when a run begins or ends, and now and then how far the running ones are.

    Args:
        statuses: the table.
        progress: prints the lines.
        clock: seconds, rising.
        every: seconds between two lines on running runs.
    """

    def __init__(
        self,
        statuses: StatusTable,
        progress: Progress,
        *,
        clock: Callable[[], float] = time.monotonic,
        every: float = EVERY,
    ) -> None:
        self._statuses, self._progress = statuses, progress
        self._clock, self._every = clock, every
        self._printed = self._began = clock()
        self._share = statuses.share()

    def note(self, run: PlannedRun, state: RunState) -> None:
        """Prints the run and its new state."""
        self._statuses.states[run.name] = state
        done, total = self._statuses.count("finished"), len(self._statuses.runs)
        text = {"running": "started"}.get(state.status, state.status)
        self._say(f"[{done}/{total}] {run.name}: {text}{f': {state.detail}' if state.detail else ''}")

    def refresh(self) -> None:
        """Prints how far the running ones are, when nothing was printed for a while."""
        if self._clock() - self._printed < self._every:
            return
        running = [run for run in self._statuses.runs if self._statuses.states[run.name].status == "running"]
        if running:
            parts = ", ".join(f"{run.name} {self._statuses.entry(run)}" for run in running)
            self._say(f"{self._statuses.share():.0%} of all epochs{self._left()}; {parts}")

    def close(self) -> None:
        """Prints nothing more."""

    def _left(self) -> str:
        gained, spent = self._statuses.share() - self._share, self._clock() - self._began
        return f", {duration(spent / gained * (1 - self._statuses.share()))} left" if gained > 0 else ""

    def _say(self, text: str) -> None:
        self._progress.say(text)
        self._printed = self._clock()
