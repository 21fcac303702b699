"""One whole run in its folder: search, derive, train, test, export, report; resumable at every step."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch

from edgewise.core import folder as files
from edgewise.core.compute import Compute
from edgewise.core.errors import ConfigError, RunError
from edgewise.core.folder import RunFolder
from edgewise.core.follower import SharedStop
from edgewise.core.interrupt import StopRequest
from edgewise.core.launch import resumed_device
from edgewise.core.loop import Loop
from edgewise.core.progress import Progress
from edgewise.core.provenance import device_name, git_state, now, versions
from edgewise.core.run_shapes import RESUMED
from edgewise.core.settings import build, to_toml
from edgewise.core.settings_sets import apply_sets
from edgewise.core.settings_toml import from_toml
from edgewise.data import Augment, DataSettings, Splits, load
from edgewise.nn import choose_stem
from edgewise.pipeline.candidates import Design
from edgewise.pipeline.context import Context
from edgewise.pipeline.ending import noting_end
from edgewise.pipeline.estimate import say_cost
from edgewise.pipeline.fitting import budget_facts, budget_sentence
from edgewise.pipeline.front import run_budgets
from edgewise.pipeline.options import Options
from edgewise.pipeline.phases import run_phase, wanted_phases
from edgewise.pipeline.selecting import check_rankable, check_sized
from edgewise.pipeline.settings import Settings
from edgewise.pipeline.sizes import check_sizes
from edgewise.pipeline.sources import path_facts, path_of_run, seen_from, source_of_run
from edgewise.pipeline.speed import announce_kernels, speed_notes, wants_kernels
from edgewise.pipeline.together import heard, introduce, make_folder, note_processes, open_folder, run_phases
from edgewise.pipeline.track import open_tracking
from edgewise.pipeline.truth import open_truth
from edgewise.report import NAMES, network_names
from edgewise.spaces import Genotype, name_genotype

# Weights, optimiser state and the file that replaces the last checkpoint, plus room for report and trace.
SPACE_NEEDED = 256 * 2**20

# What a run may be resumed with: nothing else leaves a checkpoint's tensors and schedules as they are.
RESUMABLE = ("weights.", "arch.", "search.memory", "data.stream")
RESUMABLE += ("train.lr", "train.momentum", "train.weight_decay", "train.clip")


# What run.json says of an end that was not well.
ENDS = ("error", "diverged")
# Commands that take several budgets, and what the run of one of them is called.
SEVERAL = ("run", "select")
PART = "budget"
# What the runs of several budgets have in common with the run whose search they share.
SHARED = ("seed", "device", "device_name", "precision", "compile", "checkpoint_seconds", "truth", "versions")
SHARED += ("threads", "processes", "git", "stem", "data", "citations", "phases", "track")


@dataclass(frozen=True)
class RunResult:
    """What a run left behind.

    Args:
        folder: the run folder.
        genotype: the cells that were found, chosen or trained; None where a hand-made network was chosen of given
            ones.
        results: for each trained network, the entry of results.json.
        failure: what went wrong with those that are not among them; empty where nothing did.
        names: what tables call each of these networks.
        budget: what all of them keep to, in words; empty where that is nothing.
        selection: the content of selection.json; empty without a selection.
        front: the content of front.json, for several budgets; empty for one.
        budgets: for several budgets, what the run of each left behind; those that nothing fits are left out.
    """

    folder: Path
    genotype: Genotype | None
    results: dict[str, dict[str, Any]]
    failure: str = ""
    names: dict[str, str] = field(default_factory=lambda: dict(NAMES))
    budget: str = ""
    selection: dict[str, Any] = field(default_factory=dict)
    front: dict[str, Any] = field(default_factory=dict)
    budgets: dict[str, RunResult] = field(default_factory=dict)


def start(
    settings: Settings,
    out: Path | str,
    *,
    options: Options | None = None,
    command: str = "run",
    genotype: Genotype | None = None,
    given: str = "",
    designs: Sequence[Design] = (),
    progress: Progress | None = None,
) -> RunResult:
    """Makes a run folder and carries the run out.

    Args:
        settings: method, sizes and data.
        out: the run folder; new, empty, or with `options.overwrite` a run.
        options: seed, device and the like.
        command: "run" (all of it), "search", "train" (needs `genotype`) or "select" (needs `designs`).
        genotype: the cells to train.
        given: what tables call these cells; by default what they say of their source.
        designs: the networks to choose from.
        progress: what the user sees; silent by default.

    Raises:
        EdgewiseError: data, settings or folder are not fit, or a number became non-finite.
        Interrupted: the user stopped the run; it can be resumed.
    """
    options = options or Options()
    compute = Compute(options.device, options.precision, compile=options.compile)
    processes = compute.processes
    progress, out = heard(progress, processes), processes.broadcast(str(out))
    open_truth(options.truth, settings)
    if settings.budgets and command not in SEVERAL:
        raise ConfigError(
            f"budgets: {command} makes one network: state one `budget`, or use run or select for several"
        )
    processes.on_main(lambda: RunFolder.check_new(out, SPACE_NEEDED, overwrite=options.overwrite))
    data = seen_from(settings.data, options.began_in)
    paths = path_facts({"data": data.source, "truth": options.truth}, Path(out))
    splits = load(data, seed=options.seed, arch_fraction=settings.search.arch_fraction)
    if command in ("run", "select") and settings.selection is not None and settings.selection.ranks_by("accuracy"):
        check_rankable(len(splits.arch))
    facts: dict[str, Any] = _facts(settings, splits, options, compute, command) | {"paths": paths}
    for name, one in (settings.for_each_budget or {"": settings}).items():
        with _in_budget(name):
            check_sized(designs, one.budget)
            check_sizes(one, splits, stem=facts["stem"], compute=compute, command=command, genotype=genotype)
    if genotype is not None:
        facts["given"] = given or name_genotype(genotype)
    with make_folder(out, processes, overwrite=options.overwrite) as folder:
        folder.write_text(files.RECIPE, to_toml(settings))
        folder.update_run(facts)
        if genotype is not None:
            folder.write_text(files.GENOTYPE, genotype.to_json())
        if designs:
            folder.write_json(files.SELECTION, {"given": [design.record() for design in designs]})
        processes.barrier()
        _introduce(folder, settings, splits, compute, progress)
        if options.estimate:
            with noting_end(folder):
                say_cost(
                    settings,
                    splits,
                    stem=facts["stem"],
                    compute=compute,
                    command=command,
                    genotype=genotype,
                    progress=progress,
                )
        return _carry_out(folder, settings, splits, compute, progress, data)


@contextmanager
def _in_budget(name: str) -> Iterator[None]:
    """Says which of several budgets can't be met."""
    try:
        yield
    except ConfigError as error:
        raise ConfigError(f"budget {name}: {error}" if name else str(error)) from error


def resume(
    path: Path | str,
    *,
    sets: Sequence[str] = (),
    progress: Progress | None = None,
    checkpoint_seconds: float | None = None,
) -> RunResult:
    """Goes on with a run from its last checkpoint; the end is that of a run that was never stopped.

    A finished run is left as it is.

    Args:
        path: the run folder.
        sets: new learning rates and the like (see `RESUMABLE`), for a run that became non-finite.
        progress: what the user sees; silent by default.
        checkpoint_seconds: replaces the run's own.

    Raises:
        RunError: the folder is no run, or its data are not those that it began with.
        ConfigError: a setting can't be changed within a run.
    """
    before = RunFolder.open(path)
    run = before.read_run()
    if run.get("command") == "explore":
        raise RunError(f"{path}: go on with it by `edgewise explore --resume`")
    if "seed" not in run:
        raise RunError(f"{path}: the run stopped before it had begun; start it anew")
    if run["status"] == "done" and before.has(files.REPORT):
        if sets:
            raise ConfigError(f"{path} is a finished run, and --set can't change it any more: start a new run")
        return _result(before)
    missing = [key for key in RESUMED if key not in run]
    if missing:
        raise RunError(
            f"{before.file(files.RUN)} is damaged ({', '.join(missing)} missing): restore it from a copy"
        )
    settings = _settings_of(before, sets)
    compute = Compute(resumed_device(run["device"]), run["precision"], compile=run.get("compile", False))
    progress = heard(progress, compute.processes)
    with open_folder(path, compute.processes) as folder:
        source = source_of_run(settings.data, run, before.path)
        splits = load(source, seed=run["seed"], arch_fraction=settings.search.arch_fraction)
        if splits.fingerprint != run["data"]["fingerprint"]:
            raise RunError(
                f"{path}: the images of {settings.data.source} are not those that the run began with "
                f"(fingerprint {splits.fingerprint[:12]}, recorded {run['data']['fingerprint'][:12]}): "
                "restore them, or start a new run"
            )
        changes: dict[str, Any] = {} if checkpoint_seconds is None else {"checkpoint_seconds": checkpoint_seconds}
        if sets:
            folder.write_text(files.RECIPE, to_toml(settings))
            changes["changed_settings"] = [*run.get("changed_settings", []), *sets]
        run = {key: value for key, value in run.items() if key not in ENDS}
        changes |= note_processes(run, compute.processes, progress)
        folder.write_json(files.RUN, run | {"status": "running", **changes})
        _introduce(folder, settings, splits, compute, progress)
        if run["threads"] != torch.get_num_threads():
            progress.say(
                f"note: the run began with {run['threads']} threads and goes on with {torch.get_num_threads()}: "
                "it will end well, but not bit for bit as if it had never stopped (OMP_NUM_THREADS sets them)"
            )
        return _carry_out(folder, settings, splits, compute, progress, source)


def _settings_of(folder: RunFolder, sets: Sequence[str]) -> Settings:
    """The settings of a run, with changes that its checkpoint can bear."""
    fixed = [text for text in sets if not text.strip().startswith(RESUMABLE)]
    if fixed:
        raise ConfigError(
            f"--set {', '.join(fixed)} can't be changed within a run, only {', '.join(RESUMABLE)} can: "
            "leave it away, or start a new run"
        )
    return build(Settings, apply_sets(from_toml(folder.file(files.RECIPE)), Settings, sets))


def _facts(settings: Settings, splits: Splits, options: Options, compute: Compute, command: str) -> dict[str, Any]:
    return {
        "status": "running",
        "command": command,
        "seed": options.seed,
        "device": str(compute.device),
        "device_name": device_name(compute.device),
        "precision": options.precision,
        "compile": options.compile,
        "checkpoint_seconds": options.checkpoint_seconds,
        "truth": options.truth,
        **({"track": options.track} if options.track else {}),
        "versions": versions(),
        "threads": torch.get_num_threads(),
        "processes": compute.processes.world,
        "git": git_state(),
        "stem": choose_stem(splits.image_size),
        "budget": budget_facts(settings.budget),
        "started": now(),
        "data": {
            "source": splits.source,
            "fingerprint": splits.fingerprint,
            "classes": list(splits.class_names),
            "images": {"weights": len(splits.weights), "arch": len(splits.arch), "test": len(splits.test)},
            "image_size": splits.image_size,
            "channels": splits.channels,
            "normalisation": asdict(splits.normalisation),
            "notes": list(splits.notes),
            "bad_files": list(splits.bad_files),
        },
        "citations": settings.bibtex(),
    }


def _introduce(
    folder: RunFolder, settings: Settings, splits: Splits, compute: Compute, progress: Progress
) -> None:
    """Says what the run works on, and what to know of its speed."""
    run = folder.read_run()
    introduce(run, settings, splits, progress)
    phases = wanted_phases(run["command"], settings)
    if wants_kernels(compute, phases, settings):
        announce_kernels(folder, progress)
    for line in speed_notes(compute, phases, settings, compile=run.get("compile", False)):
        progress.say(line)


def _carry_out(
    folder: RunFolder,
    settings: Settings,
    splits: Splits,
    compute: Compute,
    progress: Progress,
    data: DataSettings,
    *,
    whole: Path | None = None,
) -> RunResult:
    """Carries out the phases that a run still lacks.

    Args:
        folder: of the run.
        settings: of the run.
        splits: its images.
        compute: device and precision.
        progress: what the user sees.
        data: where the images come from, as seen from here.
        whole: the folder of the run that this is a part of, for one of its budgets; None for a whole run.
    """
    run, processes = folder.read_run(), compute.processes
    phases = wanted_phases(run["command"], settings)
    tracker = run.get("track") if processes.main else None
    with (
        StopRequest(patient=processes.several) as stop,
        open_tracking(tracker, folder, settings, progress) as tracking,
    ):
        context = Context(
            folder=folder,
            settings=settings,
            splits=splits,
            compute=compute,
            seed=run["seed"],
            stem=run["stem"],
            augment=Augment.resolve(settings.augment, splits),
            train_augment=Augment.resolve(settings.train_augment, splits),
            loop=Loop(
                folder,
                progress,
                SharedStop(stop, processes),
                checkpoint_seconds=run["checkpoint_seconds"],
                listener=tracking.epoch,
                processes=processes,
                resumed_as=whole,
            ),
            progress=progress,
            truth=open_truth(_truth_file(run, folder), settings),
            networks=[phase.removeprefix("train:") for phase in phases if phase.startswith("train:")],
        )

        def carry_out(phase: str, context: Context) -> None:
            if phase == files.BUDGETS:
                run_budgets(context, lambda *part: _run_of_budget(context, data, *part))
            else:
                run_phase(phase, context)

        with noting_end(folder):
            run_phases(phases, context, carry_out)
    return _result(folder)


def _run_of_budget(
    context: Context, data: DataSettings, path: Path, settings: Settings, designs: Sequence[Design]
) -> str:
    """The run of one of several budgets, begun, gone on with, or read; returns what failed in it."""
    whole, compute, splits = context.folder, context.compute, context.splits
    processes, run = compute.processes, context.folder.read_run()
    begun = processes.broadcast((path / files.RUN).is_file() and RunFolder.open(path).has(files.RECIPE))
    if begun and RunFolder.open(path).status == "done":
        return ""
    with open_folder(path, processes) if begun else make_folder(path, processes, overwrite=True) as folder:
        if not begun:
            command = "select" if run["command"] == "select" else PART
            facts = {key: value for key, value in run.items() if key in SHARED} | {
                "command": command,
                "budget": budget_facts(settings.budget),
                "paths": path_facts({"data": data.source, "truth": None}, path),
                "started": now(),
            }
            if whole.has(files.GENOTYPE):
                folder.write_text(files.GENOTYPE, whole.read_text(files.GENOTYPE))
            if designs:
                folder.write_json(files.SELECTION, {"given": [design.record() for design in designs]})
            folder.update_run(facts)
        own = folder.read_run()
        folder.write_json(files.RUN, {k: v for k, v in own.items() if k not in ENDS} | {"status": "running"})
        folder.write_text(files.RECIPE, to_toml(settings))
        processes.barrier()
        return _carry_out(folder, settings, splits, compute, context.progress, data, whole=whole.path).failure


def _truth_file(run: dict[str, Any], folder: RunFolder) -> str | None:
    return run.get("truth") and path_of_run("truth", run["truth"], run, folder.path)


def _result(folder: RunFolder) -> RunResult:
    run, genotype = folder.read_run(), None
    # Of given networks, one made by hand may have been chosen; every other run ends with cells.
    if folder.has(files.GENOTYPE) or run.get("command") != "select":
        genotype = Genotype.from_json(folder.read_text(files.GENOTYPE), where=str(folder.file(files.GENOTYPE)))
    selection = folder.read_json(files.SELECTION) if folder.has(files.SELECTION) else {}
    front = folder.read_json(files.FRONT) if folder.has(files.FRONT) else {}
    results = folder.read_json(files.RESULTS) if folder.has(files.RESULTS) else {}
    failure = run.get("error", "") if run.get("diverged") else ""
    parts = {end["name"]: folder.path / files.BUDGETS / end["name"] for end in front.get("budgets", ())}
    budgets = {
        name: _result(RunFolder.open(path)) for name, path in parts.items() if (path / files.REPORT).exists()
    }
    return RunResult(
        folder.path,
        genotype,
        results,
        failure,
        network_names(run),
        budget_sentence(run),
        selection,
        front,
        budgets,
    )
