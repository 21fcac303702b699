"""RobustDARTS: stop, or regularise more, when the largest eigenvalue of the architecture Hessian rises."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal

from annotated_types import Gt

from edgewise.config.limits import Epochs, EpochsOrNone, Times
from edgewise.methods.part import Combination, Part
from edgewise.methods.roles import WeightDecayRule
from edgewise.methods.schedule import SchedulePosition


@dataclass(frozen=True)
class HessianStop(Part):
    """Watches the largest eigenvalue of the Hessian of the arch loss with respect to alpha.

    The eigenvalue is taken every `every` epochs and in the last one, and averaged over the last `window` values
    (fewer at the start; none before half a window). An average belongs to the epoch half a window back. When it is
    more than `factor` times the average `delta` evaluations earlier, the search stops and takes the cells of the
    epoch that the earlier average belongs to, which must not lie before `start`. An earlier average of 0 or less,
    of which nothing is a multiple, stops nothing (a deviation from the authors' code, which divides by it).

    Args:
        every: epochs between evaluations.
        window: evaluations that are averaged.
        delta: evaluations between the two averages.
        factor: the rise that stops.
        start: the earliest epoch whose cells may be taken.

    Source: RobustDARTS §4.3 (early stopping), EVLocalAvg in utils.py of the authors' code.
    """

    every: Epochs = 2
    window: Times = 5
    delta: Times = 4
    factor: Annotated[float, Gt(0)] = 1.3
    start: EpochsOrNone = 10
    kind: Literal["hessian_stop"] = "hessian_stop"
    sources: ClassVar[tuple[str, ...]] = ("robust-darts",)

    def due(self, epoch: int, epochs: int) -> bool:
        """Whether an epoch ends with an evaluation."""
        return epoch % self.every == 0 or epoch == epochs - 1

    def stop_epoch(self, eigenvalues: Sequence[float], epoch: int, epochs: int) -> int | None:
        """The epoch whose cells are taken if the search stops now, or None to go on.

        Args:
            eigenvalues: all values so far, the last one of this epoch.
            epoch: this epoch, counted from 0.
            epochs: of the search; the last epoch stops nothing.
        """
        # Rounded up: 3 values for a window of 5.
        half = -(-self.window // 2)
        if len(eigenvalues) < half or epoch >= epochs - 1:
            return None
        averages = [
            sum(eigenvalues[max(0, n - self.window) : n]) / min(n, self.window)
            for n in range(half, len(eigenvalues) + 1)
        ]
        candidate = epoch - self.every * (self.window // 2) - self.every * self.delta
        if candidate < self.start or len(averages) <= self.delta:
            return None
        earlier = averages[-1 - self.delta]
        return candidate if earlier > 0 and averages[-1] / earlier > self.factor else None


@dataclass(frozen=True)
class Adaptation(WeightDecayRule):
    """Instead of stopping: multiply the weight decay, go back to the epoch that a stop would take, and go on.

    Weights, alpha, beta, both optimisers and the eigenvalues so far go back; random streams and batches go on, so
    that the second try sees other batches. The weight decay never exceeds `most`; once it is there, the rule rests
    and the search goes to its end. A second roll-back goes no further back than the first: the states before it
    are not kept, where the authors keep every epoch's.

    Args:
        times: what the weight decay is multiplied with.
        most: the largest weight decay.

    Source: RobustDARTS §5.3 (DARTS-ADA), train_search.py of the authors' code.
    """

    times: Annotated[float, Gt(1)] = 10.0
    most: Annotated[float, Gt(0)] = 0.03
    kind: Literal["adaptation"] = "adaptation"
    setting: ClassVar[str] = "adaptation"
    sources: ClassVar[tuple[str, ...]] = ("robust-darts",)

    def refusals(self, recipe: Combination) -> list[str]:
        """It acts in the place of a stop, and multiplies a weight decay."""
        faults = []
        if not recipe.parts_of(HessianStop):
            faults.append(
                "adaptation without stop: it acts when the stop rule fires; add it (stop.kind=hessian_stop) or "
                "drop adaptation (adaptation=none)"
            )
        if recipe.weights.weight_decay == 0.0:
            faults.append(
                "adaptation and weights.weight_decay = 0: 0 can't be multiplied up; give a weight decay above 0, "
                "or drop adaptation (adaptation=none)"
            )
        return faults

    def weight_decay(self, base: float, position: SchedulePosition, factor: float) -> float:
        """See `WeightDecayRule.weight_decay`."""
        del position
        return min(base * factor, max(base, self.most))
