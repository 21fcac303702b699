"""`python -m benchmarks.ranking`: which early figure tells good cells from bad ones?

Random cells of a space, all within one limit, are trained as a selection trains them, with every figure taken
after every epoch; then each is trained in full on all training images and tested once. Printed is Spearman's rank
correlation of each figure, by epoch, with the final test accuracy, with a bootstrap interval over the cells, and
the test accuracy of the cell that the figure would have chosen. Trainings lie in a folder and are not repeated: a
benchmark that was stopped goes on.
"""

from __future__ import annotations

import argparse
import json
import random
import statistics
import sys
from pathlib import Path

import numpy as np
from scipy.stats import spearmanr

from edgewise.budget import Budget
from edgewise.pipeline import Options, RunResult, Settings, resolve, resume, start
from edgewise.pipeline.candidates import Design
from edgewise.spaces import random_genotype, space

DRAWS = 2_000
FIGURES = {
    "training loss": ("loss", 1),
    "training loss, summed": ("loss", 1),
    "arch accuracy": ("arch_accuracy", -1),
    "arch loss": ("arch_loss", 1),
}
"""What a rung might rank by: the name of the figure in the trace, and 1 where less is better."""


def main() -> int:
    """Prints a line for each figure and epoch."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.ranking", description=__doc__)
    parser.add_argument("--data", required=True)
    parser.add_argument("--space", default="darts")
    parser.add_argument("--preset", default="small")
    parser.add_argument("--cells", type=int, default=24)
    parser.add_argument("--epochs", type=int, default=8, help="of the selection")
    parser.add_argument("--max-params", type=int, default=75_000)
    parser.add_argument("--seed", type=int, default=0, help="of the cells and of the trainings")
    parser.add_argument("--set", dest="sets", action="append", default=[], metavar="A.B=V")
    parser.add_argument("--out", type=Path, required=True, help="a folder for the trainings")
    options = parser.parse_args()
    halving = (
        f"selection={{rungs={options.epochs},epochs={options.epochs},keep=1.0,early='accuracy',last='accuracy'}}"
    )
    settings = resolve(
        "pc-darts-gp",
        preset=options.preset,
        data=options.data,
        budget=Budget(params=options.max_params),
        sets=[f"space={options.space}", halving, *options.sets],
    )
    chance = random.Random(options.seed)
    cells = [random_genotype(space(options.space), chance) for _ in range(options.cells)]
    designs = [Design(f"random {i}", "random", cell) for i, cell in enumerate(cells)]
    selected = _run(settings, options.out / "selection", options.seed, "select", designs).folder
    curves: dict[str, dict[str, list[float]]] = {}
    for line in (selected / "trace.jsonl").read_text().splitlines():
        record = json.loads(line)
        for figure in ("loss", "arch_accuracy", "arch_loss"):
            curves.setdefault(record["network"], {}).setdefault(figure, []).append(record[figure])
    final = {}
    for design in designs:
        entry = _run(
            settings, options.out / design.name.replace(" ", "-"), options.seed, "train", [design]
        ).results
        final[design.name] = entry["found"]["top1"]
        print(f"{design.name}: {final[design.name]:.2%}", flush=True)
    names = list(final)
    reached = np.array([final[name] for name in names])
    print(
        f"test accuracy: mean {reached.mean():.2%}, sd {statistics.stdev(final.values()):.2%}, "
        f"best {reached.max():.2%} (n {len(names)} cells)"
    )
    for title, (figure, sign) in FIGURES.items():
        for epoch in range(options.epochs):
            until = [curves[name][figure][: epoch + 1] for name in names]
            score = np.array([sum(line) if title.endswith("summed") else line[-1] for line in until])
            rho, low, high = _rank(sign * score, -reached)
            chosen = reached[int(np.argmin(sign * score))]
            print(
                f"{title}, epoch {epoch + 1}: rho {rho:.2f} ({low:.2f} to {high:.2f}); would choose {chosen:.2%}"
            )
    return 0


def _run(settings: Settings, folder: Path, seed: int, command: str, designs: list[Design]) -> RunResult:
    """A run that is made, gone on with, or read."""
    if (folder / "run.json").exists():
        return resume(folder)
    if command == "select":
        return start(settings, folder, options=Options(seed=seed), command=command, designs=designs)
    return start(settings, folder, options=Options(seed=seed), command=command, genotype=designs[0].genotype)


def _rank(score: np.ndarray, reached: np.ndarray) -> tuple[float, float, float]:
    """Spearman's rho, and its 95 % percentile interval over draws of the cells."""
    draw = np.random.default_rng(0)
    rhos = []
    for _ in range(DRAWS):
        chosen = draw.integers(0, len(score), len(score))
        rhos.append(float(spearmanr(score[chosen], reached[chosen])[0]))  # type: ignore[arg-type]
    low, high = np.nanquantile(rhos, (0.025, 0.975))
    return float(spearmanr(score, reached)[0]), float(low), float(high)  # type: ignore[arg-type]


if __name__ == "__main__":
    sys.exit(main())
