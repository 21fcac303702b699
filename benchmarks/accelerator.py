"""A search on an accelerator: `python -m benchmarks.accelerator [--data DIR] [--recipe pc-darts-gp]`.

First the search step, an arch step and a weight step on one batch of noise: `plain` one module after the other,
`fast` the engine that edgewise takes by itself, then `fast` with `--compile`, with bf16, and with both. They take
turns; each waits for the device, so that the ratio is that of the device's work; the first step, in which things
are compiled, is given apart. Peak memory is the device's, of one step. Then whole epochs of a search of the images
as `edgewise search` would do them, batches and augmentation included: one in which alpha is frozen and one in
which it learns, and what a search of `--epochs` epochs would therefore take. Runs on a CPU as well, for a look.
"""

from __future__ import annotations

import argparse
import statistics
from collections.abc import Callable
from dataclasses import dataclass, replace

import torch

from benchmarks.common import MIDDLE, Sizes, noise, search_of, timed
from edgewise.data import Augment, DataSettings, Splits, load
from edgewise.methods import Recipe, recipe
from edgewise.nn import EngineName
from edgewise.runs.provenance import device_name, peak_memory_bytes
from edgewise.runtime.compute import Compute, Precision
from edgewise.search import BilevelSearch, SearchTask


@dataclass(frozen=True)
class Way:
    """One way to carry out a search.

    Args:
        name: for the table.
        engine: see `edgewise.nn.EngineName`.
        precision: of forward passes.
        compile: whether they are compiled.
    """

    name: str
    engine: EngineName = "auto"
    precision: Precision = "fp32"
    compile: bool = False

    def compute(self, device: str) -> Compute:
        """Device and precision."""
        return Compute(device, self.precision, compile=self.compile)


WAYS = (
    Way("plain", engine="plain"),
    Way("fast"),
    Way("fast, compiled", compile=True),
    Way("fast, bf16", precision="bf16"),
    Way("fast, bf16, compiled", precision="bf16", compile=True),
)


def possible(options: argparse.Namespace) -> list[Way]:
    """The ways that can be had on the device: a search on a CPU is not compiled."""
    return [
        way
        for way in WAYS
        if not way.compile or (options.compile and way.compute(options.device).compiles_searches)
    ]


def sized(options: argparse.Namespace, engine: EngineName) -> Recipe:
    """The recipe with the sizes of the command line."""
    base = recipe(options.recipe)
    sizes = replace(
        base.search,
        engine=engine,
        channels=options.channels,
        layers=options.layers,
        batch_size=options.batch,
        epochs=options.epochs,
    )
    return replace(base, search=sizes)


def make(way: Way, options: argparse.Namespace) -> BilevelSearch:
    """A search of CIFAR-10's classes."""
    return search_of(sized(options, way.engine), Sizes.read(options), way.compute(options.device))


def peak(action: Callable[[], object], device: torch.device) -> float:
    """GB at most while it runs; on a CPU, of the process so far."""
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
        timed(action, device)
        return torch.cuda.max_memory_allocated(device) / 1e9
    action()
    return peak_memory_bytes("cpu") / 1e9


def steps(options: argparse.Namespace) -> None:
    """The table of the search step."""
    searches = {way.name: make(way, options) for way in possible(options)}
    device = next(iter(searches.values())).compute.device
    batch = noise(Sizes.read(options), device)

    def step(search: BilevelSearch) -> None:
        search.arch_step(batch, position=MIDDLE)
        search.weights_step(batch, 0.1, position=MIDDLE)

    first = {name: timed(lambda s=search: step(s), device) for name, search in searches.items()}
    times: dict[str, list[float]] = {name: [] for name in searches}
    for turn in range(options.rounds + 2):
        for name, search in searches.items():
            seconds = timed(lambda s=search: step(s), device)
            if turn > 1:
                times[name].append(seconds)
    for name, search in searches.items():
        ratio = statistics.median(a / b for a, b in zip(times["plain"], times[name], strict=True))
        print(
            f"{name:<21} step median {statistics.median(times[name]):.4f} s "
            f"({min(times[name]):.4f} to {max(times[name]):.4f}, n {options.rounds}), "
            f"{ratio:.2f} times as fast as plain; first step {first[name]:.1f} s; "
            f"peak {peak(lambda s=search: step(s), device):.2f} GB",
            flush=True,
        )


def epochs(splits: Splits, way: Way, options: argparse.Namespace) -> None:
    """Whole epochs, and what a search would take."""
    task = SearchTask(
        sized(options, way.engine),
        splits,
        Augment(crop_padding=4, flip=True),
        stem="cifar",
        seed=0,
        compute=way.compute(options.device),
    )
    frozen = task.recipe.frozen_epochs

    def epoch(number: int) -> None:
        for step in range(task.steps):
            task.step(number, step)
        task.finish_epoch(number)

    # The first epoch of each kind is the one in which things are compiled and the device warms up.
    kinds = {"learns": frozen, **({"is frozen": 0} if frozen else {})}
    taken = {}
    for kind, number in kinds.items():
        first, then = (timed(lambda n=number: epoch(n), task.compute.device) for _ in range(2))
        taken[kind] = then
        print(
            f"{way.name:<21} an epoch of {task.steps} steps in which alpha {kind}: {then:.2f} s "
            f"(the first {first:.2f} s)"
        )
    whole = (options.epochs - frozen) * taken["learns"] + frozen * taken.get("is frozen", 0.0)
    print(
        f"{way.name:<21} a search of {options.epochs} epochs, {frozen} of them frozen: {whole / 60:.1f} min",
        flush=True,
    )


def parse() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--recipe", default="pc-darts-gp")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--data", help="images for whole epochs, such as a folder of CIFAR-10; left out without")
    Sizes.ask(parser, batch=256)
    parser.add_argument("--epochs", type=int, default=50)
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--no-compile", dest="compile", action="store_false", help="leave the compiled ones out")
    parser.add_argument("--steps-only", action="store_true", help="no whole epochs, even with --data")
    return parser.parse_args()


def main() -> None:
    """Measures and prints."""
    options = parse()
    device = Compute(options.device).device
    print(f"{device_name(device)}, torch {torch.__version__}; {options.recipe}, {Sizes.read(options)}", flush=True)
    steps(options)
    if options.data and not options.steps_only:
        splits = load(DataSettings(source=options.data, image_size=options.image_size), seed=0)
        for way in possible(options):
            epochs(splits, way, options)


if __name__ == "__main__":
    main()
