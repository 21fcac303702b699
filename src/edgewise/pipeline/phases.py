"""The phases of a run. Each leaves its files behind, and is skipped where they are there already."""

from __future__ import annotations

import math
import shlex
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path

from safetensors.torch import save

from edgewise.errors import DivergedError, RunError
from edgewise.export import export_onnx, load_network, save_network
from edgewise.pipeline.context import Context
from edgewise.pipeline.networks import Candidate
from edgewise.pipeline.random_search import random_search
from edgewise.pipeline.selecting import candidates, select
from edgewise.pipeline.settings import NETWORKS, RANDOM_SEARCH, Settings
from edgewise.pipeline.size_phase import fit, measure
from edgewise.pipeline.sized import subject_of_run
from edgewise.report import write_report
from edgewise.runs import folder as files
from edgewise.runs.provenance import now
from edgewise.search import SearchTask
from edgewise.spaces import cell_name, describe_cell
from edgewise.train import TrainTask, evaluate

TRAININGS = tuple(f"train:{name}" for name in NETWORKS)
PHASES: dict[str, tuple[str, ...]] = {
    "run": ("search", "candidates", "select", RANDOM_SEARCH, "fit", *TRAININGS, "export", "report"),
    "budget": ("candidates", "select", RANDOM_SEARCH, "fit", *TRAININGS, "export", "report"),
    "search": ("search", "report"),
    "select": ("candidates", "select", "report"),
    "train": ("fit", "train:found", "export", "report"),
}


def wanted_phases(command: str, settings: Settings) -> list[str]:
    """The phases of a command, without the comparisons that nobody asked for.

    Args:
        command: as run.json names it.
        settings: say what is compared, and whether one of several candidates is chosen after the search.
    """
    if command not in PHASES:
        raise RunError(f"unknown command {command!r} in run.json: expected one of {', '.join(PHASES)}")
    skipped = {f"train:{name}" for name in NETWORKS if name != "found" and name not in settings.compared}
    if settings.budgets:
        return ["search", files.BUDGETS, "report"] if command == "run" else [files.BUDGETS, "report"]
    if command in ("run", "budget") and settings.selection is None:
        skipped |= {"candidates", "select"}
    if RANDOM_SEARCH not in settings.compared:
        skipped.add(RANDOM_SEARCH)
    return [phase for phase in PHASES[command] if phase not in skipped]


def run_phase(phase: str, context: Context) -> None:
    """Carries out a phase, unless the folder holds its result."""
    kind, _, name = phase.partition(":")
    if kind == "search":
        _search(context)
    elif kind == "candidates":
        candidates(context)
    elif kind == "select":
        select(context)
    elif kind == RANDOM_SEARCH:
        random_search(context)
    elif kind == "fit":
        fit(context)
    elif kind == "train":
        _train(name, context)
    elif kind == "export":
        _export(context)
    else:
        _report(context)


def _search(context: Context) -> None:
    if context.folder.has(files.GENOTYPE):
        return
    task = SearchTask(
        context.settings,
        context.splits,
        context.augment,
        stem=context.stem,
        seed=context.seed,
        compute=context.compute,
        truth=context.truth,
    )
    context.loop.run(task)
    context.note_cost("search")
    stopped = task.early_stopping.stopped
    if stopped is not None:
        context.progress.say(
            f"the eigenvalue of the architecture Hessian rose: stopped after epoch {stopped['detected'] + 1} with "
            f"the cells of epoch {stopped['epoch'] + 1}"
        )
    tensors = {**task.search.supernet.state_dict(), **task.search.arch.state_dict()}
    context.folder.write_bytes(files.SUPERNET, save({name: t.cpu().contiguous() for name, t in tensors.items()}))
    genotype = task.genotype()
    context.folder.write_text(files.GENOTYPE, genotype.to_json())
    for name, cell in genotype.cells.items():
        context.progress.say(f"{cell_name(name)}: {describe_cell(cell.statistics())}")


def _train(name: str, context: Context) -> None:
    if name in context.results() or name in context.folder.read_run().get("unfit", {}):
        return
    if context.is_winner(name):
        context.progress.say(f"{name}: it won the selection, and is trained already")
        return
    candidate = context.candidate(name)
    task = TrainTask(
        candidate.network,
        name,
        context.settings.train,
        context.splits,
        context.train_augment,
        seed=context.seed,
        compute=context.compute,
        title=f"training ({context.called(name)})",
    )
    try:
        context.loop.run(task)
        seconds = context.note_cost(task.phase)
        _test(candidate, context, seconds)
    except DivergedError as error:
        if len(context.networks) == 1:
            raise
        context.loop.give_up(task)
        _note_divergence(name, str(error.__cause__ or error), context)


def _note_divergence(name: str, said: str, context: Context) -> None:
    """The other networks of the comparison are trained all the same."""
    context.folder.update_run({"diverged": {name: said}})
    context.progress.say(f"warning: {said}; the run goes on with the other networks")


def _test(candidate: Candidate, context: Context, train_seconds: float) -> None:
    result = evaluate(
        candidate.network,
        context.splits.test.open(),
        context.splits.normalisation,
        classes=context.splits.classes,
        compute=context.compute,
    )
    if not math.isfinite(result.loss):
        raise DivergedError(
            f"the training ({candidate.name}) diverged: the loss on test images is {result.loss}: lower train.lr "
            f"(it is {context.settings.train.lr:g})"
        )
    if candidate.name == "found":
        _save_network(candidate, context)
    record = (
        dict(context.sizes().get(candidate.name, {}))
        | candidate.record()
        | {
            "top1": result.top1,
            "loss": result.loss,
            "per_class": result.per_class,
            "confusion": result.confusion,
            "test_images": result.images,
            "train_seconds": train_seconds,
        }
    )
    context.folder.write_json(files.RESULTS, context.results() | {candidate.name: record})
    called = context.called(candidate.name)
    context.progress.say(f"{called}: test accuracy {result.top1:.2%} on {result.images} images")


def _save_network(candidate: Candidate, context: Context) -> None:
    if not context.compute.processes.main:
        return
    subject = subject_of_run(context.settings, context.splits, context.stem)
    facts = subject.facts(candidate.design, candidate.spec)
    save_network(context.folder.file(files.NETWORK), candidate.network, facts)


def _export(context: Context) -> None:
    if "found" in context.results() and not (
        context.folder.has(files.ONNX) and "onnx" in context.folder.read_run()
    ):
        loaded = load_network(context.folder.path)
        check = export_onnx(loaded.network, loaded.facts, context.folder.file(files.ONNX))
        context.folder.update_run({"onnx": asdict(check)})
        context.progress.say(
            f"{files.ONNX}: agrees with PyTorch to {check.max_difference:.1e} (logits up to {check.scale:.1f})"
        )
    measure(context)


def _report(context: Context) -> None:
    diverged = context.folder.read_run().get("diverged", {})
    ended = (
        {"status": "failed", "error": advice(diverged, context.folder.path)} if diverged else {"status": "done"}
    )
    context.folder.update_run({**ended, "finished": now()})
    write_report(context.folder.path)


def advice(diverged: Mapping[str, str], path: Path) -> str:
    """What is to be said of networks whose training diverged, and how to train them again."""
    return (
        f"{'; '.join(diverged.values())}. Train {'it' if len(diverged) == 1 else 'them'} again by `edgewise run "
        f"--resume {shlex.quote(str(path))} --set train.lr=...`; what is trained already stays as it is"
    )
