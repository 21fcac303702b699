"""Every recipe once, at one small fixed budget: `python -m benchmarks.family --data DIR --out DIR`.

Each recipe runs in a process of its own, with the same sizes, images, seed and training of what it found, and the
architecture Hessian's eigenvalue at the end of the search. Runs that are finished are not run again. One seed
proves nothing about ranking: the table shows that all of it runs, and what a step of each costs.

The budget: supernets of 3 cells with C 8 (P-DARTS 3, 4 and 5 cells; partial channels K = 4), 4 epochs of batches
of 64 (P-DARTS 6, two a stage); networks of 5 cells with C 8, 6 epochs. One epoch of PC-DARTS and of each stage of
P-DARTS is warm-up. The stop rule of RobustDARTS looks at every epoch, so that it can act within so few.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from benchmarks.runs import carry_out, finished, lines, markdown
from edgewise.methods import RECIPES

BUDGET = (
    "search.epochs=4",
    "search.batch_size=64",
    "search.channels=8",
    "search.layers=3",
    "train.epochs=6",
    "compare=[]",
    "selection=none",
    "diagnostics.hessian_every=100",
)
EXTRA = {
    "p-darts": ("search.epochs=6", "warm_up.epochs=1"),
    "pc-darts": ("warm_up.epochs=1",),
    "r-darts-es": ("stop.every=1", "stop.window=2", "stop.delta=1", "stop.start=0"),
    "r-darts-ada": ("stop.every=1", "stop.window=2", "stop.delta=1", "stop.start=0"),
}


def words(recipe: str, options: argparse.Namespace) -> list[str]:
    """The command that runs a recipe."""
    own = EXTRA.get(recipe.removesuffix("-gp"), ())
    sets = [*BUDGET, f"data.train_images={options.train_images}", *own]
    command = ["run", "--recipe", recipe, "--data", options.data, "--seed", str(options.seed)]
    if options.image_size is not None:
        command += ["--image-size", str(options.image_size)]
    return command + [word for text in sets for word in ("--set", text)]


def row(folder: Path) -> list[str]:
    """The figures of a finished run."""
    trace, times = lines(folder / "trace.jsonl", "search"), lines(folder / "timings.jsonl", "search")
    found = json.loads((folder / "results.json").read_text())["found"]
    measured = [record["hessian"]["eigenvalue"] for record in trace if record["hessian"] is not None]
    skips = sum(cell["skips"] for cell in found["cells"].values())
    pools = sum(cell["pools"] for cell in found["cells"].values())
    decisions = [record["decision"] for record in trace if record["decision"] is not None]
    seconds = sum(record["seconds"] for record in times) / len(times)
    return [
        f"`{folder.name}`",
        str(len(trace)),
        f"{seconds:.1f}",
        f"{max(record['peak_memory_bytes'] for record in times) / 1e9:.2f}",
        f"{skips} / {pools}",
        f"{measured[-1]:.4g}" if measured else "-",
        f"{found['params']:,}",
        f"{100 * found['top1']:.2f}",
        ", ".join(f"{d['action']} after epoch {d['detected'] + 1}" for d in decisions) or "-",
    ]


def table(folder: Path) -> str:
    """The table of all finished runs, as Markdown."""
    heads = [
        "recipe",
        "search epochs",
        "s an epoch",
        "peak GB",
        "skips / pools",
        "Hessian eigenvalue",
        "parameters",
        "test %",
        "decision",
    ]
    return markdown([heads, *(row(folder / name) for name in RECIPES if finished(folder / name))])


def main() -> None:
    """Runs what is not finished and prints the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", required=True, help="as `edgewise run --data`")
    parser.add_argument("--out", required=True, type=Path, help="folder of the run folders")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--train-images", type=int, default=1280)
    parser.add_argument("--image-size", type=int, default=None)
    parser.add_argument("--workers", type=int, default=1, help="runs side by side, which share the cores")
    parser.add_argument("--only", nargs="*", default=list(RECIPES), metavar="RECIPE")
    options = parser.parse_args()
    failed = carry_out({options.out / name: words(name, options) for name in options.only}, options.workers)
    print(table(options.out))
    if failed:
        sys.exit(f"failed: {', '.join(folder.name for folder in failed)}")


if __name__ == "__main__":
    main()
