"""`python -m benchmarks.agreement`: does alpha carry signal? Searches of several seeds, and how far they agree.

Three figures: the largest share of an edge (uniform: 1 over the number of primitives), Spearman's rank correlation
between the shares of two seeds, edge by edge, and the share of a cell's edges that two seeds derive alike, beside
that of random cells. Searches lie in a folder and are not repeated: a benchmark that was stopped goes on.
"""

from __future__ import annotations

import argparse
import itertools
import json
import random
import statistics
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from scipy.stats import spearmanr

import edgewise
from edgewise.spaces import Genotype, random_genotype, space

RANDOM_PAIRS = 1_000


def main() -> int:
    """Prints a line for each pair of seeds, then the means with their spread."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.agreement", description=__doc__)
    parser.add_argument("--data", default="digits")
    parser.add_argument("--recipe", default="pc-darts-gp")
    parser.add_argument("--preset", default="tiny")
    parser.add_argument("--seeds", type=int, nargs="+", default=[100, 101, 102, 103, 104])
    parser.add_argument("--set", dest="sets", action="append", default=[], metavar="A.B=V")
    parser.add_argument("--out", type=Path, required=True, help="a folder for the searches")
    options = parser.parse_args()
    ends = []
    for seed in options.seeds:
        folder = options.out / f"s{seed}"
        if (folder / "run.json").exists():
            edgewise.resume(folder)
        else:
            edgewise.run_search(
                options.data,
                out=folder,
                recipe=options.recipe,
                preset=options.preset,
                sets=options.sets,
                seed=seed,
            )
        ends.append(_end_of(folder))
        last = ends[-1]
        shares = largest_shares(last["mixture"])
        print(f"seed {seed}: largest share {statistics.mean(shares):.3f}, {last['seconds']:.0f} s", flush=True)
    shares = [share for end in ends for share in largest_shares(end["mixture"])]
    pairs = list(itertools.combinations(ends, 2))
    correlations = [rank_correlation(a["mixture"], b["mixture"]) for a, b in pairs]
    overlaps = [overlap(a["genotype"], b["genotype"]) for a, b in pairs]
    chance = random_overlap(ends[0]["genotype"].space)
    print(f"largest share of an edge: {statistics.mean(shares):.3f} (n {len(shares)} edges)")
    print(f"rank correlation between seeds: {_mean(correlations)} (n {len(pairs)} pairs)")
    print(f"derived edges alike: {_mean(overlaps)}; of random cells: {chance:.3f}")
    return 0


def _end_of(folder: Path) -> dict[str, Any]:
    """Mixture and cells of a search's last epoch, and its seconds."""
    lines = (folder / "trace.jsonl").read_text().splitlines()
    last = [record for line in lines if (record := json.loads(line))["phase"] == "search"][-1]
    seconds = sum(json.loads(line)["seconds"] for line in (folder / "timings.jsonl").read_text().splitlines())
    genotype = Genotype.from_json((folder / "genotype.json").read_text(), where=str(folder))
    return {"mixture": last["mixture"], "genotype": genotype, "seconds": seconds}


def largest_shares(mixture: Mapping[str, Sequence[Sequence[float]]]) -> list[float]:
    """The largest share of each edge of each cell type."""
    return [max(row) for rows in mixture.values() for row in rows]


def rank_correlation(one: Mapping[str, Any], other: Mapping[str, Any]) -> float:
    """Spearman's rho between the shares of an edge, averaged over all edges of all cell types."""
    found = []
    for cell, rows in one.items():
        for a, b in zip(rows, other[cell], strict=True):
            found.append(float(spearmanr(a, b)[0]))  # type: ignore[arg-type]
    return statistics.mean(found)


def overlap(one: Genotype, other: Genotype) -> float:
    """The share of derived edges, with their primitives, that two genotypes have in common."""
    shares = []
    for name, cell in one.cells.items():
        mine, theirs = set(cell.edges), set(other.cells[name].edges)
        shares.append(len(mine & theirs) / len(mine))
    return statistics.mean(shares)


def random_overlap(name: str) -> float:
    """The mean overlap of two random cells of a space."""
    chance, cells = random.Random(0), space(name)
    pairs = ((random_genotype(cells, chance), random_genotype(cells, chance)) for _ in range(RANDOM_PAIRS))
    return statistics.mean(overlap(one, other) for one, other in pairs)


def _mean(values: Sequence[float]) -> str:
    spread = statistics.stdev(values) if len(values) > 1 else 0.0
    return f"{statistics.mean(values):.3f} ± {spread:.3f}"


if __name__ == "__main__":
    sys.exit(main())
