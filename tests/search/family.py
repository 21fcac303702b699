"""Recipes of the whole table at the size of a test, and a task driven as the loop drives it."""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import torch

from edgewise.data import Batch
from edgewise.methods import (
    RECIPES,
    Adaptation,
    HessianStop,
    Recipe,
    SkipDropout,
    Stages,
    WarmUp,
)
from edgewise.search import BilevelSearch, SearchTask
from tests.search.problem import make_splits, make_task, tiny

# Any rise fires, and so does most of any fall: the epoch before the one that is seen is taken.
EAGER = HessianStop(every=1, window=1, delta=1, factor=1e-3, start=1)
NEVER = HessianStop(every=1, window=1, delta=1, factor=1e9, start=0)


def small(recipe: Recipe, *, epochs: int = 2) -> Recipe:
    """A recipe on the small space, at the size of a test; stages, stop and warm-up shrink with it.

    Args:
        recipe: of the table.
        epochs: of the search, or of each of its stages.
    """
    parts: dict[str, Any] = {"space": "small"}
    if recipe.stages is not None:
        parts |= {
            "stages": Stages(add_layers=(0, 1, 2), primitives=(8, 5, 3)),
            "skip_dropout": SkipDropout(rates=(0.1, 0.4, 0.7)),
        }
        epochs *= 3
    if recipe.stop is not None:
        parts["stop"] = EAGER
    if recipe.adaptation is not None:
        parts["adaptation"] = Adaptation(times=10.0, most=100 * recipe.weights.weight_decay)
    base = tiny(recipe)
    shrunk = replace(base, search=replace(base.search, epochs=epochs), arch=replace(base.arch, lr=0.02), **parts)
    return replace(shrunk, warm_up=WarmUp(epochs=1) if recipe.stages is not None else None)


def named(name: str, *, epochs: int = 2) -> Recipe:
    """`small` of the recipe with that name."""
    return small(RECIPES[name], epochs=epochs)


def quick_task(recipe: Recipe, *, seed: int = 5) -> SearchTask:
    """A task of two steps an epoch."""
    return make_task(recipe, make_splits(weights=8, arch=8), seed=seed)


Saves = dict[tuple[int, int], bytes]


def saved(state: dict[str, Any]) -> bytes:
    """What a checkpoint file would hold."""
    buffer = io.BytesIO()
    torch.save(state, buffer)
    return buffer.getvalue()


def loaded(data: bytes) -> dict[str, Any]:
    """Reads it as checkpoints are read."""
    return torch.load(io.BytesIO(data), weights_only=True)


@dataclass
class Ended:
    """What a task left behind.

    Args:
        records: of its epochs.
        task: at its end.
        saves: its state at each (epoch, step) where the loop may save.
    """

    records: list[dict[str, Any]]
    task: SearchTask
    saves: Saves


def run(
    task: SearchTask,
    epoch: int = 0,
    step: int = 0,
    *,
    before: Callable[[int, int], None] | None = None,
    save: bool = False,
) -> Ended:
    """Runs a task to its end, as the loop does.

    Args:
        task: the task.
        epoch: where it stands.
        step: where it stands in the epoch.
        before: called before each step.
        save: whether to keep the state at every place where the loop may save.
    """
    records, saves = [], {}
    while epoch < task.epochs:
        while step < task.steps:
            if save:
                saves[epoch, step] = saved(task.state_dict())
            if before is not None:
                before(epoch, step)
            task.step(epoch, step)
            step += 1
        task.check_finite(epoch)
        records.append(task.finish_epoch(epoch))
        epoch, step = epoch + 1, 0
    if save:
        saves[epoch, step] = saved(task.state_dict())
    return Ended(records, task, saves)


def cheap_eigenvalue(search: BilevelSearch, batch: Batch, generator: torch.Generator) -> dict[str, float]:
    """A number in the eigenvalue's place that hangs on alpha, the batch and the stream, and is always positive."""
    alpha = sum(float(value.detach().double().square().sum()) for value in search.arch.alpha.values())
    draw = float(torch.rand((), generator=generator))
    return {"eigenvalue": 1.0 + alpha + float(batch.x.mean()) ** 2 + draw, "residual": 0.0, "products": 1}
