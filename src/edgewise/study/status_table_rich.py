"""The table of all runs in a terminal."""

from __future__ import annotations

import time
from collections.abc import Callable

from rich.live import Live
from rich.table import Table

from edgewise.progress.bars import RichProgress
from edgewise.progress.pace import duration
from edgewise.progress.protocol import Progress
from edgewise.study.plan import PlannedRun
from edgewise.study.state import RunState
from edgewise.study.status_table import PlainStatusView, StatusTable, StatusView

_REDRAW = 0.5
_STYLES = {"done": "green", ".": "dim", "stopped": "yellow", "FAILED": "bold red", "BROKEN": "bold red"}


class RichStatusView:
    """A table that is drawn anew in place; what goes wrong is left behind as a line above it.

    Args:
        statuses: the table.
        progress: owns the terminal.
        clock: seconds, rising.
    """

    def __init__(
        self, statuses: StatusTable, progress: RichProgress, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._statuses, self._progress, self._clock = statuses, progress, clock
        self._began, self._share = clock(), statuses.share()
        self._drawn = clock()
        # No thread redraws: the runs may want the processor.
        self._live = Live(self._table(), console=progress.console, auto_refresh=False)
        self._live.start()

    def note(self, run: PlannedRun, state: RunState) -> None:
        """Redraws at once; says what went wrong."""
        self._statuses.states[run.name] = state
        if state.status in ("failed", "broken", "stopped"):
            self._progress.say(f"{run.name}: {state.status}: {state.detail}")
        self._draw()

    def refresh(self) -> None:
        """Redraws, if the last time is long enough ago."""
        if self._clock() - self._drawn >= _REDRAW:
            self._draw()

    def close(self) -> None:
        """Leaves the table as it is."""
        self._draw()
        self._live.stop()

    def _draw(self) -> None:
        self._live.update(self._table(), refresh=True)
        self._drawn = self._clock()

    def _table(self) -> Table:
        statuses = self._statuses
        table = Table(title=self._title(), title_justify="left")
        for i, column in enumerate(statuses.columns()):
            table.add_column(column, justify="right" if i else "left")
        for row in statuses.rows():
            table.add_row(
                row[0], *(f"[{_STYLES.get(entry, 'cyan')}]{entry}[/]" if entry else "" for entry in row[1:])
            )
        return table

    def _title(self) -> str:
        statuses, share = self._statuses, self._statuses.share()
        parts = [
            f"{statuses.count('finished')} of {len(statuses.runs)} runs finished",
            f"{share:.0%} of all epochs",
        ]
        if failed := statuses.count("failed", "broken"):
            parts.append(f"{failed} failed")
        gained, spent = share - self._share, self._clock() - self._began
        if gained > 0 and share < 1:
            parts.append(f"{duration(spent / gained * (1 - share))} left")
        return ", ".join(parts)


def make_status_view(statuses: StatusTable, progress: Progress) -> StatusView:
    """A table that redraws itself where the progress draws bars, else plain lines."""
    return (
        RichStatusView(statuses, progress)
        if isinstance(progress, RichProgress)
        else PlainStatusView(statuses, progress)
    )
