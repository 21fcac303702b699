"""Steps on a pretended accelerator, in a process of its own: `python -m tests.search.on_accelerator GROUP`.

Prints a line of JSON for each case of the group: what waited in each of two steps, and the losses.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Protocol
from unittest.mock import patch

import torch
from torch import Tensor

from edgewise.data import DataSettings, Splits, load
from edgewise.data.streamed import StreamedPixels
from edgewise.methods import RECIPES, Adversarial, ArchParameters, ConflictMeter, Recipe, projection
from edgewise.nn import EngineName
from edgewise.runtime.compute import Compute
from edgewise.runtime.random import Streams
from edgewise.search import SearchTask, bilevel
from edgewise.spaces.space import SPACES
from edgewise.train import TrainTask
from tests.data.helpers import write_folder
from tests.pretended import NAME, Held, noted, pretended
from tests.search.family import named
from tests.search.problem import AUGMENT, SMALL, make_splits
from tests.train.test_task import SETTINGS, network

# Beyond the warm-up, and within the first stage.
EPOCH = 1


class Task(Protocol):
    """A search or a training."""

    def step(self, epoch: int, step: int) -> object: ...

    def figures(self) -> dict[str, float]: ...


Case = tuple[str, Callable[[], Task], AbstractContextManager[Any]]
"""Its name, what makes it, and what is wrong within it."""


def search(recipe: Recipe, engine: EngineName, device: str = NAME, splits: Splits | None = None) -> SearchTask:
    """A search of two steps an epoch, or more on other images."""
    recipe = replace(recipe, search=replace(recipe.search, engine=engine))
    if isinstance(recipe.perturbation, Adversarial):
        recipe = replace(recipe, perturbation=Adversarial(steps=2))
    splits = splits or make_splits(weights=8, arch=8)
    task = SearchTask(recipe, splits, AUGMENT, stem="cifar", seed=5, compute=Compute(device))
    assert all(isinstance(one, Held) == (device == NAME) for one in task.search.supernet.parameters())
    return task


def training() -> TrainTask:
    """A training with drop-path and auxiliary head."""
    settings = replace(SETTINGS, auxiliary=0.4)
    splits, compute = make_splits(), Compute(NAME)
    return TrainTask(network(auxiliary=True), "found", settings, splits, AUGMENT, seed=5, compute=compute)


def streamed(source: Path) -> SearchTask:
    """A search on images that are decoded as they are needed."""
    splits = load(DataSettings(str(source), stream="always"), seed=3)
    assert isinstance(splits.weights.pixels, StreamedPixels)
    return search(named("darts-v1"), "grouped", splits=splits)


def recipes(engine: EngineName, device: str = NAME) -> Iterator[Case]:
    """Every recipe of the table."""
    for name in RECIPES:
        yield name, lambda name=name: search(named(name), engine, device), nullcontext()


def others() -> Iterator[Case]:
    """What no recipe of the table does."""
    low = named("pc-darts")
    low = replace(low, search=replace(low.search, memory="low"))
    clipped = replace(named("darts-v1"), arch=replace(named("darts-v1").arch, clip=1.0))
    yield "memory-low", lambda: search(low, "grouped"), nullcontext()
    yield "clipped-alpha", lambda: search(clipped, "grouped"), nullcontext()
    for space in ("nb201", "s4"):
        recipe = replace(named("pc-darts"), space=space, train=replace(low.train, auxiliary=0.0))
        yield space, lambda recipe=recipe: search(recipe, "grouped"), nullcontext()
    with TemporaryDirectory() as folder:
        source = write_folder(Path(folder) / "images", {"a": 12, "b": 12, "c": 12})
        yield "images-decoded-on-the-way", lambda: streamed(source), nullcontext()
    yield "training", training, nullcontext()


def planted() -> Iterator[Case]:
    """Mistakes, one by one: what a step of PC-DARTS with projection, or of NoisyDARTS, must not do."""
    norm, cross_entropy = bilevel.gradient_norm, bilevel.cross_entropy
    weights, stream = ArchParameters.edge_weights, Streams.generator

    def read(parameters: Any) -> Tensor:
        found = norm(parameters)
        assert found.item() >= 0
        return found

    def blocking(tensor: Tensor, device: torch.device) -> Tensor:
        return tensor.to(device)

    def listed(self: ArchParameters) -> Any:
        found = weights(self)
        assert found is not None
        return {name: one * torch.tensor([1.0] * len(one), device=one.device) for name, one in found.items()}

    def masked(logits: Tensor, labels: Tensor) -> Tensor:
        kept = labels >= 0
        return cross_entropy(logits[kept], labels[kept])

    def left_behind(self: ConflictMeter, rows: Tensor) -> Tensor:
        return rows.new_zeros(1) + torch.zeros(1)

    def on_host(self: Streams, name: str, device: Any = "cpu") -> torch.Generator:
        return stream(self, name)

    for name, recipe, patched in (
        ("a number is read", "pc-darts-gp", patch.object(bilevel, "gradient_norm", read)),
        ("a copy is waited for", "pc-darts-gp", patch.object(projection, "to_device", blocking)),
        ("a list becomes a tensor there", "pc-darts-gp", patch.object(ArchParameters, "edge_weights", listed)),
        ("a mask picks", "pc-darts-gp", patch.object(bilevel, "cross_entropy", masked)),
        ("a tensor is left behind", "pc-darts-gp", patch.object(ConflictMeter, "__call__", left_behind)),
        ("a generator is left behind", "noisy-darts", patch.object(Streams, "generator", on_host)),
    ):
        yield name, lambda recipe=recipe: search(named(recipe), "grouped"), patched


def done(case: Case) -> dict[str, Any]:
    """Carries out two steps of a case."""
    name, make, around = case
    result: dict[str, Any] = {"case": name, "error": None, "reads": [], "copies": [], "figures": {}}
    with around:
        try:
            task = make()
            for step in range(2):
                with noted() as waits:
                    task.step(EPOCH, step)
                result["reads"].append(waits.reads)
                result["copies"].append(waits.copies)
            result["figures"] = task.figures()
        except Exception as error:
            result["error"] = f"{type(error).__name__}: {error}"
    return result


GROUPS: dict[str, Callable[[], Iterator[Case]]] = {
    "plain": lambda: recipes("plain"),
    "grouped": lambda: recipes("grouped"),
    "others": others,
    "planted": planted,
}


def main(group: str) -> None:
    SPACES[SMALL.name] = SMALL
    if group == "cpu":
        for case in recipes("plain", "cpu"):
            print(json.dumps(done(case)), flush=True)
        return
    with pretended():
        for case in GROUPS[group]():
            print(json.dumps(done(case)), flush=True)


if __name__ == "__main__":
    main(sys.argv[1])
