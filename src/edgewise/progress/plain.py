"""Progress as plain lines, and none at all."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TextIO

from edgewise.progress.pace import Figures, Pace, shown_figures
from edgewise.progress.protocol import Phase
from edgewise.text import in_line, printable


class SilentProgress:
    """Shows nothing."""

    @contextmanager
    def phase(self, title: str, epochs: int, steps: int, start_epoch: int = 0) -> Iterator[Phase]:
        """Shows nothing."""
        yield _SilentPhase()

    def say(self, text: str) -> None:
        """Prints nothing."""

    def table(self, title: str, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
        """Prints nothing."""


class _SilentPhase:
    def step(self, epoch: int, step: int, figures: Figures) -> None:
        pass

    def epoch(self, epoch: int, figures: Figures) -> None:
        pass


class PlainProgress:
    """A line for every epoch, and between them when nothing was printed for a while.

    Args:
        stream: where to write.
        clock: seconds, rising.
        every: seconds without a line after which a step prints one.
    """

    def __init__(
        self, stream: TextIO, *, clock: Callable[[], float] = time.monotonic, every: float = 30.0
    ) -> None:
        self._stream = stream
        self._clock = clock
        self._every = every

    @contextmanager
    def phase(self, title: str, epochs: int, steps: int, start_epoch: int = 0) -> Iterator[Phase]:
        """Prints the phase's epochs."""
        yield _PlainPhase(self, title, Pace(epochs, steps, start_epoch, self._clock), self._clock, self._every)

    def say(self, text: str) -> None:
        """Prints a line."""
        try:
            print(printable(text), file=self._stream, flush=True)
        except UnicodeEncodeError:
            # A class name that the terminal can't show must not end a run of hours.
            encoding = self._stream.encoding or "ascii"
            print(printable(text).encode(encoding, "replace").decode(encoding), file=self._stream, flush=True)

    def table(self, title: str, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
        """Prints a table in plain text."""
        lines = [[in_line(cell) for cell in row] for row in (columns, *rows)]
        widths = [max(len(line[i]) for line in lines) for i in range(len(columns))]
        self.say(title)
        for line in (lines[0], ["-" * width for width in widths], *lines[1:]):
            cells = [line[0].ljust(widths[0])]
            cells += [cell.rjust(width) for cell, width in zip(line[1:], widths[1:], strict=True)]
            self.say("  ".join(cells).rstrip())


class _PlainPhase:
    def __init__(
        self, progress: PlainProgress, title: str, pace: Pace, clock: Callable[[], float], every: float
    ) -> None:
        self._progress, self._title, self._pace = progress, title, pace
        self._clock, self._every = clock, every
        self._printed = clock()

    def step(self, epoch: int, step: int, figures: Figures) -> None:
        self._pace.step(epoch, step)
        if self._clock() - self._printed >= self._every and step + 1 < self._pace.steps:
            self._print(f"epoch {epoch + 1}/{self._pace.epochs}, step {step + 1}/{self._pace.steps}", figures)

    def epoch(self, epoch: int, figures: Figures) -> None:
        self._pace.epoch(epoch)
        self._print(f"epoch {epoch + 1}/{self._pace.epochs}", figures)

    def _print(self, where: str, figures: Figures) -> None:
        parts = [where, f"{self._pace.fraction:.0%}", *shown_figures(figures), self._pace.left()]
        self._progress.say(f"{self._title}: {', '.join(part for part in parts if part)}")
        self._printed = self._clock()
