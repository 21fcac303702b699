"""A search small enough for a test: a space of five edges, images of 8x8 pixels, batches of four."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import Tensor

from edgewise.data import Augment, Batch, Images, Normalisation, SealedImages, Splits
from edgewise.methods import PC_DARTS_GP, ArchParameters, PartialChannels, Recipe, SearchSettings
from edgewise.nn import Supernet, SupernetSpec
from edgewise.runtime.compute import Compute, Precision
from edgewise.runtime.random import Streams, seeded
from edgewise.search import BilevelSearch, SearchBatches, SearchTask
from edgewise.spaces import DARTS
from edgewise.spaces.space import CellSpace
from edgewise.spaces.topology import Topology

SMALL = CellSpace("small", Topology.dense(2, 2), DARTS.primitives)
CLASSES = 3
# The plain engine: these tests watch modules at work. tests/nn/test_native.py compares the engines.
SIZE = SearchSettings(epochs=4, batch_size=4, channels=8, layers=3, engine="plain")
AUGMENT = Augment(crop_padding=1, flip=True, cutout=2)


def tiny(recipe: Recipe = PC_DARTS_GP) -> Recipe:
    """A recipe at the size of a test, without warm-up; K = 2 where there are partial channels."""
    channels = None if recipe.channels is None else PartialChannels(k=2)
    return replace(recipe, search=SIZE, channels=channels, warm_up=None)


def make_batch(seed: int, *, size: int = 4, dtype: torch.dtype = torch.float64) -> Batch:
    """A batch of noise with random labels."""
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(size, 3, 8, 8, generator=generator, dtype=dtype)
    return Batch(x, torch.randint(0, CLASSES, (size,), generator=generator), torch.arange(size))


def poisoned(batch: Batch) -> Batch:
    """The batch with pixels that nobody can read without getting NaN everywhere."""
    return Batch(torch.full_like(batch.x, float("nan")), batch.y, batch.index)


class Feed:
    """A stream that hands out given batches, again from the start after the last, and counts them."""

    def __init__(self, batches: Sequence[Batch]) -> None:
        self.batches = batches
        self.reads = 0

    def next(self) -> Batch:
        self.reads += 1
        return self.batches[(self.reads - 1) % len(self.batches)]


def feeds(weights: Batch, arch: Batch) -> SearchBatches:
    """Both streams, each of one batch."""
    return SearchBatches(Feed([weights]), Feed([arch]))  # type: ignore[arg-type]


def make_search(
    recipe: Recipe, *, seed: int = 3, arch_scale: float = 1.0, space: CellSpace = SMALL
) -> BilevelSearch:
    """A search in float64 whose alpha and beta are far enough from zero to matter."""
    streams = Streams(seed)
    spec = SupernetSpec(channels=8, layers=3, classes=CLASSES, k=recipe.k)
    with seeded(seed):
        supernet = Supernet(space, spec).double()
    arch = ArchParameters(
        space, beta=recipe.edge_normalisation is not None, generator=streams.generator("arch")
    ).double()
    with torch.no_grad():
        for parameter in arch.parameters():
            parameter.mul_(1e3 * arch_scale)
    return BilevelSearch(recipe, supernet, arch, streams, Compute("cpu"))


def make_images(count: int, seed: int, *, side: int = 8) -> Images:
    """Noise with every class in it."""
    generator = torch.Generator().manual_seed(seed)
    pixels = torch.randint(0, 256, (count, 3, side, side), generator=generator, dtype=torch.uint8)
    return Images(pixels, torch.arange(count) % CLASSES)


def make_splits(*, weights: int = 12, arch: int = 12, test: Images | None = None) -> Splits:
    """Splits of noise."""
    return Splits(
        weights=make_images(weights, 1),
        arch=make_images(arch, 2),
        test=SealedImages(make_images(9, 3) if test is None else test),
        class_names=("a", "b", "c"),
        normalisation=Normalisation((0.5, 0.5, 0.5), (0.25, 0.25, 0.25)),
        fingerprint="0" * 64,
        source="noise",
    )


def make_task(
    recipe: Recipe, splits: Splits | None = None, *, seed: int = 5, precision: Precision = "fp32"
) -> SearchTask:
    """A search task on noise."""
    compute = Compute("cpu", precision)
    return SearchTask(recipe, splits or make_splits(), AUGMENT, stem="cifar", seed=seed, compute=compute)


def snapshot(module: torch.nn.Module) -> dict[str, Tensor]:
    """Copies of everything in a module's state."""
    return {name: value.clone() for name, value in module.state_dict().items()}


def weights_of(module: torch.nn.Module) -> dict[str, Tensor]:
    """Copies of a module's parameters, without the running statistics of batch norms."""
    return {name: value.detach().clone() for name, value in module.named_parameters()}


def gradients_of(module: torch.nn.Module) -> dict[str, Tensor | None]:
    """Copies of a module's `.grad` fields."""
    return {n: None if p.grad is None else p.grad.clone() for n, p in module.named_parameters()}


def same(first: object, second: object) -> bool:
    """Whether two nests of tensors and plain values are equal bit for bit."""
    if isinstance(first, Tensor) and isinstance(second, Tensor):
        return first.dtype == second.dtype and torch.equal(first, second)
    if isinstance(first, dict) and isinstance(second, dict):
        return list(first) == list(second) and all(same(first[key], second[key]) for key in first)
    if isinstance(first, (list, tuple)) and isinstance(second, (list, tuple)):
        return len(first) == len(second) and all(same(a, b) for a, b in zip(first, second, strict=True))
    return type(first) is type(second) and first == second
