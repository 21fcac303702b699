"""How time and memory of a search step grow: `python -m benchmarks.growth [--engines auto plain] [--out DIR]`.

One factor at a time moves away from a base (PC-DARTS, K 4, C 16, 8 layers, 32x32, batch 32, 4 nodes): batch,
channels, layers, image size, nodes. Each point is a process of its own: one step to warm up, then some that are
timed. Memory is the peak during the steps less what the process held before them. The exponent is the slope of a
straight line through logarithms (least squares, by scipy) with its standard error.

Expected, by counting operations: time and memory grow with the batch by 1, with the image's side by 2; with the
channels by 1 (depthwise, norms, sums) to 2 (pointwise); with the nodes n as the edges do, n (n + 3) / 2: about 1.5
from 2 to 6 nodes; with the layers by about 1, less what later cells with smaller images save.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import platform
import statistics
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from scipy.stats import linregress

from benchmarks.common import Sizes, in_process, noise, search_of, timed
from benchmarks.supernet import ENGINES, step
from edgewise.methods import recipe
from edgewise.nn.engines.native import library
from edgewise.runs.provenance import device_name, peak_memory_bytes
from edgewise.search import BilevelSearch
from edgewise.spaces import DARTS
from edgewise.spaces.topology import Topology

FACTORS: dict[str, tuple[int, ...]] = {
    "batch": (8, 16, 32, 64, 128),
    "channels": (8, 16, 32, 64),
    "layers": (4, 6, 8, 12, 16),
    "image_size": (16, 24, 32, 48),
    "nodes": (2, 3, 4, 5, 6),
}
BASE = {"batch": 32, "channels": 16, "layers": 8, "image_size": 32, "nodes": 4}


@dataclass(frozen=True)
class Point:
    """A measured point.

    Args:
        value: of the factor.
        seconds: of each timed step.
        memory: peak during the steps less what was held before, bytes.
        peak: of the process, bytes.
    """

    value: int
    seconds: list[float]
    memory: int
    peak: int


def resident_bytes() -> int:
    """What this process holds now (Linux)."""
    text = Path("/proc/self/status").read_text()
    return 1024 * int(next(line.split()[1] for line in text.splitlines() if line.startswith("VmRSS")))


def build(sizes: dict[str, int], engine: str) -> BilevelSearch:
    """A PC-DARTS search of these sizes."""
    rest = {name: value for name, value in sizes.items() if name != "nodes"}
    found = replace(DARTS, topology=Topology.dense(inputs=2, nodes=sizes["nodes"]))
    base = recipe("pc-darts")
    settings = replace(base, search=replace(base.search, engine=ENGINES[engine]))
    return search_of(settings, Sizes(**rest), where=found)


def measure(sizes: dict[str, int], engine: str, steps: int) -> dict[str, Any]:
    """Times some steps in this process."""
    search, batch = build(sizes, engine), noise(Sizes(batch=sizes["batch"], image_size=sizes["image_size"]))
    before = resident_bytes()
    seconds = [timed(lambda: step(search, engine, batch)) for _ in range(steps + 1)]
    peak = peak_memory_bytes("cpu")
    assert peak is not None
    return {"seconds": seconds[1:], "memory": peak - before, "peak": peak}


def in_child(sizes: dict[str, int], engine: str, options: argparse.Namespace) -> dict[str, Any]:
    """`measure` in a fresh process."""
    given = ["--child", json.dumps(sizes), "--engines", engine]
    given += ["--steps", str(options.steps), "--threads", str(options.threads)]
    return in_process("benchmarks.growth", *given)


def fit(points: list[Point], values: list[float]) -> tuple[float, float]:
    """Exponent and its standard error."""
    line = linregress([math.log(p.value) for p in points], [math.log(v) for v in values])
    return float(line.slope), float(line.stderr)  # type: ignore[attr-defined]


def machine(options: argparse.Namespace) -> str:
    """What was measured on."""
    return (
        f"{device_name(torch.device('cpu'))}, {options.threads} threads, torch {torch.__version__}, "
        f"Python {platform.python_version()}, kernels {'compiled' if library() is not None else 'none'}"
    )


def draw(results: dict[str, dict[str, list[Point]]], title: str, path: Path) -> None:
    """Time and memory against every factor, in logarithms, with the fitted lines."""
    from plotly.subplots import make_subplots

    names = list(FACTORS)
    titles = [f"{kind} against {name.replace('_', ' ')}" for kind in ("time", "memory") for name in names]
    figure = make_subplots(rows=2, cols=len(names), subplot_titles=titles)
    colours = {"auto": "#1f77b4", "plain": "#d95f02", "published": "#7570b3"}
    for engine, factors in results.items():
        for column, name in enumerate(names, start=1):
            points = factors[name]
            for row in (1, 2):
                values = values_of(points, "time" if row == 1 else "memory")
                slope, error = fit(points, values)
                x = [p.value for p in points]
                middle = statistics.mean(math.log(v) for v in values)
                centre = statistics.mean(math.log(v) for v in x)
                line = [math.exp(middle + slope * (math.log(v) - centre)) for v in x]
                text = f"{engine}: exponent {slope:.2f} ± {error:.2f}"
                common: dict[str, Any] = {"marker": {"color": colours[engine]}, "showlegend": False}
                figure.add_scatter(x=x, y=values, mode="markers", row=row, col=column, **common)
                figure.add_scatter(x=x, y=line, mode="lines", name=text, row=row, col=column, **common)
                top = 1.0 - 0.1 * list(results).index(engine)
                axes = {"xref": "x domain", "yref": "y domain", "x": 0.03, "y": top, "showarrow": False}
                font = {"color": colours[engine], "size": 11}
                figure.add_annotation(text=text, row=row, col=column, font=font, **axes)
                figure.update_xaxes(type="log", tickvals=x, row=row, col=column)
                unit = "s a step" if row == 1 else "GB of a step"
                figure.update_yaxes(type="log", title=unit if column == 1 else None, row=row, col=column)
    figure.update_layout(title=title, width=1600, height=760, template="plotly_white")
    figure.write_html(path, include_plotlyjs=True)


def values_of(points: list[Point], kind: str) -> list[float]:
    """Median seconds, or GB."""
    if kind == "time":
        return [statistics.median(point.seconds) for point in points]
    return [point.memory / 1e9 for point in points]


def show(name: str, engine: str, points: list[Point]) -> None:
    """Prints a factor's points and exponents."""
    for point in points:
        low, high = min(point.seconds), max(point.seconds)
        print(
            f"{engine:<9} {name:<10} {point.value:>4}: median {statistics.median(point.seconds):.3f} s "
            f"({low:.3f} to {high:.3f}, n {len(point.seconds)}), {point.memory / 1e9:.3f} GB for the step",
            flush=True,
        )
    for kind in ("time", "memory"):
        slope, error = fit(points, values_of(points, kind))
        print(f"{engine:<9} {name:<10} {kind} grows with exponent {slope:.2f} ± {error:.2f}", flush=True)


def parse(given: list[str] | None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--engines", nargs="+", default=["auto"], choices=("auto", "plain", "published"))
    parser.add_argument("--steps", type=int, default=3, help="timed steps of a point")
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results"))
    parser.add_argument("--child", type=json.loads, help=argparse.SUPPRESS)
    return parser.parse_args(given)


def main(given: list[str] | None = None) -> None:
    """Measures, prints, and writes growth.json and growth.html."""
    options = parse(given)
    torch.set_num_threads(options.threads)
    if options.child:
        print(json.dumps(measure(options.child, options.engines[0], options.steps)))
        return
    title = f"Search step of pc-darts, n {options.steps} steps a point; {machine(options)}"
    print(title)
    results: dict[str, dict[str, list[Point]]] = {}
    for engine in options.engines:
        results[engine] = {}
        for name, values in FACTORS.items():
            points = [Point(value, **in_child(BASE | {name: value}, engine, options)) for value in values]
            results[engine][name] = points
            show(name, engine, points)
    options.out.mkdir(parents=True, exist_ok=True)
    record = {
        "machine": machine(options),
        "base": BASE,
        "engines": {
            engine: {name: [vars(point) for point in points] for name, points in factors.items()}
            for engine, factors in results.items()
        },
    }
    (options.out / "growth.json").write_text(json.dumps(record, indent=1) + "\n")
    draw(results, title, options.out / "growth.html")
    print(f"wrote {options.out / 'growth.json'} and {options.out / 'growth.html'}")


if __name__ == "__main__":
    main()
