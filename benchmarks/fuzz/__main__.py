"""`python -m benchmarks.fuzz [TARGET ...] --cases 1000`: counts a line a target; exits with 1 if anything failed.

`--replay SEED` tries one case of one target in this process and shows what happens.
"""

from __future__ import annotations

import argparse
import sys
import time

from benchmarks.fuzz.targets import TARGETS, names
from benchmarks.fuzz.watch import SECONDS, fuzz, try_case

# A case of these takes a command or a set of images.
SLOWER = {"run-folders": 40, "images": 4, "parquet": 4, "networks": 4, "checkpoints": 4}


def main() -> int:
    """Fuzzes; returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.fuzz", description=__doc__)
    parser.add_argument("targets", nargs="*", choices=[[], *TARGETS], metavar="TARGET", help=", ".join(TARGETS))
    parser.add_argument("--cases", type=int, default=1000, help="of each target; fewer of the slow ones")
    parser.add_argument("--seed", type=int, default=0, help="of the first case; the others count up")
    parser.add_argument("--seconds", type=float, default=SECONDS, help="after which a case counts as a hang")
    parser.add_argument("--replay", type=int, metavar="SEED", help="one case of one target, in this process")
    options = parser.parse_args()
    if options.replay is not None:
        (name,) = options.targets
        print(try_case(TARGETS[name], options.replay))
        return 0
    total = failed = 0
    for name in names(options.targets):
        began, cases = time.monotonic(), max(1, options.cases // SLOWER.get(name, 1))
        counts = fuzz(name, TARGETS[name], range(options.seed, options.seed + cases), seconds=options.seconds)
        print(f"{counts}, {time.monotonic() - began:.0f} s", flush=True)
        for seed, said in counts.failures[:20]:
            print(f"  --replay {seed}: {said.strip().splitlines()[-1][:300]}", flush=True)
        total, failed = total + counts.cases, failed + len(counts.failures)
    print(f"in all: {total} cases, {failed} failures")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
