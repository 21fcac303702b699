"""What searches of NAS-Bench-201 really find: `python -m benchmarks.ground_truth --data D --truth FILE --out DIR`.

A reduced supernet (3 cells, C 8) on some images of CIFAR-10, several recipes and seeds; after each epoch the
derived cell's real accuracy is looked up in the benchmark's table. It is known that DARTS falls to the all-skip
cell here in a full search (54.30 % on CIFAR-10); this shows what a short one does, and what projection changes.
"""

from __future__ import annotations

import argparse
import statistics
import sys
from pathlib import Path
from typing import Any

from benchmarks.runs import carry_out, finished, lines, markdown

RECIPES = ("darts-v1", "gdas", "pc-darts", "pc-darts-gp")
SIZES = ("search.channels=8", "search.layers=3", "search.batch_size=64", "train.auxiliary=0")
# K 4 of 8 channels, and the same share of the search frozen as in the recipe's 50 epochs.
WARM_UP = 0.3


def words(recipe: str, seed: int, options: argparse.Namespace) -> list[str]:
    """The command of one search."""
    sets = [*SIZES, f"search.epochs={options.epochs}", f"data.train_images={options.train_images}"]
    if recipe.startswith("pc-darts"):
        sets.append(f"warm_up.epochs={round(WARM_UP * options.epochs)}")
    command = ["search", "--space", "nb201", "--recipe", recipe, "--seed", str(seed), "--no-estimate"]
    command += ["--data", options.data, "--truth", str(options.truth)]
    return command + [word for text in sets for word in ("--set", text)]


def shown(values: list[float]) -> str:
    """Mean and standard deviation of percentages."""
    spread = f" ± {statistics.stdev(values):.2f}" if len(values) > 1 else ""
    return f"{statistics.mean(values):.2f}{spread}"


def by_epoch(folders: list[Path], epochs: list[int]) -> list[str]:
    """The mean real accuracy at some epochs, in percent."""
    traces = [lines(folder / "trace.jsonl", "search") for folder in folders]
    return [shown([100 * trace[epoch]["truth"]["test_accuracy"] for trace in traces]) for epoch in epochs]


def row(recipe: str, folders: list[Path], epochs: list[int]) -> list[str]:
    """A recipe's figures over its seeds."""
    last: list[dict[str, Any]] = [lines(folder / "trace.jsonl", "search")[-1] for folder in folders]
    times = [sum(t["seconds"] for t in lines(folder / "timings.jsonl", "search")) for folder in folders]
    return [
        f"`{recipe}`",
        *by_epoch(folders, epochs),
        ", ".join(str(record["skips"]["cell"]) for record in last),
        ", ".join(f"{record['truth']['rank']:,}" for record in last),
        str(len(folders)),
        f"{statistics.mean(times):.0f}",
    ]


def main() -> None:
    """Searches what is not there yet, and prints the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", required=True, help="CIFAR-10, as `edgewise run --data`")
    parser.add_argument("--truth", required=True, type=Path)
    parser.add_argument("--out", required=True, type=Path)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--train-images", type=int, default=2000)
    parser.add_argument("--workers", type=int, default=1, help="searches side by side, which share the cores")
    options = parser.parse_args()
    folders = {
        (recipe, seed): options.out / f"{recipe}-{seed}" for recipe in RECIPES for seed in range(options.seeds)
    }
    failed = carry_out({folder: words(*key, options) for key, folder in folders.items()}, options.workers)
    epochs = sorted({0, options.epochs // 4, options.epochs // 2, options.epochs - 1})
    heads = ["recipe", *(f"epoch {epoch + 1}" for epoch in epochs), "skips of 6", "rank of 15,625", "n", "s"]
    rows = []
    for recipe in RECIPES:
        done = [folder for (name, _), folder in folders.items() if name == recipe and finished(folder)]
        if done:
            rows.append(row(recipe, done, epochs))
    print(markdown([heads, *rows]))
    if failed:
        sys.exit(f"failed: {', '.join(folder.name for folder in failed)}")


if __name__ == "__main__":
    main()
