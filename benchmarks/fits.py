"""`python -m benchmarks.fits`: random cells fitted to limits; counts networks that break one or could be larger.

For each cell and limit: the fitted network keeps to every limit, one channel more breaks one, and so does one cell
more, or it lies outside the depths that are tried. Limits on size are checked on real exports, of fewer cells.
"""

from __future__ import annotations

import argparse
import random
import sys
import time

from edgewise.budget import MEASURED, Budget
from edgewise.errors import ConfigError
from edgewise.nn import NetworkSpec, build_network
from edgewise.pipeline.sized import Subject, shares_of
from edgewise.pipeline.sizing import NEAR, Sizing
from edgewise.spaces import Genotype, random_genotype, space

SPACES = ("darts", "nasnet", "nb201")
BUDGETS = {
    "params": Budget(params=80_000),
    "macs": Budget(macs=12_500_000),
    "ram": Budget(ram=64_000, int8=True),
    "params, macs, ram": Budget(params=80_000, macs=12_500_000, ram=400_000),
}
SIZES = {"size": Budget(size=300_000), "size, int8": Budget(size=120_000, int8=True)}
LAYERS, SIDE, CLASSES = 5, 32, 10


def main() -> int:
    """Prints a line for each space and budget; exits with 1 if any network breaks a limit or could be larger."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.fits", description=__doc__)
    parser.add_argument("--cells", type=int, default=200, help="random cells of each space")
    parser.add_argument(
        "--exports", type=int, default=5, help="of which so many are fitted to a limit on size too"
    )
    parser.add_argument("--spaces", nargs="+", choices=SPACES, default=SPACES)
    options = parser.parse_args()
    bad = 0
    for name in options.spaces:
        cells = [random_genotype(space(name), random.Random(seed)) for seed in range(options.cells)]
        for said, budget in BUDGETS.items():
            bad += _line(name, said, budget, cells)
        for said, budget in SIZES.items():
            bad += _line(name, said, budget, cells[: options.exports])
    return 1 if bad else 0


def _line(name: str, said: str, budget: Budget, cells: list[Genotype]) -> int:
    began, broken, small, none, used = time.monotonic(), 0, 0, 0, []
    for genotype in cells:
        try:
            entry, larger = _fitted(genotype, budget)
        except ConfigError:
            none += 1
            continue
        shares = shares_of(entry, budget.limits)
        broken += max(shares.values()) > 1
        small += larger
        used.append(max(shares.values()))
    mean, seconds = sum(used) / max(1, len(used)), (time.monotonic() - began) / max(1, len(cells))
    print(
        f"{name}, {said}: {len(cells)} cells, {none} fit at no size, {broken} break a limit, {small} could be "
        f"larger; largest share {min(used, default=0):.1%} to {max(used, default=0):.1%}, mean {mean:.1%}; "
        f"{seconds:.1f} s a cell",
        flush=True,
    )
    return broken + small


def _fitted(genotype: Genotype, budget: Budget) -> tuple[dict, bool]:
    """The fitted network's figures, and whether a wider or deeper one would keep to the limits too."""
    sized = _sizing(budget, 16, LAYERS).cells(genotype, what="cells")
    wider = _keeps(genotype, budget, sized.channels + 1, sized.layers)
    depths = [LAYERS + more for more in NEAR]
    # What is alive at once does not depend on depth: with RAM as the only limit, the recipe's depth stays.
    deeper = sized.layers + 1 in depths and set(budget.limits) != {"ram"}
    return sized.record(), wider or (deeper and _keeps(genotype, budget, sized.channels, sized.layers + 1))


def _keeps(genotype: Genotype, budget: Budget, channels: int, layers: int) -> bool:
    sizing = _sizing(budget, channels, layers)
    entry = sizing.given(genotype).record()
    if any(name in budget.limits for name in MEASURED):
        entry |= sizing.measure(build_network(genotype, sizing.subject.spec), genotype, sizing.subject.spec)
    return max(shares_of(entry, budget.limits).values()) <= 1


def _sizing(budget: Budget, channels: int, layers: int) -> Sizing:
    names = tuple(f"class {index}" for index in range(CLASSES))
    subject = Subject(NetworkSpec(channels, layers, CLASSES), SIDE, names, (0.5,) * 3, (0.25,) * 3)
    return Sizing(budget, budget.limits, subject)


if __name__ == "__main__":
    sys.exit(main())
