"""What shows how far a run is."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from typing import Protocol

from edgewise.progress.pace import Figures


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
