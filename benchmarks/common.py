"""What the benchmarks share: sizes on the command line, a search of these sizes, a batch of noise, a clock."""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, replace
from typing import Any, Self

import torch
from torch import Tensor

from edgewise.data import Batch
from edgewise.methods import ArchParameters, Recipe, SchedulePosition
from edgewise.nn import SupernetSpec, build_supernet, synchronise
from edgewise.runtime.compute import Compute
from edgewise.runtime.random import Streams, seeded
from edgewise.search import BilevelSearch
from edgewise.spaces import CellSpace, space

MIDDLE = SchedulePosition(12, 25)


@dataclass(frozen=True)
class Sizes:
    """What is measured: of a supernet or of a derived network.

    Args:
        batch: images.
        channels: of the first cell.
        layers: cells.
        image_size: pixels, of a side.
    """

    batch: int = 64
    channels: int = 16
    layers: int = 8
    image_size: int = 32

    @classmethod
    def ask(cls, parser: argparse.ArgumentParser, **defaults: int) -> None:
        """Adds an option for each."""
        for name, value in vars(cls(**defaults)).items():
            parser.add_argument(_option(name), type=int, default=value)

    @classmethod
    def read(cls, options: argparse.Namespace) -> Self:
        """As they stand on the command line."""
        return cls(**{field.name: getattr(options, field.name) for field in fields(cls)})

    def __str__(self) -> str:
        return f"C {self.channels}, {self.layers} layers, {self.image_size} px, batch {self.batch}"


def _option(name: str) -> str:
    return f"--{name.replace('_', '-')}"


def words(options: argparse.Namespace, *names: str) -> list[str]:
    """The same sizes, and what else is named, for a process that is started."""
    known = [field.name for field in fields(Sizes)]
    return [word for name in (*known, *names) for word in (_option(name), str(getattr(options, name)))]


def in_process(module: str, *given: str) -> Any:
    """What a benchmark that is started anew says in its last line, in JSON."""
    done = subprocess.run([sys.executable, "-m", module, *given], capture_output=True, text=True, check=True)
    return json.loads(done.stdout.splitlines()[-1])


def search_of(
    settings: Recipe,
    sizes: Sizes,
    compute: Compute | None = None,
    *,
    where: CellSpace | None = None,
    stage: int = 0,
    kept: Mapping[str, Tensor] | None = None,
) -> BilevelSearch:
    """A search of ten classes with start weights and alpha of seed 0.

    Args:
        settings: the recipe, engine and memory included; its own sizes and warm-up are not looked at.
        sizes: channels and layers of the supernet.
        compute: device and precision; the CPU by default.
        where: the space, by default the recipe's.
        stage: of the recipe, from 0.
        kept: primitives that are still there in that stage, see `ArchParameters`.
    """
    compute, streams, where = compute or Compute("cpu"), Streams(0), where or space(settings.space)
    resized = replace(settings.search, channels=sizes.channels, layers=sizes.layers)
    settings = replace(settings, search=resized, warm_up=None)
    there = None if kept is None else {name: mask.tolist() for name, mask in kept.items()}
    with seeded(0):
        spec = SupernetSpec(sizes.channels, sizes.layers, classes=10, k=settings.k, memory=settings.search.memory)
        supernet = build_supernet(where, spec, there).to(compute.device)
    synchronise(supernet, compute.processes)
    beta = settings.edge_normalisation is not None
    arch = ArchParameters(where, beta=beta, generator=streams.generator("arch"), kept=kept)
    return BilevelSearch(settings, supernet, arch.to(compute.device), streams, compute, stage=stage)


def noise(sizes: Sizes, device: torch.device | str = "cpu") -> Batch:
    """A batch of normal noise with labels of ten classes."""
    side = sizes.image_size
    x = torch.randn(sizes.batch, 3, side, side, generator=torch.Generator().manual_seed(0))
    rows = torch.arange(sizes.batch)
    return Batch(x.to(device), (rows % 10).to(device), rows)


def timed(
    action: Callable[[], object],
    device: torch.device | str = "cpu",
    clock: Callable[[], float] = time.perf_counter,
) -> float:
    """Seconds, the device's work included."""
    wait = torch.accelerator.synchronize if torch.device(device).type != "cpu" else lambda: None
    wait()
    started = clock()
    action()
    wait()
    return clock() - started
