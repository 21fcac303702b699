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
import time
from dataclasses import replace

import torch

from benchmarks.supernet import MIDDLE
from edgewise.core import Streams, device_name
from edgewise.core.compute import Compute
from edgewise.core.seeding import seeded
from edgewise.data import Batch
from edgewise.methods import ArchParameters, recipe
from edgewise.nn import SupernetSpec, build_supernet, synchronise
from edgewise.search import BilevelSearch
from edgewise.spaces import space

WAYS = (("one", "auto"), ("one", "grouped"), ("one", "plain"), ("several", "grouped"), ("several", "plain"))


def child(options: argparse.Namespace) -> None:
    """Does the steps, as one of the processes that its surroundings speak of."""
    torch.set_num_threads(options.threads)
    base, compute, streams = recipe(options.recipe), Compute("cpu"), Streams(0)
    settings = replace(base, search=replace(base.search, engine=options.engine), warm_up=None)
    with seeded(0):
        spec = SupernetSpec(options.channels, options.layers, classes=10, k=settings.k)
        supernet = build_supernet(space(settings.space), spec)
    synchronise(supernet, compute.processes)
    beta = settings.edge_normalisation is not None
    arch = ArchParameters(supernet.space, beta=beta, generator=streams.generator("arch"))
    search = BilevelSearch(settings, supernet, arch, streams, compute)
    generator, size = torch.Generator().manual_seed(0), options.batch
    x = torch.randn(size, 3, options.image_size, options.image_size, generator=generator)
    rows = compute.processes.rows(size)
    batch = Batch(x[rows], (torch.arange(size) % 10)[rows], torch.arange(size)[rows])
    times = []
    for _ in range(options.steps + 1):
        started = time.perf_counter()
        search.arch_step(batch, moment=MIDDLE)
        search.weights_step(batch, 0.1, moment=MIDDLE)
        times.append(time.perf_counter() - started)
    if compute.processes.main:
        print(json.dumps(times[1:]), flush=True)
    compute.processes.leave()


def start(count: int, engine: str, options: argparse.Namespace) -> list[float]:
    """Seconds of each step."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port = one.getsockname()[1]
    words = [sys.executable, "-m", "benchmarks.processes", "--engine", engine]
    for name in ("recipe", "batch", "channels", "layers", "image_size", "steps"):
        words += [f"--{name.replace('_', '-')}", str(getattr(options, name))]
    words += ["--threads", str(max(1, options.threads // count))]
    shared = {"WORLD_SIZE": str(count), "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)} if count > 1 else {}
    started = [
        subprocess.Popen(
            words,
            env={**os.environ, **shared, **({"RANK": str(rank), "LOCAL_RANK": str(rank)} if shared else {})},
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
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--channels", type=int, default=16)
    parser.add_argument("--layers", type=int, default=8)
    parser.add_argument("--image-size", type=int, default=32)
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
    print(f"{options.recipe}, C {options.channels}, {options.layers} layers, ", end="")
    print(f"{options.image_size} px, batch {options.batch}")
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
