"""One search step shared by processes on this machine's CPU: `python -m benchmarks.processes [--processes 2]`.

A step is an arch step and a weight step on one batch of noise. One process has all threads; several share them
and the batch. Each way is started anew in every round, in turn, does a step to warm up and then its steps; what is
reported is the median over all steps of the first process, which waits for the others in each batch norm.
"""

from __future__ import annotations

import argparse
import json
import os
import socket
import statistics
import subprocess
import sys
from dataclasses import replace

import torch

from benchmarks.common import Sizes, noise, search_of, timed, words
from benchmarks.supernet import step
from edgewise.data import Batch
from edgewise.methods import recipe
from edgewise.runs.provenance import device_name
from edgewise.runtime.compute import Compute

WAYS = (("one", "auto"), ("one", "grouped"), ("one", "plain"), ("several", "grouped"), ("several", "plain"))


def child(options: argparse.Namespace) -> None:
    """Does the steps, as one of the processes that its surroundings speak of."""
    torch.set_num_threads(options.threads)
    base, compute, sizes = recipe(options.recipe), Compute("cpu"), Sizes.read(options)
    search = search_of(replace(base, search=replace(base.search, engine=options.engine)), sizes, compute)
    whole, rows = noise(sizes), compute.processes.rows(sizes.batch)
    batch = Batch(whole.x[rows], whole.y[rows], whole.index[rows])
    times = [timed(lambda: step(search, options.engine, batch)) for _ in range(options.steps + 1)]
    if compute.processes.main:
        print(json.dumps(times[1:]), flush=True)
    compute.processes.leave()


def start(count: int, engine: str, options: argparse.Namespace) -> list[float]:
    """Seconds of each step."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port = one.getsockname()[1]
    threads = max(1, options.threads // count)
    given = [sys.executable, "-m", "benchmarks.processes", "--engine", engine, *words(options, "recipe", "steps")]
    given += ["--threads", str(threads)]
    shared = {"WORLD_SIZE": str(count), "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)} if count > 1 else {}
    # Else accelerate gives each process all of the threads.
    shared["OMP_NUM_THREADS"] = str(threads)
    started = [
        subprocess.Popen(
            given,
            env={**os.environ, **shared, **({"RANK": str(rank), "LOCAL_RANK": str(rank)} if count > 1 else {})},
            stdout=subprocess.PIPE,
            text=True,
        )
        for rank in range(count)
    ]
    said = [process.communicate()[0] for process in started]
    if any(process.returncode for process in started):
        raise SystemExit(f"{engine} on {count} processes failed")
    return json.loads(said[0].splitlines()[-1])


def parse() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--recipe", default="pc-darts-gp")
    parser.add_argument("--processes", type=int, default=2)
    Sizes.ask(parser)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--steps", type=int, default=2, help="of each round, after one to warm up")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads(), help="of all processes together")
    parser.add_argument("--engine", help=argparse.SUPPRESS)
    return parser.parse_args()


def main() -> None:
    """Measures and prints."""
    options = parse()
    if options.engine:
        child(options)
        return
    times: dict[tuple[str, str], list[float]] = {way: [] for way in WAYS}
    for _ in range(options.rounds):
        for number, engine in WAYS:
            count = 1 if number == "one" else options.processes
            times[number, engine] += start(count, engine, options)
    print(f"{device_name(torch.device('cpu'))}, {options.threads} threads in all, torch {torch.__version__}")
    print(f"{options.recipe}, {Sizes.read(options)}")
    first = statistics.median(times["one", "plain"])
    for (number, engine), found in times.items():
        count = 1 if number == "one" else options.processes
        name = f"{count} process{'es' if count > 1 else ''}, {'kernels' if engine == 'auto' else engine}"
        print(
            f"{name:<22} step median {statistics.median(found):.2f} s ({min(found):.2f} to {max(found):.2f}, "
            f"n {len(found)}), {first / statistics.median(found):.2f} times as fast as one process, plain"
        )


if __name__ == "__main__":
    main()
