"""Images per second of training a derived network: `python -m benchmarks.training [--compile] [--channels-last]`.

A step is forward with auxiliary head and drop-path, backward, clipping and SGD on one batch of noise. `authors` is
the step as the authors wrote it: PyTorch's operations, clipping and SGD from weight to weight; `plain` is the step
of `edgewise train` with `train.engine=plain` in fp32, `kernels` with `train.engine=auto`, `bf16` under autocast,
`compiled` behind `--compile`, `channels-last` plain with images and weights in that layout. They take turns, so
that a machine that slows down slows all of them; the ratio is taken pair by pair. The time to compile is given
apart, and peak memory is that of a process of its own. `--cpu-time` counts the CPU's seconds instead of those on
the wall: with one thread, on a machine that others work on.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from benchmarks.common import Sizes, in_process, noise, timed, words
from edgewise.nn import DropPath, NetworkSpec, build_network, use_engine
from edgewise.nn.engines.native import library
from edgewise.runs.provenance import device_name, peak_memory_bytes
from edgewise.runtime.compute import Compute
from edgewise.runtime.optimiser import sgd
from edgewise.runtime.random import Streams, seeded
from edgewise.spaces import published
from edgewise.train.forward import TrainingPass

LR, MOMENTUM, WEIGHT_DECAY, CLIP = 0.025, 0.9, 3e-4, 5.0
AUXILIARY, DROP = 0.4, 0.2


@dataclass
class Contender:
    """One way to train.

    Args:
        step: trains on one batch.
        compute: device and precision.
        network: what is trained.
    """

    step: Callable[[Tensor, Tensor], None]
    compute: Compute
    network: nn.Module


def network_of(options: argparse.Namespace) -> nn.Module:
    """The derived network, with the same start weights each time."""
    spec = NetworkSpec(channels=options.channels, layers=options.layers, classes=10, auxiliary=True)
    with seeded(0):
        return build_network(published(options.genotype), spec).to(options.device).train()


def loss_of(logits: Tensor, auxiliary: Tensor | None, y: Tensor) -> Tensor:
    """The main loss and 0.4 of the auxiliary one."""
    loss = F.cross_entropy(logits, y)
    return loss if auxiliary is None else loss + AUXILIARY * F.cross_entropy(auxiliary, y)


def as_the_authors(options: argparse.Namespace) -> Contender:
    """Contiguous, fp32, one weight after the other."""
    network, compute = network_of(options), Compute(options.device)
    optimizer = torch.optim.SGD(
        network.parameters(), LR, momentum=MOMENTUM, weight_decay=WEIGHT_DECAY, foreach=False, fused=False
    )
    drop = DropPath(DROP, Streams(0).generator("drop"))

    def step(x: Tensor, y: Tensor) -> None:
        logits, auxiliary = network.training_forward(x, drop)  # type: ignore[operator]
        optimizer.zero_grad()
        loss_of(logits, auxiliary, y).backward()
        nn.utils.clip_grad_norm_(network.parameters(), CLIP, foreach=False)
        optimizer.step()

    return Contender(step, compute, network)


def as_edgewise(options: argparse.Namespace, kind: str) -> Contender:
    """The step of `edgewise train`."""
    network = network_of(options)
    use_engine(network, "auto" if kind == "kernels" else "plain")
    compute = Compute(options.device, "bf16" if kind == "bf16" else "fp32", compile=kind == "compiled")
    forward = TrainingPass(network, compute, batch_size=options.batch, drops=True)
    if kind == "channels-last":
        forward = TrainingPass(network, ChannelsLast(), batch_size=options.batch, drops=True)  # type: ignore[arg-type]
    weights = list(network.parameters())
    optimizer = compute.prepare_optimizer(sgd(weights, LR, momentum=MOMENTUM, weight_decay=WEIGHT_DECAY))
    drop = DropPath(DROP, Streams(0).generator("drop"))

    def step(x: Tensor, y: Tensor) -> None:
        with compute.autocast():
            loss = loss_of(*forward(x, drop), y)
        optimizer.zero_grad()
        compute.backward(loss)
        compute.clip(weights, CLIP)
        optimizer.step()

    return Contender(step, compute, network)


class ChannelsLast:
    """Stands in for a `Compute` that wants channels-last."""

    channels_last = True
    compiles = False


def make(options: argparse.Namespace, kind: str) -> Contender:
    """A contender by its name."""
    return as_the_authors(options) if kind == "authors" else as_edgewise(options, kind)


def calls(contender: Contender, x: Tensor, y: Tensor) -> int:
    """PyTorch's own operator calls in a step, views included."""
    with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU]) as profile:
        contender.step(x, y)
    return sum(event.count for event in profile.key_averages() if event.key.startswith("aten::"))


def peak(kind: str, options: argparse.Namespace) -> float:
    """GB, of a fresh process that does two steps."""
    return in_process("benchmarks.training", "--child", kind, *words(options, "genotype", "device", "threads"))


def child(options: argparse.Namespace) -> None:
    """Peak memory of one kind, in a process of its own."""
    contender, batch = make(options, options.child), noise(Sizes.read(options), options.device)
    for _ in range(2):
        contender.step(batch.x, batch.y)
    print(json.dumps(peak_memory_bytes(options.device) / 1e9))


def parse() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--genotype", default="PC_DARTS_cifar")
    parser.add_argument("--device", default="cpu")
    Sizes.ask(parser, batch=96)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--compile", action="store_true", help="compile one as well: minutes on a CPU")
    parser.add_argument("--channels-last", action="store_true", help="one in channels-last layout as well")
    parser.add_argument("--cpu-time", action="store_true", help="count the CPU's seconds, not the wall's")
    parser.add_argument("--child", help=argparse.SUPPRESS)
    return parser.parse_args()


def main() -> None:
    """Measures and prints."""
    options = parse()
    torch.set_num_threads(options.threads)
    if options.child:
        child(options)
        return
    kinds = ["authors", "plain", "kernels", "bf16"]
    kinds += ["compiled"] * options.compile + ["channels-last"] * options.channels_last
    contenders, batch = {kind: make(options, kind) for kind in kinds}, noise(Sizes.read(options), options.device)
    x, y = batch.x, batch.y
    first = {k: timed(lambda c=c: c.step(x, y), options.device) for k, c in contenders.items()}
    clock = time.process_time if options.cpu_time else time.perf_counter
    times: dict[str, list[float]] = {kind: [] for kind in kinds}
    for _ in range(options.rounds):
        for kind, contender in contenders.items():
            times[kind].append(timed(lambda c=contender: c.step(x, y), options.device, clock))
    print(f"{device_name(options.device)}, {options.threads} threads, torch {torch.__version__}")
    print(f"{options.genotype}, {Sizes.read(options)}, auxiliary head, drop-path {DROP}", end="")
    print(f"; kernels: {'compiled' if library() is not None else 'none'}", end="")
    print("; CPU seconds" if options.cpu_time else "")
    for kind in kinds:
        rates = [options.batch / seconds for seconds in times[kind]]
        ratios = [a / b for a, b in zip(times["authors"], times[kind], strict=True)]
        print(
            f"{kind:<13} {statistics.median(rates):6.1f} images/s (median; {min(rates):.1f} to {max(rates):.1f}, "
            f"n {len(rates)}), {statistics.median(ratios):.2f} times as fast as the authors' step; "
            f"first step {first[kind]:.1f} s; peak {peak(kind, options):.2f} GB; "
            f"{calls(contenders[kind], x, y):,} operator calls",
            flush=True,
        )


if __name__ == "__main__":
    main()
