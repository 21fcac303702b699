"""What a run will cost, in time and memory, measured on a few of its own steps before it starts."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

from edgewise.budget import EXACT
from edgewise.data import Augment, Splits
from edgewise.nn import StemName
from edgewise.pipeline.batch_size import MemoryEstimate, half_of, peak_of, room_bytes
from edgewise.pipeline.networks import build_candidate
from edgewise.pipeline.settings import RANDOM_SEARCH, Settings
from edgewise.pipeline.sizing import Sizing
from edgewise.progress.protocol import Progress
from edgewise.runtime.compute import Compute
from edgewise.search import SearchTask
from edgewise.spaces import Genotype, published
from edgewise.train import TrainTask

STEPS = 10
# A typical derived cell: the found one is not known yet.
TYPICAL = "PC_DARTS_cifar"
TYPICAL_OF = {"nb201": "NB201_ResNet", "nasnet": "NASNet"}


def typical_genotype(space: str) -> Genotype:
    """Cells to plan with while those of a search are unknown."""
    return published(TYPICAL_OF.get(space, TYPICAL))


@dataclass(frozen=True)
class PhaseEstimate:
    """The expected duration and memory of a phase.

    Args:
        name: of the phase.
        epochs: how many.
        steps: in an epoch.
        step_seconds: mean of the measured steps, the first left out.
        measured: how many steps were measured.
        memory: what it needs; None where that can't be measured.
    """

    name: str
    epochs: int
    steps: int
    step_seconds: float
    measured: int
    memory: MemoryEstimate | None = None

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

        def search(batch: int) -> SearchTask:
            sized = replace(settings, search=replace(settings.search, batch_size=batch))
            return SearchTask(sized, splits, augment, stem=stem, seed=0, compute=compute)

        yield _estimate_search(
            search, min(settings.search.batch_size, len(splits.weights)), settings, steps, compute
        )
    if command not in ("run", "train"):
        return
    for name, one in (settings.for_each_budget or {"": settings}).items():
        cells = genotype or typical_genotype(one.space)
        size = expected_size(cells, one, splits, stem)

        def train(batch: int, size: dict[str, int] | None = size, cells: Genotype = cells) -> TrainTask:
            network = build_candidate("found", cells, settings, splits, stem=stem, seed=0, size=size).network
            sized = replace(settings.train, batch_size=batch)
            return TrainTask(network, "found", sized, splits, train_augment, seed=0, compute=compute)

        batch = min(one.train.batch_size, len(splits.weights) + len(splits.arch))
        training, of_budget = _estimate_training(train, batch, steps, compute), f", budget {name}" if name else ""
        if command == "run" and one.selection is not None:
            epochs = one.selection.cost(one.candidates.total)
            steps_of_half = math.ceil(len(splits.weights) / one.train.batch_size)
            selection = f"selection{of_budget}"
            yield replace(training, name=selection, epochs=epochs, steps=steps_of_half, memory=None)
        yield replace(training, name=f"training{of_budget}")


def expected_size(cells: Genotype, settings: Settings, splits: Splits, stem: StemName) -> dict[str, int] | None:
    """The size of a network of some cells within the limits that need no export; None where there are none."""
    limits = {name: limit for name, limit in settings.budget.limits.items() if name in EXACT}
    if not limits:
        return None
    sizing = Sizing.of(settings, splits, stem=stem, budget=settings.budget, limits=limits)
    sized = sizing.cells(cells, what="a typical network")
    return {"channels": sized.channels, "layers": sized.layers}


def _estimate_training(
    make: Callable[[int], TrainTask], batch: int, steps: int, compute: Compute
) -> PhaseEstimate:
    small = _peak_at(make, half_of(batch), [0], compute)
    training, room = make(batch), room_bytes(compute)
    seconds, peak = _time(lambda i: training.step(0, i), steps, compute)
    memory = _line("training", (half_of(batch), small), (batch, peak), room)
    return PhaseEstimate("training", training.epochs, training.steps, seconds, steps, memory)


def say_cost(
    settings: Settings,
    splits: Splits,
    *,
    stem: StemName,
    compute: Compute,
    command: str,
    genotype: Genotype | None,
    progress: Progress,
) -> None:
    """Measures what a run will cost, and says so.

    Args:
        settings: the run's.
        splits: the run's.
        stem: of the networks.
        compute: device and precision.
        command: see `estimate`.
        genotype: see `estimate`.
        progress: is told.
    """
    progress.say("measuring what this run will cost ...")
    parts = estimate(
        settings,
        splits,
        augment=Augment.resolve(settings.augment, splits),
        train_augment=Augment.resolve(settings.train_augment, splits),
        stem=stem,
        compute=compute,
        command=command,
        genotype=genotype,
    )
    for part in parts:
        progress.say(f"expected: {part.sentence()}")
        if part.memory is not None:
            progress.say(f"memory: {part.memory.sentence()}")
    if command == "run" and settings.compared:
        progress.say(f"expected: trainings to compare with, about the same each: {', '.join(settings.compared)}")
    if command == "run" and RANDOM_SEARCH in settings.compared:
        progress.say("expected: random search, as long as search and selection together")


def _estimate_search(
    make: Callable[[int], SearchTask], batch: int, settings: Settings, steps: int, compute: Compute
) -> PhaseEstimate:
    """Frozen epochs lack the arch step, and stages differ in depth: each kind is measured and weighed."""
    epochs, frozen = settings.search.epochs, settings.frozen_epochs
    stages = [settings.locate(epoch)[0] for epoch in range(epochs)]
    lasts = [len(stages) - 1 - stages[::-1].index(stage) for stage in dict.fromkeys(stages)]
    small = _peak_at(make, half_of(batch), lasts, compute)
    task, room = make(batch), room_bytes(compute)
    seconds, peaks = 0.0, []
    for stage, last in zip(dict.fromkeys(stages), lasts, strict=True):
        first, count = stages.index(stage), stages.count(stage)
        full_step, peak = _time(lambda i, last=last: task.step(last, i), steps, compute)
        peaks.append(peak)
        frozen_step = full_step
        if frozen:
            frozen_step, _ = _time(lambda i, first=first: task.step(first, i), max(2, steps // 3), compute)
        seconds += frozen * frozen_step + (count - frozen) * full_step
    most = None if None in peaks else max(peaks)
    memory = _line("search", (half_of(batch), small), (batch, most), room)
    return PhaseEstimate("search", epochs, task.steps, seconds / epochs, steps, memory)


def _peak_at(
    make: Callable[[int], SearchTask | TrainTask], batch: int, epochs: list[int], compute: Compute
) -> int | None:
    """The highest memory of two steps in each of these epochs, on a task that is thrown away."""
    task = make(batch)
    return peak_of(lambda: [task.step(epoch, i) for epoch in epochs for i in range(2)], compute)


def _line(
    phase: str, small: tuple[int, int | None], full: tuple[int, int | None], room: int
) -> MemoryEstimate | None:
    if small[1] is None or full[1] is None:
        return None
    return MemoryEstimate.through(phase, (small[0], small[1]), (full[0], full[1]), room)


def _time(step: Callable[[int], object], steps: int, compute: Compute) -> tuple[float, int | None]:
    """Seconds of a step, and the highest memory."""
    seconds = 0.0

    def measure() -> None:
        nonlocal seconds
        step(0)
        _wait(compute)
        started = time.perf_counter()
        for i in range(steps):
            step(i + 1)
        _wait(compute)
        seconds = (time.perf_counter() - started) / steps

    peak = peak_of(measure, compute)
    if peak is None:
        measure()
    return seconds, peak


def _wait(compute: Compute) -> None:
    import torch

    if compute.device.type != "cpu":
        torch.accelerator.synchronize(compute.device)
