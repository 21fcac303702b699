"""How far something is and how long it takes, as people read it."""

from __future__ import annotations

from collections.abc import Callable, Mapping

Figures = Mapping[str, float | None] | Callable[[], Mapping[str, float | None]]
"""Loss, accuracy (0..1) and the like; a callable is asked only when drawn, so that it may wait for a device."""


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
