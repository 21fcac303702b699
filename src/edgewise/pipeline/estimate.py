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
TYPICAL_OF = {"nb201": "NB201_ResNet", "nasnet": "NASNet"}


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
        yield _estimate_search(task, settings, steps, compute)
    if command in ("run", "train"):
        cells = genotype or published(TYPICAL_OF.get(settings.space, TYPICAL))
        candidate = build_candidate("found", cells, settings, splits, stem=stem, seed=0)
        training = TrainTask(
            candidate.network, "found", settings.train, splits, train_augment, seed=0, compute=compute
        )
        seconds = _time(lambda i: training.step(0, i), steps, compute)
        yield PhaseEstimate("training", training.epochs, training.steps, seconds, steps)


def _estimate_search(task: SearchTask, settings: Settings, steps: int, compute: Compute) -> PhaseEstimate:
    """Frozen epochs lack the arch step, and stages differ in depth: each kind is measured and weighed."""
    epochs, frozen = task.epochs, settings.frozen_epochs
    stages = [settings.locate(epoch)[0] for epoch in range(epochs)]
    seconds = 0.0
    for stage in dict.fromkeys(stages):
        first, count = stages.index(stage), stages.count(stage)
        last = first + count - 1
        full = _time(lambda i, last=last: task.step(last, i), steps, compute)
        lean = full
        if frozen:
            lean = _time(lambda i, first=first: task.step(first, i), max(2, steps // 3), compute)
        seconds += frozen * lean + (count - frozen) * full
    return PhaseEstimate("search", epochs, task.steps, seconds / epochs, steps)


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
