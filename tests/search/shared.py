"""Searches and trainings of one process or of two, in float64, and what is left of them to compare.

Called as a program it is one process of two: python -m tests.search.shared FOLDER CASE ..., in the environment
of a launcher; each case's outcome is written to FOLDER.
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from edgewise.data import Batch, Batches, Normalisation
from edgewise.errors import RunError
from edgewise.methods import (
    DARTS_V1,
    DARTS_V2,
    DARTS_V2_FD,
    GDAS,
    NOISY_DARTS,
    P_DARTS,
    PC_DARTS_GP,
    S_DARTS_ADV,
    ArchParameters,
    Diagnostics,
    Recipe,
    SearchDropPath,
    SkipDropout,
    Stages,
    TrainSettings,
    with_projection,
)
from edgewise.nn import EngineName, Supernet, SupernetSpec, synchronise
from edgewise.runtime.compute import Compute
from edgewise.runtime.random import Streams, seeded
from edgewise.search import BilevelSearch, SearchBatches
from edgewise.search.distributed import without_kernels
from edgewise.spaces.space import S4, SPACES, CellSpace
from edgewise.train import TrainTask, evaluate
from tests.search.problem import AUGMENT, CLASSES, SMALL, make_images, make_splits, make_task, tiny
from tests.train.test_task import network

ROOT = Path(__file__).parents[2]
STEPS = 20


class Doubled:
    """A stream of batches in float64; counts nothing, changes nothing else."""

    def __init__(self, batches: Batches) -> None:
        self._batches = batches

    def __len__(self) -> int:
        return len(self._batches)

    def next(self) -> Batch:
        batch = self._batches.next()
        return replace(batch, x=batch.x.double())


def search(recipe: Recipe, space: CellSpace = SMALL, *, seed: int = 3) -> tuple[BilevelSearch, SearchBatches]:
    """A search in float64 on batches of six, shared by the processes that there are."""
    compute = Compute("cpu")
    recipe, streams = without_kernels(recipe, compute.processes), Streams(seed)
    with seeded(seed):
        supernet = Supernet(space, SupernetSpec(channels=8, layers=3, classes=CLASSES, k=recipe.k)).double()
    synchronise(supernet, compute.processes)
    arch = ArchParameters(
        space, beta=recipe.edge_normalisation is not None, generator=streams.generator("arch")
    ).double()
    with torch.no_grad():
        for parameter in arch.parameters():
            parameter.mul_(1e3)
    splits = make_splits(weights=20, arch=20)
    feeds = [
        Doubled(
            Batches(
                images,
                batch_size=6,
                generator=streams.generator(name),
                normalisation=splits.normalisation,
                augment=AUGMENT,
                drop_last=True,
                device="cpu",
                processes=compute.processes,
            )
        )
        for name, images in (("weights", splits.weights), ("arch", splits.arch))
    ]
    return BilevelSearch(recipe, supernet, arch, streams, compute), SearchBatches(*feeds)  # type: ignore[arg-type]


def sized(recipe: Recipe, engine: EngineName) -> Recipe:
    """The recipe at the size of a test; engine `auto` is kernels for one process and grouped for several."""
    recipe = tiny(recipe)
    return replace(recipe, search=replace(recipe.search, engine=engine))


def searched(
    recipe: Recipe, space: CellSpace = SMALL, *, steps: int = STEPS, engine: EngineName = "auto"
) -> dict[str, Any]:
    """What is left of a search after some steps."""
    task, batches = search(sized(recipe, engine), space)
    figures, rows = [], []
    project = task.projector
    if project is not None:

        def noted(given: Tensor, stream: torch.Generator) -> Tensor:
            rows.append(given.clone())
            return project(given, stream)

        task.projector = noted  # type: ignore[assignment]
    for step in range(steps):
        report = task.step(batches, step % 4)
        assert report.arch is not None
        figures += [report.loss, report.accuracy, report.grad_norm, report.arch.loss, report.arch.alpha_norm]
    return {
        "arch": task.arch.state_dict(),
        "supernet": task.supernet.state_dict(),
        "figures": torch.stack([figure.double() for figure in figures]),
        "rows": torch.stack(rows) if rows else torch.zeros(1),
    }


def trained(steps: int = STEPS) -> dict[str, Any]:
    """What is left of a training with auxiliary head and drop-path, whose last batches are smaller and odd."""
    settings = TrainSettings(epochs=4, batch_size=6, channels=4, layers=3, lr=0.1, drop_path=0.4, auxiliary=0.4)
    splits = make_splits(weights=14, arch=13)
    task = TrainTask(
        network(auxiliary=True).double(), "found", settings, splits, AUGMENT, seed=5, compute=Compute("cpu")
    )
    task.batches = Doubled(task.batches)  # type: ignore[assignment]
    records = []
    for step in range(steps):
        task.step(step // task.steps, step % task.steps)
        if (step + 1) % task.steps == 0:
            records.append(task.finish_epoch(step // task.steps))
    figures = [[record[name] for name in ("loss", "accuracy", "grad_norm")] for record in records]
    return {"network": task.network.state_dict(), "figures": torch.tensor(figures, dtype=torch.float64)}


@contextmanager
def in_double() -> Iterator[None]:
    """Within it, modules, alpha and images are float64, and the small space is known by its name."""
    apply, dtype = Normalisation.apply, torch.get_default_dtype()
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(SPACES, SMALL.name, SMALL)
        patch.setattr(Normalisation, "apply", lambda self, pixels: apply(self, pixels).double())
        torch.set_default_dtype(torch.float64)
        try:
            yield
        finally:
            torch.set_default_dtype(dtype)


def tasked(recipe: Recipe) -> dict[str, Any]:
    """The records of a whole search, as its trace would keep them."""
    with in_double():
        recipe = replace(sized(recipe, "auto"), space=SMALL.name)
        task = make_task(recipe, make_splits(weights=24, arch=24))
        records = []
        for epoch in range(task.epochs):
            for step in range(task.steps):
                task.step(epoch, step)
            records.append(task.finish_epoch(epoch))
    return {"records": records}


def halved() -> dict[str, Any]:
    """One step in which forward passes are bf16."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(SPACES, SMALL.name, SMALL)
        task = make_task(replace(sized(PC_DARTS_GP, "auto"), space=SMALL.name), precision="bf16")
    task.step(0, 0)
    arch = task.search.arch.state_dict()
    return {"arch": arch, "figures": torch.tensor(list(task.figures().values()))}


def normalised() -> dict[str, Any]:
    """A batch norm of seven images, differentiated twice, and what it remembers; each process has its rows."""
    processes = Compute("cpu").processes
    generator = torch.Generator().manual_seed(0)
    x = 3 + 10 * torch.randn(7, 3, 4, 5, generator=generator, dtype=torch.float64)
    weigh, push = torch.randn(2, 7, 3, 4, 5, generator=generator, dtype=torch.float64)
    rows = processes.rows(7)
    own = x[rows].clone().requires_grad_()
    module = synchronise(torch.nn.Sequential(torch.nn.BatchNorm2d(3)).double(), processes)
    out = module(own)
    (first,) = torch.autograd.grad((out.sin() * weigh[rows]).sum(), own, create_graph=True)
    (second,) = torch.autograd.grad((first * push[rows]).sum(), own)
    parts = {"out": out, "first": first, "second": second}
    joined = {name: torch.cat(processes.gather(part.detach())) for name, part in parts.items()}
    return joined | {"statistics": dict(module.state_dict())}


def tested() -> dict[str, Any]:
    """The test of a network on three batches of images."""
    images = make_images(600, 4)
    splits = make_splits()
    result = evaluate(network(), images, splits.normalisation, classes=CLASSES, compute=Compute("cpu"))
    return {"figures": torch.tensor([result.top1, result.loss]), "confusion": torch.tensor(result.confusion)}


def drifting() -> dict[str, Any]:
    """What is said where alpha of the second process is another by one bit, and where minus zero meets zero."""
    processes = Compute("cpu").processes
    said = {}
    for name, values in {"same": (1.0, 1.0), "bit": (1.0, 1.0 + 2**-52), "sign": (0.0, -0.0)}.items():
        alpha = torch.tensor([0.5, values[processes.rank]], dtype=torch.float64)
        try:
            processes.check_same({"weights": [torch.ones(2)], "alpha or beta": [alpha]}, "at the end of epoch 7")
            said[name] = ""
        except RunError as error:
            said[name] = str(error)
    return said


def told() -> dict[str, Any]:
    """What each process raises where the first one's disk is full, and which flags they agree on."""
    processes = Compute("cpu").processes

    def fail() -> None:
        raise RunError("the disk is full")

    agreed = processes.any(processes.rank == 1, False, True)
    try:
        processes.on_main(fail)
    except RunError as error:
        return {"type": type(error).__name__, "text": str(error), "agreed": agreed}
    return {}


def left_alone() -> dict[str, Any]:
    """What the first process says when the second has ended; to be the last case."""
    processes = Compute("cpu").processes
    if processes.rank == 1:
        return {}
    try:
        processes.sum(torch.ones(3))
    except RunError as error:
        return {"text": str(error)}
    return {}


CASES: dict[str, Callable[[], dict[str, Any]]] = {
    "pc-darts-gp": lambda: searched(PC_DARTS_GP),
    "gdas-gp": lambda: searched(with_projection(GDAS)),
    "pc-darts-gp, plain": lambda: searched(PC_DARTS_GP, engine="plain"),
    "exact-second-order, plain": lambda: searched(DARTS_V2, steps=10, engine="plain"),
    "training": trained,
    "short-pc-darts-gp": lambda: searched(PC_DARTS_GP, steps=2),
    "short-gdas-gp": lambda: searched(with_projection(GDAS), steps=4),
    "short-training": lambda: trained(10),
    "diagnostics": lambda: tasked(
        replace(DARTS_V1, diagnostics=Diagnostics(hessian_every=1, gap_every=2, gap_images=10))
    ),
    "stages": lambda: tasked(
        replace(P_DARTS, stages=Stages((0, 1), (8, 4)), skip_dropout=SkipDropout(rates=(0.3, 0.1)))
    ),
    "bf16": halved,
    "batch-norm": normalised,
    "test": tested,
    "drifting": drifting,
    "told": told,
    "left-alone": left_alone,
    "s-darts-adv": lambda: searched(S_DARTS_ADV),
    "noisy-darts": lambda: searched(NOISY_DARTS),
    "dropouts": lambda: searched(
        replace(DARTS_V1, skip_dropout=SkipDropout(rates=(0.3,)), drop_path=SearchDropPath(0.5))
    ),
    "noise-in-the-space": lambda: searched(replace(DARTS_V1, space="s4"), S4),
    "exact-second-order": lambda: searched(DARTS_V2, steps=10),
    "finite-difference": lambda: searched(DARTS_V2_FD, steps=10),
}


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


def start_two(*arguments: str) -> list[subprocess.Popen[str]]:
    """Two Python processes of one thread each that a launcher might have started."""
    shared = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join([str(ROOT), *sys.path]),
        "OMP_NUM_THREADS": "1",
        "HF_HUB_OFFLINE": "1",
        "WORLD_SIZE": "2",
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": str(free_port()),
    }
    return [
        subprocess.Popen(
            [sys.executable, *arguments],
            cwd=ROOT,
            env={**shared, "RANK": str(rank), "LOCAL_RANK": str(rank)},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        for rank in range(2)
    ]


def finish(processes: list[subprocess.Popen[str]], seconds: float = 1200) -> list[str]:
    """What both print; raises where they stand still."""
    try:
        return [process.communicate(timeout=seconds)[0] for process in processes]
    finally:
        for process in processes:
            process.kill()


def in_two(folder: Path, *cases: str) -> dict[str, list[dict[str, Any]]]:
    """The outcomes of cases in each of two processes; what a process printed where it did not come so far."""
    said = finish(start_two("-m", "tests.search.shared", str(folder), *cases))

    def outcome(case: str, rank: int) -> dict[str, Any]:
        path = folder / f"{case} {rank}.pt"
        return torch.load(path) if path.is_file() else {"ended before": said[rank]}

    return {case: [outcome(case, rank) for rank in range(2)] for case in cases}


def main(folder: Path, cases: list[str]) -> None:
    torch.set_num_threads(1)
    for case in cases:
        torch.save(CASES[case](), folder / f"{case} {os.environ['RANK']}.pt")


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2:])
