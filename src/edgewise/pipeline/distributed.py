"""One run of several processes: the first one writes, and all go from phase to phase together."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from edgewise.data import Splits
from edgewise.pipeline.context import Context
from edgewise.pipeline.settings import Settings
from edgewise.progress.plain import SilentProgress
from edgewise.progress.protocol import Progress
from edgewise.runs.folder import RunFolder
from edgewise.runs.read_only import ReadOnlyFolder
from edgewise.runtime.distributed import Processes

# Phases that read and write files alone.
OF_THE_FIRST = ("candidates", "fit", "export", "report")


def make_folder(out: Path | str, processes: Processes, *, overwrite: bool) -> RunFolder:
    """The folder of a new run: made and locked by the first process, read by the others.

    Args:
        out: the folder.
        processes: who carries the run out.
        overwrite: whether a run that is there may be removed.
    """
    return processes.on_main(lambda: RunFolder.create(out, overwrite=overwrite)) or ReadOnlyFolder(out)


def open_folder(path: Path | str, processes: Processes) -> RunFolder:
    """The folder of a run that is gone on with: locked by the first process, read by the others.

    Args:
        path: the folder.
        processes: who carries the run out.
    """
    return processes.on_main(lambda: RunFolder.open(path, lock=True)) or ReadOnlyFolder(path)


def heard(progress: Progress | None, processes: Processes) -> Progress:
    """What this process shows: nothing, unless it is the first."""
    return progress if progress is not None and processes.main else SilentProgress()


def run_phases(phases: Sequence[str], context: Context, run: Callable[[str, Context], None]) -> None:
    """Carries out phases; each begins when every process has ended the one before.

    Args:
        phases: their names.
        context: what they need.
        run: carries one out.
    """
    processes = context.compute.processes
    processes.barrier()
    for phase in phases:
        if processes.main or phase not in OF_THE_FIRST:
            run(phase, context)
        processes.barrier()


def note_processes(run: dict[str, Any], processes: Processes, progress: Progress) -> dict[str, Any]:
    """Says where a run goes on with another number of processes; returns what run.json is to say.

    Args:
        run: the content of run.json.
        processes: those that go on.
        progress: is told.
    """
    before = run.get("processes", 1)
    if before != processes.world:
        progress.say(
            f"note: the run began with {before} {'process' if before == 1 else 'processes'} and goes on with "
            f"{processes.world}: the batches are the same, and the numbers are, rounding aside"
        )
    return {"processes": processes.world}


def introduce(run: dict[str, Any], settings: Settings, splits: Splits, progress: Progress) -> None:
    """Says what a run works on."""
    images = run["data"]["images"]
    world = run.get("processes", 1)
    together = f", {world} processes" if world > 1 else ""
    progress.say(
        f"{settings.name} on {splits.source}: {splits.classes} classes, {splits.image_size}x{splits.image_size}"
        f"x{splits.channels}, {images['weights']} images for weights, {images['arch']} for the architecture, "
        f"{images['test']} for the test; {run['stem']} stem; seed {run['seed']}, {run['device_name']}{together}"
    )
    for note in splits.notes:
        progress.say(f"note: {note}")
