"""What the user sees while a run goes on: bars in a terminal, plain lines elsewhere, or nothing."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import Protocol, TextIO

from edgewise.runtime.launcher import launched
from edgewise.text import in_line, printable

Figures = Mapping[str, float | None] | Callable[[], Mapping[str, float | None]]
"""Loss, accuracy (0..1) and the like; a callable is asked only when drawn, so that it may wait for a device."""


class Phase(Protocol):
    """One search or training, while it goes on."""

    def step(self, epoch: int, step: int, figures: Figures) -> None:
        """Says that a step is done; cheap enough for every step.

        Args:
            epoch: counted from 0.
            step: within the epoch, counted from 0.
            figures: of the epoch so far.
        """
        ...

    def epoch(self, epoch: int, figures: Figures) -> None:
        """Says that an epoch is done.

        Args:
            epoch: counted from 0.
            figures: of the whole epoch.
        """
        ...


class Progress(Protocol):
    """Shows how far a run is."""

    def phase(self, title: str, epochs: int, steps: int, start_epoch: int = 0) -> AbstractContextManager[Phase]:
        """Shows a phase until the context ends.

        Args:
            title: its name.
            epochs: number of epochs.
            steps: number of steps in an epoch.
            start_epoch: epochs that are done already.
        """
        ...

    def say(self, text: str) -> None:
        """Prints a line."""
        ...

    def table(self, title: str, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
        """Prints a table; all columns but the first stand on the right."""
        ...


def make_progress(stream: TextIO | None = None) -> Progress:
    """Bars where the stream is a terminal that can draw them, else plain lines; nothing but in the first process.

    Args:
        stream: where to write; None is standard output.
    """
    if launched()[0] > 0:
        return SilentProgress()
    target = stream or sys.stdout
    unicode = (getattr(target, "encoding", None) or "").lower().startswith("utf")
    if target.isatty() and unicode and os.environ.get("TERM") != "dumb":
        from edgewise.core.progress_rich import RichProgress

        return RichProgress(target)
    return PlainProgress(target)


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


class Pace:
    """How far a phase is and how long the rest takes, from the mean time of a step since it began.

    Args:
        epochs: number of epochs.
        steps: number of steps in an epoch.
        start_epoch: epochs that are done already.
        clock: seconds, rising.
    """

    def __init__(self, epochs: int, steps: int, start_epoch: int, clock: Callable[[], float]) -> None:
        self.epochs = epochs
        self.steps = steps
        self._clock = clock
        self._began = clock()
        self._first = self._done = start_epoch * steps
        self._moved = False

    def step(self, epoch: int, step: int) -> None:
        """Notes a step that is done."""
        if not self._moved:
            # A resumed run may begin within an epoch: what was done before took none of this run's time.
            self._first = epoch * self.steps + step
        self._moved = True
        self._done = epoch * self.steps + step + 1

    def epoch(self, epoch: int) -> None:
        """Notes an epoch that is done."""
        self._moved = True
        self._done = (epoch + 1) * self.steps

    @property
    def fraction(self) -> float:
        """What part of the phase is done, 0..1."""
        total = self.epochs * self.steps
        return self._done / total if total else 1.0

    def elapsed(self) -> float:
        """Seconds since the phase began."""
        return self._clock() - self._began

    def left(self) -> str:
        """The time left, for people; empty before the first step and at the end."""
        done, rest = self._done - self._first, self.epochs * self.steps - self._done
        return f"{duration(self.elapsed() / done * rest)} left" if done > 0 and rest > 0 else ""


def shown_figures(figures: Figures) -> list[str]:
    """Figures as people read them: accuracies in percent, whole numbers whole, others with four digits."""
    values = figures() if callable(figures) else figures
    return [
        f"{name} {value:.1%}" if "accuracy" in name else f"{name} {value:{'d' if type(value) is int else '.4g'}}"
        for name, value in values.items()
        if value is not None
    ]


def duration(seconds: float) -> str:
    """A time as people read it: "45 s", "3 min 20 s", "2 h 05 min"."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02d} min"
