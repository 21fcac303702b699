"""What a run will cost, measured on a few of its own steps before it starts."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from edgewise.core.compute import Compute
from edgewise.data import Augment, Splits
from edgewise.nn import StemName
from edgewise.pipeline.networks import build_candidate
from edgewise.pipeline.settings import Settings
from edgewise.search import SearchTask
from edgewise.spaces import Genotype, published
from edgewise.train import TrainTask

STEPS = 10
# A typical derived cell: the found one is not known yet.
TYPICAL = "PC_DARTS_cifar"


@dataclass(frozen=True)
class PhaseEstimate:
    """The expected duration of a phase.

    Args:
        name: of the phase.
        epochs: how many.
        steps: in an epoch.
        step_seconds: mean of the measured steps, the first left out.
        measured: how many steps were measured.
    """

    name: str
    epochs: int
    steps: int
    step_seconds: float
    measured: int

    @property
    def seconds(self) -> float:
        """The whole phase."""
        return self.epochs * self.steps * self.step_seconds

    def sentence(self) -> str:
        """The estimate in words."""
        return (
            f"{self.name}: {self.epochs} epochs x {self.steps} steps x {self.step_seconds:.2f} s "
            f"= {duration(self.seconds)} (measured on {self.measured} steps)"
        )


def duration(seconds: float) -> str:
    """A duration in its two largest units."""
    if seconds < 60:
        return f"{seconds:.0f} s"
    if seconds < 3600:
        return f"{seconds / 60:.0f} min"
    if seconds < 48 * 3600:
        return f"{seconds / 3600:.1f} h"
    return f"{seconds / 86400:.1f} days"


def estimate(
    settings: Settings,
    splits: Splits,
    *,
    augment: Augment,
    train_augment: Augment,
    stem: StemName,
    compute: Compute,
    command: str = "run",
    genotype: Genotype | None = None,
    steps: int = STEPS,
) -> Iterator[PhaseEstimate]:
    """Measures search and training steps on throw-away copies, one phase after the other; the run is not touched.

    Args:
        settings: the run's.
        splits: the run's.
        augment: of the search.
        train_augment: of the training.
        stem: of the networks.
        compute: device and precision.
        command: "run", "search" or "train".
        genotype: the cells to train; a published network's while they are unknown.
        steps: how many steps to measure, besides a first one.
    """
    if command in ("run", "search"):
        task = SearchTask(settings, splits, augment, stem=stem, seed=0, compute=compute)
        yield _estimate_search(task, settings.frozen_epochs, steps, compute)
    if command in ("run", "train"):
        cells = genotype or published(TYPICAL)
        candidate = build_candidate("found", cells, settings, splits, stem=stem, seed=0)
        training = TrainTask(
            candidate.network, "found", settings.train, splits, train_augment, seed=0, compute=compute
        )
        seconds = _time(lambda i: training.step(0, i), steps, compute)
        yield PhaseEstimate("training", training.epochs, training.steps, seconds, steps)


def _estimate_search(task: SearchTask, frozen: int, steps: int, compute: Compute) -> PhaseEstimate:
    """Frozen epochs lack the arch step: both kinds are measured, and weighed by their number."""
    epochs = task.epochs
    full = _time(lambda i: task.step(epochs - 1, i), steps, compute)
    lean = _time(lambda i: task.step(0, i), max(2, steps // 3), compute) if frozen else full
    mean = (frozen * lean + (epochs - frozen) * full) / epochs
    return PhaseEstimate("search", epochs, task.steps, mean, steps)


def _time(step: Callable[[int], object], steps: int, compute: Compute) -> float:
    step(0)
    _wait(compute)
    started = time.perf_counter()
    for i in range(steps):
        step(i + 1)
    _wait(compute)
    return (time.perf_counter() - started) / steps


def _wait(compute: Compute) -> None:
    import torch

    if compute.device.type != "cpu":
        torch.accelerator.synchronize(compute.device)
