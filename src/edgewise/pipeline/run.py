"""One whole run in its folder: search, derive, train, test, export, report; resumable at every step."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch

from edgewise.config.build import build, to_toml
from edgewise.config.overrides import apply_sets
from edgewise.config.toml import from_toml
from edgewise.data import Augment, DataSettings, Splits, load
from edgewise.errors import ConfigError, RunError
from edgewise.loop import Loop
from edgewise.pipeline.candidates import Design
from edgewise.pipeline.context import Context
from edgewise.pipeline.distributed import heard, introduce, make_folder, note_processes, open_folder, run_phases
from edgewise.pipeline.estimate import say_cost
from edgewise.pipeline.facts import ENDS, run_facts
from edgewise.pipeline.front import run_budgets, run_of_budget
from edgewise.pipeline.ground_truth import open_truth
from edgewise.pipeline.memory_check import check_sizes
from edgewise.pipeline.options import Options
from edgewise.pipeline.phases import run_phase, wanted_phases
from edgewise.pipeline.record_failure import noting_end
from edgewise.pipeline.result import RunResult, read_result
from edgewise.pipeline.selecting import check_rankable, check_sized
from edgewise.pipeline.settings import Settings
from edgewise.pipeline.sources import path_facts, path_of_run, seen_from, source_of_run
from edgewise.pipeline.speed_advice import announce_kernels, speed_notes, wants_kernels
from edgewise.pipeline.track import open_tracking
from edgewise.progress.protocol import Progress
from edgewise.runs import folder as files
from edgewise.runs.folder import RunFolder
from edgewise.runs.schema import RESUMED
from edgewise.runtime.compute import Compute
from edgewise.runtime.interrupt import SharedStop, StopRequest
from edgewise.runtime.launcher import resumed_device
from edgewise.spaces import Genotype, name_genotype

# Weights, optimiser state and the file that replaces the last checkpoint, plus room for report and trace.
SPACE_NEEDED = 256 * 2**20

# What a run may be resumed with: nothing else leaves a checkpoint's tensors and schedules as they are.
RESUMABLE = ("weights.", "arch.", "search.memory", "data.stream")
RESUMABLE += ("train.lr", "train.momentum", "train.weight_decay", "train.clip")


# Commands that take several budgets.
SEVERAL = ("run", "select")


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
    if not settings.budgets:  # each of several states a limit
        check_sized(designs, settings.budget)
    processes.on_main(lambda: RunFolder.check_new(out, SPACE_NEEDED, overwrite=options.overwrite))
    data = seen_from(settings.data, options.began_in)
    paths = path_facts({"data": data.source, "truth": options.truth}, Path(out))
    splits = load(data, seed=options.seed, arch_fraction=settings.search.arch_fraction)
    if command in ("run", "select") and settings.selection is not None and settings.selection.ranks_by("accuracy"):
        check_rankable(len(splits.arch))
    facts: dict[str, Any] = run_facts(settings, splits, options, compute, command) | {"paths": paths}
    for name, one in (settings.for_each_budget or {"": settings}).items():
        with _in_budget(name):
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
        return read_result(before)
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
                run_budgets(context, lambda *part: run_of_budget(context, data, _carry_out, *part))
            else:
                run_phase(phase, context)

        with noting_end(folder):
            run_phases(phases, context, carry_out)
    return read_result(folder)


def _truth_file(run: dict[str, Any], folder: RunFolder) -> str | None:
    return run.get("truth") and path_of_run("truth", run["truth"], run, folder.path)
