"""Successive halving: how long candidates are trained before which of them are put out."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Annotated, Literal

from annotated_types import Gt, Le

from edgewise.config.limits import Epochs, Times
from edgewise.errors import ConfigError

Figure = Literal["loss", "accuracy"]


@dataclass(frozen=True)
class Rung:
    """A part of the selection, with a ranking at its end.

    Args:
        epochs: how long candidates have been trained at its end, from their start on.
        by: what ranks them: the mean training loss of their last epoch, or accuracy on the arch split.
    """

    epochs: int
    by: Figure


@dataclass(frozen=True)
class Halving:
    """How candidates are chosen from: all train, the better part trains on from its weights, until one is left.

    Rung r of R ends after `epochs * keep**(R - r)` epochs (rounded up), so that every rung costs about as much.
    The learning rate falls along one cosine over `epochs`, so that those that stay are trained as if nobody had
    asked in between. What is left alone is not trained on.

    Args:
        rungs: how often candidates are ranked.
        keep: share of the candidates that goes on after a rung, rounded up; with 1, nobody is put out before the
            last one.
        epochs: of a candidate that stays to the end.
        early: what ranks them at the end of all rungs but the last.
        last: what ranks them at the end of the last rung.

    Raises:
        ConfigError: there are more rungs than epochs.

    Source: Jamieson and Talwalkar 2016; the early ranking by training loss: Ru et al. 2021.
    """

    rungs: Times = 3
    keep: Annotated[float, Gt(0), Le(1)] = 0.5
    epochs: Epochs = 8
    early: Figure = "loss"
    last: Figure = "accuracy"

    def __post_init__(self) -> None:
        if self.rungs > self.epochs:
            raise ConfigError(
                f"selection.rungs = {self.rungs} and selection.epochs = {self.epochs}: every rung needs an epoch "
                f"of its own: lower selection.rungs, or raise selection.epochs to {self.rungs}"
            )

    def plan(self) -> tuple[Rung, ...]:
        """The rungs in their order; each ends at least an epoch after the one before it."""
        rungs: list[Rung] = []
        for left in range(self.rungs - 1, -1, -1):
            wanted = math.ceil(self.epochs * self.keep**left - 1e-9)
            before = rungs[-1].epochs if rungs else 0
            rungs.append(Rung(min(max(wanted, before + 1), self.epochs - left), self.early if left else self.last))
        return tuple(rungs)

    def ranks_by(self, figure: Figure) -> bool:
        """Whether any rung ranks by it."""
        return any(rung.by == figure for rung in self.plan())

    def going_on(self, candidates: int) -> int:
        """How many of so many go on after a rung."""
        return max(1, math.ceil(candidates * self.keep - 1e-9))

    def cost(self, candidates: int) -> int:
        """Epochs of training that a selection among so many costs, if none diverges."""
        total, before, left = 0, 0, candidates
        for rung in self.plan():
            if left == 1:
                break
            total += left * (rung.epochs - before)
            before, left = rung.epochs, self.going_on(left)
        return total
