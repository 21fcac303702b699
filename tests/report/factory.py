"""Run folders made up for the report's tests: no search and no training is run."""

from __future__ import annotations

import json
import random
from dataclasses import dataclass, field
from math import cos, exp, pi
from pathlib import Path
from typing import Any

from edgewise.spaces import DARTS, Cell, Edge, Genotype, random_genotype

CELLS = ("normal", "reduce")


@dataclass(frozen=True)
class Made:
    """What a made-up run folder holds.

    Args:
        epochs: of the search; 0 for a folder without one.
        warm_up: epochs in which alpha is frozen.
        train_epochs: of each training.
        networks: those that were trained and tested.
        classes: names of the classes.
        beta: whether the recipe has edge normalisation.
        projected: whether the recipe has a projection.
        direction: of the groups.
        status: the run's status.
        seed: of the made-up numbers.
        old: whether the trace is one of before there were diagnostics.
        measured: whether eigenvalue and gap were measured, in every second epoch.
        stages: of the search, each with fewer primitives.
        back: (detected, target): the search is rolled back once, after the first to the end of the second.
        stop: (detected, target): the search is stopped after the first with the cells of the second.
    """

    epochs: int = 12
    warm_up: int = 3
    train_epochs: int = 8
    networks: tuple[str, ...] = ("found", "random", "hand")
    classes: tuple[str, ...] = field(default_factory=lambda: tuple(str(i) for i in range(10)))
    beta: bool = True
    projected: bool = True
    direction: str = "in"
    status: str = "done"
    seed: int = 0
    old: bool = False
    measured: bool = False
    stages: int = 1
    back: tuple[int, int] | None = None
    stop: tuple[int, int] | None = None


def make_folder(path: Path, made: Made) -> Path:
    """Writes the JSON and TOML files of a run into an empty folder."""
    path.mkdir(parents=True, exist_ok=True)
    rng = random.Random(made.seed)
    trace: list[dict[str, Any]] = search_trace(made, rng)
    timings = [_timing("search", epoch, 1.7) for epoch in range(made.epochs)]
    for network in made.networks:
        trace += train_trace(network, made)
        timings += [_timing(f"train:{network}", epoch, 0.9) for epoch in range(made.train_epochs)]
    write_lines(path / "trace.jsonl", trace)
    write_lines(path / "timings.jsonl", timings)
    (path / "run.json").write_text(json.dumps(run_json(made, timings)))
    (path / "recipe.toml").write_text(recipe_toml(made))
    genotype = trace[made.epochs - 1]["genotype"] if made.epochs else random_genotype(DARTS, rng).to_dict()
    if made.status == "done":
        (path / "genotype.json").write_text(json.dumps(genotype))
        results = {name: result(name, genotype, made, rng) for name in made.networks}
        if results:
            (path / "results.json").write_text(json.dumps(results))
    return path


def write_lines(path: Path, records: list[dict[str, Any]]) -> None:
    """Writes a file of records, one JSON object a line."""
    path.write_text("".join(json.dumps(record) + "\n" for record in records))


def _timing(phase: str, epoch: int, seconds: float) -> dict[str, Any]:
    peak = 412_000_000 + 1000 * epoch
    return {"phase": phase, "epoch": epoch, "seconds": seconds + epoch / 100, "peak_memory_bytes": peak}


def search_trace(made: Made, rng: random.Random) -> list[dict[str, Any]]:
    """Search epochs in which alpha drifts towards a random target after the warm-up."""
    edges, primitives = len(DARTS.topology.edges), len(DARTS.primitives)
    target = {cell: [[rng.gauss(0, 1) for _ in range(primitives)] for _ in range(edges)] for cell in CELLS}
    drift = {cell: [rng.gauss(0, 0.8) for _ in range(edges)] for cell in CELLS}
    trace = []
    for epoch in range(made.epochs):
        frozen = epoch < made.warm_up
        share = max(0, epoch + 1 - made.warm_up) / max(1, made.epochs - made.warm_up)
        alpha = {
            cell: [
                [1e-3 * rng.gauss(0, 1) if frozen else share * v + 0.1 * rng.gauss(0, 1) for v in row]
                for row in rows
            ]
            for cell, rows in target.items()
        }
        beta = {cell: [share * v for v in values] for cell, values in drift.items()} if made.beta else None
        trace.append(search_epoch(epoch, alpha, beta, made, rng))
    return trace if made.old else [record | newer(record, made) for record in trace]


def newer(record: dict[str, Any], made: Made) -> dict[str, Any]:
    """What traces hold since there are diagnostics."""
    epoch = record["epoch"]
    detected, target = made.back or (made.epochs, made.epochs)
    scheduled = epoch if epoch <= detected else epoch - (detected - target)
    stage = epoch * made.stages // made.epochs
    mixture = {cell: [mixed(row, 8 - 3 * stage) for row in rows] for cell, rows in record["alpha"].items()}
    found = Genotype.from_dict(record["genotype"])
    measured = made.measured and (epoch % 2 == 0 or epoch == made.epochs - 1)
    decision = None
    for action, at in (("roll back", made.back), ("stop", made.stop)):
        if at is not None and epoch == at[0]:
            decision = {"action": action, "detected": at[0], "epoch": at[1]}
    return {
        "mixture": mixture,
        "shares": {cell: shares(rows) for cell, rows in mixture.items()},
        "depth": {cell: found.cells[cell].depth for cell in CELLS},
        "width": {cell: found.cells[cell].width for cell in CELLS},
        "schedule_epoch": scheduled,
        "stage": stage,
        "layers": 4 + stage,
        "weight_decay": 3e-4 if epoch <= detected else 3e-3,
        "hessian": {"eigenvalue": 0.1 + epoch / 50, "residual": 1e-5, "products": 17} if measured else None,
        "gap": {"mixture": 0.9, "derived": 0.3 + epoch / 50, "gap": 0.6 - epoch / 50, "images": 700}
        if measured
        else None,
        "decision": decision,
    }


def mixed(alpha: list[float], count: int) -> list[float]:
    """The softmax of alpha over its `count` largest entries, 0 for the others."""
    floor = sorted(alpha)[-count]
    powers = [exp(value) if value >= floor else 0.0 for value in alpha]
    return [power / sum(powers) for power in powers]


def shares(mixture: list[list[float]]) -> dict[str, float]:
    """Means over the edges, by kind of primitive."""
    means = [sum(column) / len(mixture) for column in zip(*mixture, strict=True)]
    return {"skip": means[3], "pool": means[1] + means[2], "none": means[0], "parametrised": sum(means[4:])}


def search_epoch(epoch: int, alpha: Any, beta: Any, made: Made, rng: random.Random) -> dict[str, Any]:
    """One line of a search's trace."""
    frozen, left = epoch < made.warm_up, exp(-epoch / 5)
    genotype = Genotype("darts", {cell: derived(rows) for cell, rows in alpha.items()}, "made up").to_dict()
    found = Genotype.from_dict(genotype)
    return {
        "phase": "search",
        "epoch": epoch,
        "steps": 11,
        "arch_steps": 0 if frozen else 11,
        "weights_loss": 0.2 + 2.1 * left,
        "weights_accuracy": 0.96 - 0.8 * left,
        "arch_loss": None if frozen else 0.3 + 2.0 * left,
        "arch_accuracy": None if frozen else 0.93 - 0.8 * left,
        "lr": 0.05 * (1 + cos(pi * epoch / made.epochs)),
        "arch_lr": 0.003,
        "weights_grad_norm": 1 + 3 * left,
        "alpha_grad_norm": None if frozen else 0.02 + 0.05 * left,
        "beta_grad_norm": None if frozen or not made.beta else 0.004 + 0.01 * left,
        "alpha": alpha,
        "beta": beta,
        "genotype": genotype,
        "skips": {cell: found.cells[cell].skips for cell in CELLS},
        "pools": {cell: found.cells[cell].pools for cell in CELLS},
        "conflicts": None if frozen else conflicts(made, rng),
    }


def derived(alpha: list[list[float]]) -> Cell:
    """The two edges into each node whose best primitive other than `none` is strongest."""
    edges = []
    for node in DARTS.concat:
        best = []
        for index in DARTS.topology.into(node):
            strength, primitive = max(zip(alpha[index][1:], DARTS.primitives[1:], strict=True))
            best.append((strength, Edge(node, DARTS.topology.edges[index][0], primitive)))
        edges += [edge for _, edge in sorted(best, key=lambda item: -item[0])[:2]]
    return Cell(2, 4, tuple(edges), DARTS.concat)


def conflicts(made: Made, rng: random.Random) -> dict[str, Any]:
    """Conflicts of every group; the same before and after where nothing is projected."""
    groups = []
    for cell in CELLS:
        for node, edges in DARTS.topology.groups(made.direction):  # type: ignore[arg-type]
            rate, cosine = rng.uniform(0.2, 0.6), rng.uniform(-0.2, 0.2)
            after = (rate * 0.4, cosine + 0.1) if made.projected else (rate, cosine)
            groups.append(
                {
                    "cell": cell,
                    "node": node,
                    "edges": len(edges),
                    "steps": 11,
                    "conflict_rate_before": rate,
                    "conflict_rate_after": after[0],
                    "cosine_before": cosine,
                    "cosine_after": after[1],
                }
                | ({} if made.old else {"cosines": cosine_matrix(len(edges), rng)})
            )
    order = "random" if made.projected else None
    return {"direction": made.direction, "projected": made.projected, "order": order, "groups": groups}


def cosine_matrix(size: int, rng: random.Random) -> list[list[float]]:
    """A symmetric matrix with ones on its diagonal."""
    upper = {(i, j): rng.uniform(-0.3, 0.3) for j in range(size) for i in range(j)}
    return [[1.0 if i == j else upper[min(i, j), max(i, j)] for j in range(size)] for i in range(size)]


def train_trace(network: str, made: Made) -> list[dict[str, Any]]:
    """Training epochs of one network."""
    slow = {"found": 3.0, "random": 3.6, "hand": 4.4}.get(network, 5.0)
    return [
        {
            "phase": "train",
            "network": network,
            "epoch": epoch,
            "loss": 0.1 + 2.2 * exp(-epoch / slow),
            "accuracy": 0.97 - 0.85 * exp(-epoch / slow),
            "lr": 0.025 * (1 + cos(pi * epoch / made.train_epochs)),
            "drop_path": 0.0,
            "grad_norm": 1.0 + 2 * exp(-epoch / slow),
        }
        for epoch in range(made.train_epochs)
    ]


def result(network: str, genotype: dict[str, Any], made: Made, rng: random.Random) -> dict[str, Any]:
    """A network's entry of results.json; its accuracies follow from its confusion matrix."""
    classes, each = len(made.classes), 36 if len(made.classes) <= 20 else 20
    error = {"found": 0.03, "random": 0.05, "hand": 0.09}.get(network, 0.07)
    confusion = [[0] * classes for _ in range(classes)]
    for true in range(classes):
        for _ in range(each):
            wrong = rng.random() < error * (1 + true % 3)
            confusion[true][rng.randrange(classes) if wrong else true] += 1
    right = sum(confusion[i][i] for i in range(classes))
    if network == "random":
        genotype = random_genotype(DARTS, rng).to_dict()
    cells = Genotype.from_dict(genotype).statistics()
    return {
        "params": {"found": 61_234, "random": 58_802, "hand": 63_010}.get(network, 64_000),
        "macs": {"found": 3_456_789, "random": 3_120_456, "hand": 4_012_345}.get(network, 4_100_000),
        "top1": right / (classes * each),
        "loss": 0.1 + error,
        "per_class": [confusion[i][i] / each for i in range(classes)],
        "confusion": confusion,
        "test_images": classes * each,
        "cells": cells if network in ("found", "random") else None,
        "genotype": genotype if network in ("found", "random") else None,
        "train_seconds": 8.1,
    }


def run_json(made: Made, timings: list[dict[str, Any]]) -> dict[str, Any]:
    """The content of run.json."""
    phases = {
        name: {
            "seconds": round(sum(t["seconds"] for t in timings if t["phase"] == name), 3),
            "peak_memory_bytes": max(t["peak_memory_bytes"] for t in timings if t["phase"] == name),
        }
        for name in dict.fromkeys(t["phase"] for t in timings)
    }
    command = "run" if made.epochs and made.networks else "search" if made.epochs else "train"
    return {
        "format": "edgewise.run/1",
        "edgewise": "0.1.0",
        "status": made.status,
        "command": command,
        "seed": made.seed,
        "device": "cpu",
        "device_name": "A processor of 2 cores",
        "precision": "fp32",
        "versions": {"python": "3.11.9", "torch": "2.13.0", "numpy": "2.1.0"},
        "threads": 2,
        "git": {"commit": "0123456789abcdef0123456789abcdef01234567", "dirty": True},
        "stem": "cifar",
        "started": "2026-03-01T09:30:00+00:00",
        "data": {
            "source": "digits",
            "fingerprint": "5e" * 32,
            "classes": list(made.classes),
            "images": {"weights": 718, "arch": 719, "test": 36 * len(made.classes)},
            "image_size": 8,
            "channels": 1,
            "normalisation": {"mean": [0.3053], "std": [0.3764]},
            "notes": ["20 % of the images were cut off for the test, stratified, by seed 0"],
            "bad_files": [],
        },
        "phases": phases if made.status == "done" else {},
        "citations": ["@misc{made_up,\n  title = {A <title> & more},\n  year = {2026}\n}"],
    }


def recipe_toml(made: Made) -> str:
    """The content of recipe.toml."""
    projection = '[projection]\ndirection = "in"\norder = "random"\n' if made.projected else ""
    epochs = 50 if made.status != "done" else made.epochs or 10
    return (
        f'name = "{"pc-darts-gp" if made.projected else "darts"}"\nspace = "darts"\n\n'
        f"[search]\nepochs = {epochs}\nbatch_size = 64\nchannels = 8\nlayers = 4\n\n{projection}\n"
        f"[train]\nepochs = {made.train_epochs}\nlr = 0.05\n"
    )
