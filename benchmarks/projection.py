"""What share of a search step projection and diagnostics take: `python -m benchmarks.projection [--batch 64]`.

Floor: the projection reads and writes 2 cell types x 14 edges x 8 numbers, a few kilobytes; what it costs is the
launch of some 40 small tensor operations, about 0.3 ms on a CPU core. An arch step at C 16, 8 layers, batch 64
takes a second there. Prediction: well under 0.1 % of the step. The diagnostics of a step (conflicts before and
after the projection, the edges' cosines) are as small: prediction, under 0.2 %. Both are measured on gradients of
the step's size; a step is one arch step and one weight step.
"""

from __future__ import annotations

import argparse
import statistics
from collections.abc import Callable

import torch

from benchmarks.common import Sizes, search_of, timed
from edgewise.data import Augment, Batches, Images, Normalisation
from edgewise.methods import PC_DARTS_GP
from edgewise.runs.provenance import device_name
from edgewise.runtime.compute import Compute
from edgewise.spaces import DARTS


def _times(action: Callable[[], object], count: int, device: torch.device) -> list[float]:
    action()
    return [timed(action, device) for _ in range(count)]


def _shown(times: list[float]) -> str:
    middle, low, high = statistics.median(times), min(times), max(times)
    return f"median {middle * 1e3:.2f} ms, {low * 1e3:.2f} to {high * 1e3:.2f}, n {len(times)}"


def main() -> None:
    """Measures arch steps and projections of the same search and prints both."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    Sizes.ask(parser)
    parser.add_argument("--steps", type=int, default=5)
    options = parser.parse_args()
    compute, sizes = Compute("auto"), Sizes.read(options)
    search = search_of(PC_DARTS_GP, sizes, compute)
    side = sizes.image_size
    pixels = torch.randint(0, 256, (4 * sizes.batch, 3, side, side), dtype=torch.uint8)
    batches = Batches(
        Images(pixels, torch.randint(0, 10, (len(pixels),))),
        batch_size=sizes.batch,
        generator=torch.Generator().manual_seed(0),
        normalisation=Normalisation(mean=(0.5,) * 3, std=(0.25,) * 3),
        augment=Augment(crop_padding=4, flip=True),
        drop_last=True,
        device=compute.device,
    )
    rows = torch.randn(2, len(DARTS.topology.edges), len(DARTS.primitives), device=compute.device)
    projector = search.projector
    assert projector is not None
    generator = torch.Generator().manual_seed(1)
    projections = _times(lambda: projector(rows, generator), 200, compute.device)

    def diagnose() -> None:
        for found in (rows, rows):
            search.meter(found)
        search.meter.cosines(rows)

    def step() -> None:
        search.arch_step(batches.next())
        search.weights_step(batches.next(), 0.1)

    diagnostics = _times(diagnose, 200, compute.device)
    steps = _times(step, options.steps, compute.device)
    whole = statistics.median(steps)
    print(f"{device_name(compute.device)}, {torch.get_num_threads()} threads, torch {torch.__version__}")
    print(f"search step, {sizes}: {_shown(steps)}")
    print(f"projection of both cells: {_shown(projections)}")
    print(f"diagnostics of a step: {_shown(diagnostics)}")
    for name, times in (("projection", projections), ("diagnostics", diagnostics)):
        print(f"share of the step, {name}: {statistics.median(times) / whole:.4%}")


if __name__ == "__main__":
    main()
