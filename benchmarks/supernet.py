"""The search step on kernels against the plain one, in turn: `python -m benchmarks.supernet [--recipe pc-darts]`.

A step is one arch step and one weight step on one batch each. `published` is the plain supernet whose arch step
computes all gradients, as the authors' code does; `plain` asks for alpha's and beta's alone; `grouped` calls an
operator once for all edges that leave a node; `auto` runs mixed cells on the kernels where there are any, else
grouped (`--space nb201` has none). They take turns, so that a machine that slows down slows all of them; the ratio
is taken pair by pair. Steps are those of the middle of a search, or of one of its stages (`--stage`), with the
noise, dropout or drop-path that the recipe has there. Peak memory is that of a process of its own for each engine.
An operator call is what PyTorch hands to a device's own code: composites count as their parts, a call over a list
of tensors counts once.

See benchmarks/README.md for the floor.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from edgewise.core import Streams, device_name, peak_memory_bytes
from edgewise.core.compute import Compute
from edgewise.core.seeding import seeded
from edgewise.data import Batch
from edgewise.methods import ArchParameters, Moment, Recipe, recipe, strongest
from edgewise.nn import Engine, SupernetSpec, build_supernet
from edgewise.nn.native import library
from edgewise.search import BilevelSearch
from edgewise.spaces import CellSpace, space

Kind = Literal["published", "plain", "grouped", "auto"]
KINDS: tuple[Kind, ...] = ("published", "plain", "grouped", "auto")
MIDDLE = Moment(12, 25)


def make(name: str, kind: Kind, options: argparse.Namespace) -> BilevelSearch:
    """A search with the sizes of the command line."""
    base = recipe(name)
    engine: Engine = "plain" if kind == "published" else kind
    memory = "normal" if kind == "published" else options.memory
    sizes = replace(base.search, channels=options.channels, layers=options.layers, engine=engine, memory=memory)
    settings: Recipe = replace(
        base, search=sizes, space=options.space, train=replace(base.train, auxiliary=0.0), warm_up=None
    )
    streams, found = Streams(0), space(options.space)
    layers, kept = options.layers, None
    if options.stage:
        assert settings.stages is not None, f"{name} has no stages"
        layers += settings.stages.add_layers[options.stage]
        kept = chosen(found, settings.stages.primitives[options.stage])
    with seeded(0):
        spec = SupernetSpec(options.channels, layers, classes=10, k=settings.k, memory=memory)
        there = None if kept is None else {name: mask.tolist() for name, mask in kept.items()}
        supernet = build_supernet(found, spec, there)
    arch = ArchParameters(
        found, beta=settings.edge_normalisation is not None, generator=streams.generator("arch"), kept=kept
    )
    return BilevelSearch(settings, supernet, arch, streams, Compute("cpu"), stage=options.stage)


def chosen(where: CellSpace, count: int) -> dict[str, Tensor]:
    """So many primitives for each edge, by chance: [edges, primitives] bool for each cell type."""
    with seeded(1):
        shape = len(where.topology.edges), len(where.primitives)
        return {name: strongest(torch.rand(shape), None, count) for name in where.cell_types}


def step(search: BilevelSearch, kind: Kind, batch: Batch) -> None:
    """One arch step and one weight step."""
    if kind == "published":
        inputs = search.mixture(MIDDLE), search.arch.edge_weights(), search.hooks(MIDDLE)
        F.cross_entropy(search.supernet(batch.x, *inputs), batch.y).backward()
        search.arch_optimizer.step()
        search.arch_optimizer.zero_grad()
    else:
        search.arch_step(batch, moment=MIDDLE)
    search.weights_step(batch, 0.1, moment=MIDDLE)


def batch_of(options: argparse.Namespace) -> Batch:
    """Noise of the size of CIFAR-10."""
    generator = torch.Generator().manual_seed(0)
    size = options.batch
    x = torch.randn(size, 3, options.image_size, options.image_size, generator=generator)
    return Batch(x, torch.arange(size) % 10, torch.arange(size))


def timed(action: Callable[[], object]) -> float:
    """Seconds."""
    started = time.perf_counter()
    action()
    return time.perf_counter() - started


class OperatorCalls(TorchDispatchMode):
    """Counts the operators that are carried out within it: views, allocations and bookkeeping are left out."""

    SKIPPED = (
        "empty",
        "empty_like",
        "empty_strided",
        "new_empty",
        "new_empty_strided",
        "lift_fresh",
        "_unsafe_view",
    )

    def __init__(self) -> None:
        super().__init__()
        self.names: Counter[str] = Counter()

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        name = func.overloadpacket.__name__
        if not func.is_view and name not in self.SKIPPED:
            self.names[name] += 1
        return func(*args, **(kwargs or {}))


def calls(search: BilevelSearch, kind: Kind, batch: Batch) -> int:
    """Operator calls of a step that touch data."""
    with OperatorCalls() as counter:
        step(search, kind, batch)
    return counter.names.total()


def child(options: argparse.Namespace) -> None:
    """Peak memory of one kind, in a process of its own."""
    search, batch = make(options.recipe, options.child, options), batch_of(options)
    step(search, options.child, batch)
    print(json.dumps(peak_memory_bytes("cpu") / 1e9))


def peak(kind: Kind, options: argparse.Namespace) -> float:
    """GB, of a fresh process that does one step."""
    words = [sys.executable, "-m", "benchmarks.supernet", "--child", kind, "--recipe", options.recipe]
    for name in ("space", "batch", "channels", "layers", "image_size", "threads", "memory", "stage"):
        words += [f"--{name.replace('_', '-')}", str(getattr(options, name))]
    done = subprocess.run(words, capture_output=True, text=True, check=True)
    return float(done.stdout.splitlines()[-1])


def parse() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--recipe", default="pc-darts")
    parser.add_argument("--space", default="darts")
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--channels", type=int, default=16)
    parser.add_argument("--layers", type=int, default=8)
    parser.add_argument("--image-size", type=int, default=32)
    parser.add_argument("--memory", choices=("normal", "low"), default="normal", help="of `plain` and `auto`")
    parser.add_argument("--stage", type=int, default=0, help="of `p-darts`, from 0; it adds its layers")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--child", choices=KINDS, help=argparse.SUPPRESS)
    return parser.parse_args()


def main() -> None:
    """Measures and prints."""
    options = parse()
    torch.set_num_threads(options.threads)
    if options.child:
        child(options)
        return
    searches, batch = {kind: make(options.recipe, kind, options) for kind in KINDS}, batch_of(options)
    times: dict[str, list[float]] = {kind: [] for kind in KINDS}
    for turn in range(options.rounds + 1):
        for kind, search in searches.items():
            seconds = timed(lambda search=search, kind=kind: step(search, kind, batch))
            if turn:
                times[kind].append(seconds)
    print(f"{device_name(torch.device('cpu'))}, {options.threads} threads, torch {torch.__version__}")
    print(
        f"kernels: {'compiled' if library() is not None else 'none'}; {options.recipe}, {options.space}, ", end=""
    )
    print(
        f"stage {options.stage}, C {options.channels}, {options.layers} layers, "
        f"{options.image_size} px, batch {options.batch}"
    )
    for kind in KINDS:
        ratios = [a / b for a, b in zip(times["published"], times[kind], strict=True)]
        print(
            f"{kind:<9} step median {statistics.median(times[kind]):.2f} s "
            f"({min(times[kind]):.2f} to {max(times[kind]):.2f}, n {len(times[kind])}), "
            f"{statistics.median(ratios):.2f} times as fast as published; peak {peak(kind, options):.2f} GB; "
            f"{calls(searches[kind], kind, batch):,} operator calls",
            flush=True,
        )


if __name__ == "__main__":
    main()
