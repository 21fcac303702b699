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
from collections import Counter
from dataclasses import replace

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from benchmarks.common import MIDDLE, Sizes, in_process, noise, search_of, timed, words
from edgewise.data import Batch
from edgewise.methods import recipe, strongest
from edgewise.nn import EngineName, Memory
from edgewise.nn.engines.native import library
from edgewise.runs.provenance import device_name, peak_memory_bytes
from edgewise.runtime.random import seeded
from edgewise.search import BilevelSearch
from edgewise.spaces import CellSpace, space

ENGINES: dict[str, EngineName] = {"published": "plain", "plain": "plain", "grouped": "grouped", "auto": "auto"}


def make(
    name: str, kind: str, sizes: Sizes, *, where: str = "darts", memory: Memory = "normal", stage: int = 0
) -> BilevelSearch:
    """A search by a recipe; with a stage, as it is there: more layers, fewer primitives."""
    base = recipe(name)
    memory = "normal" if kind == "published" else memory
    search = replace(base.search, engine=ENGINES[kind], memory=memory)
    # Networks of NAS-Bench-201 have no auxiliary head, and a recipe that asks for one there is refused.
    settings = replace(base, search=search, space=where, train=replace(base.train, auxiliary=0.0))
    if not stage:
        return search_of(settings, sizes)
    assert settings.stages is not None, f"{name} has no stages"
    deeper = replace(sizes, layers=sizes.layers + settings.stages.add_layers[stage])
    kept = chosen(space(where), settings.stages.primitives[stage])
    return search_of(settings, deeper, stage=stage, kept=kept)


def asked(options: argparse.Namespace, kind: str) -> BilevelSearch:
    """`make` with what stands on the command line."""
    more = {"where": options.space, "memory": options.memory, "stage": options.stage}
    return make(options.recipe, kind, Sizes.read(options), **more)


def chosen(where: CellSpace, count: int) -> dict[str, Tensor]:
    """So many primitives for each edge, by chance: [edges, primitives] bool for each cell type."""
    with seeded(1):
        shape = len(where.topology.edges), len(where.primitives)
        return {name: strongest(torch.rand(shape), None, count) for name in where.cell_types}


def step(search: BilevelSearch, kind: str, batch: Batch) -> None:
    """One arch step and one weight step."""
    if kind == "published":
        passes = search.passes
        inputs = passes.mixture(MIDDLE), search.arch.edge_weights(), passes.hooks(MIDDLE)
        F.cross_entropy(search.supernet(batch.x, *inputs), batch.y).backward()
        search.arch_optimizer.step()
        search.arch_optimizer.zero_grad()
    else:
        search.arch_step(batch, position=MIDDLE)
    search.weights_step(batch, 0.1, position=MIDDLE)


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


def calls(search: BilevelSearch, kind: str, batch: Batch) -> int:
    """Operator calls of a step that touch data."""
    with OperatorCalls() as counter:
        step(search, kind, batch)
    return counter.names.total()


def child(options: argparse.Namespace) -> None:
    """Peak memory of one kind, in a process of its own."""
    search, batch = asked(options, options.child), noise(Sizes.read(options))
    step(search, options.child, batch)
    print(json.dumps(peak_memory_bytes("cpu") / 1e9))


def peak(kind: str, options: argparse.Namespace) -> float:
    """GB, of a fresh process that does one step."""
    given = words(options, "recipe", "space", "threads", "memory", "stage")
    return in_process("benchmarks.supernet", "--child", kind, *given)


def parse() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--recipe", default="pc-darts")
    parser.add_argument("--space", default="darts")
    Sizes.ask(parser)
    parser.add_argument("--memory", choices=("normal", "low"), default="normal", help="of `plain` and `auto`")
    parser.add_argument("--stage", type=int, default=0, help="of `p-darts`, from 0; it adds its layers")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--child", choices=ENGINES, help=argparse.SUPPRESS)
    return parser.parse_args()


def main() -> None:
    """Measures and prints."""
    options = parse()
    torch.set_num_threads(options.threads)
    if options.child:
        child(options)
        return
    sizes = Sizes.read(options)
    searches, batch = {kind: asked(options, kind) for kind in ENGINES}, noise(sizes)
    times: dict[str, list[float]] = {kind: [] for kind in ENGINES}
    for turn in range(options.rounds + 1):
        for kind, search in searches.items():
            seconds = timed(lambda search=search, kind=kind: step(search, kind, batch))
            if turn:
                times[kind].append(seconds)
    print(f"{device_name(torch.device('cpu'))}, {options.threads} threads, torch {torch.__version__}")
    print(f"kernels: {'compiled' if library() is not None else 'none'}; {options.recipe}, ", end="")
    print(f"{options.space}, stage {options.stage}, {sizes}")
    for kind, search in searches.items():
        ratios = [a / b for a, b in zip(times["published"], times[kind], strict=True)]
        print(
            f"{kind:<9} step median {statistics.median(times[kind]):.2f} s "
            f"({min(times[kind]):.2f} to {max(times[kind]):.2f}, n {len(times[kind])}), "
            f"{statistics.median(ratios):.2f} times as fast as published; peak {peak(kind, options):.2f} GB; "
            f"{calls(search, kind, batch):,} operator calls",
            flush=True,
        )


if __name__ == "__main__":
    main()
