"""Progress as bars in a terminal."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TextIO

from rich.console import Console
from rich.progress import BarColumn, TextColumn
from rich.progress import Progress as Bars
from rich.table import Table
from rich.text import Text

from edgewise.progress.pace import Figures, Pace, duration, shown_figures
from edgewise.progress.protocol import Phase
from edgewise.text import in_line, printable

_REDRAW = 0.1
"""Seconds between two drawings."""


class RichProgress:
    """Two bars, epochs and steps, with figures and time left; a line is left behind when a phase ends.

    Args:
        stream: a terminal.
        clock: seconds, rising.
        width: of the terminal, in characters; None asks it.
    """

    def __init__(
        self, stream: TextIO, *, clock: Callable[[], float] = time.monotonic, width: int | None = None
    ) -> None:
        self.console = Console(file=stream, force_terminal=True, width=width)
        self._clock = clock

    @contextmanager
    def phase(self, title: str, epochs: int, steps: int, start_epoch: int = 0) -> Iterator[Phase]:
        """Shows the phase's bars."""
        pace = Pace(epochs, steps, start_epoch, self._clock)
        columns = (
            TextColumn("{task.description}", markup=False),
            BarColumn(bar_width=24),
            TextColumn("{task.fields[text]}", markup=False),
        )
        # No thread redraws: the figures may ask a device that the run is using.
        with Bars(*columns, console=self.console, auto_refresh=False, transient=True) as bars:
            phase = _RichPhase(bars, title, pace, self._clock, start_epoch)
            yield phase
        self.say(", ".join([f"{title}: {epochs} epochs", f"took {duration(pace.elapsed())}", *phase.last]))

    def say(self, text: str) -> None:
        """Prints a line above the bars."""
        self.console.print(printable(text), markup=False, highlight=False, soft_wrap=True)

    def table(self, title: str, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
        """Prints a table."""
        table = Table(title=title, title_justify="left")
        for i, column in enumerate(columns):
            table.add_column(column, justify="right" if i else "left")
        for row in rows:
            # Texts, so that a file called "[red]" is no markup.
            table.add_row(*(Text(in_line(cell)) for cell in row))
        self.console.print(table)


class _RichPhase:
    def __init__(self, bars: Bars, title: str, pace: Pace, clock: Callable[[], float], start_epoch: int) -> None:
        self._bars, self._pace, self._clock = bars, pace, clock
        self._whole = bars.add_task(title, total=1.0, text="")
        self._within = bars.add_task("", total=pace.steps, text="")
        self._drawn = float("-inf")
        self.last: list[str] = []
        self._draw(start_epoch, 0, {})

    def step(self, epoch: int, step: int, figures: Figures) -> None:
        self._pace.step(epoch, step)
        if self._clock() - self._drawn >= _REDRAW:
            self._draw(epoch, step + 1, figures)

    def epoch(self, epoch: int, figures: Figures) -> None:
        self._pace.epoch(epoch)
        self._draw(epoch, self._pace.steps, figures)

    def _draw(self, epoch: int, step: int, figures: Figures) -> None:
        self.last = shown_figures(figures)
        shown_epoch = min(epoch + 1, self._pace.epochs)
        parts = (f"epoch {shown_epoch}/{self._pace.epochs}", f"{self._pace.fraction:.0%}", self._pace.left())
        whole = ", ".join(part for part in parts if part)
        within = ", ".join([f"step {step}/{self._pace.steps}", *self.last])
        self._bars.update(self._whole, completed=self._pace.fraction, text=whole)
        self._bars.update(self._within, completed=step, text=within)
        self._bars.refresh()
        self._drawn = self._clock()
