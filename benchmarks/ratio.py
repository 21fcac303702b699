"""Fails when the fast search step is not fast any more: `python -m benchmarks.ratio [--at-least 2]`.

The step of `pc-darts` as published and on the kernels, in turn, on a supernet that is smaller than the one of
`benchmarks.supernet` (4 layers, batch 32): minutes. The median of the ratios, pair by pair, is compared, so that a
machine that is slow or busy slows both. Without a compiler there are no kernels: it says so and checks nothing.
"""

from __future__ import annotations

import argparse
import statistics
import sys

import torch

from benchmarks.common import Sizes, noise, timed
from benchmarks.supernet import make, step
from edgewise.nn.engines.native import library


def main() -> None:
    """Measures and compares."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--at-least", type=float, default=2.0)
    parser.add_argument("--rounds", type=int, default=5)
    Sizes.ask(parser, batch=32, layers=4)
    own = parser.parse_args()
    if library() is None:
        print("no compiler, no kernels: nothing to compare")
        return
    sizes = Sizes.read(own)
    searches, batch = {kind: make("pc-darts", kind, sizes) for kind in ("published", "auto")}, noise(sizes)
    ratios = []
    for turn in range(own.rounds + 1):
        published, fast = (
            timed(lambda search=search, kind=kind: step(search, kind, batch)) for kind, search in searches.items()
        )
        if turn:
            ratios.append(published / fast)
    middle = statistics.median(ratios)
    print(
        f"pc-darts, {sizes}, {torch.get_num_threads()} threads, torch {torch.__version__}: "
        f"{middle:.2f} times as fast as published ({min(ratios):.2f} to {max(ratios):.2f}, n {len(ratios)})"
    )
    if middle < own.at_least:
        sys.exit(f"less than {own.at_least:g} times as fast: run `python -m benchmarks.supernet` to see where")


if __name__ == "__main__":
    main()
