"""One run of a study, carried out in any process: started, gone on with, or left as it is."""

from __future__ import annotations

import traceback
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from edgewise.config.build import build
from edgewise.config.toml import from_toml
from edgewise.errors import EdgewiseError, RunError
from edgewise.pipeline import Options, Settings, resume, start
from edgewise.plugins import load_installed
from edgewise.progress.protocol import Progress
from edgewise.runs import folder as files
from edgewise.runs.folder import RunFolder
from edgewise.runtime.compute import Precision
from edgewise.runtime.interrupt import Interrupted
from edgewise.spaces import Genotype
from edgewise.study.plan import PlannedRun
from edgewise.study.state import fault_of


@dataclass(frozen=True)
class Job:
    """A run as plain texts and numbers, to be sent to another process.

    Args:
        name: of the run in the study.
        folder: the run folder.
        recipe: the content of its recipe.toml.
        seed: of the run.
        command: "run", "search" or "train".
        genotype: JSON of the cells to train, or None.
        device: see `Compute`.
        precision: see `Compute`.
        threads: of PyTorch; None leaves them as they are.
        began_in: see `Options`.
    """

    name: str
    folder: str
    recipe: str
    seed: int
    command: str
    genotype: str | None
    device: str = "auto"
    precision: Precision = "fp32"
    threads: int | None = None
    began_in: str = ""


@dataclass(frozen=True)
class Outcome:
    """How a job ended.

    Args:
        status: "interrupted" if somebody asked for a stop, "died" if its process ended without a word.
        error: why it did not finish.
    """

    status: Literal["finished", "failed", "interrupted", "died"]
    error: str = ""


def make_job(
    run: PlannedRun, root: Path, *, device: str, precision: Precision, threads: int | None, began_in: str = ""
) -> Job:
    """The job of a run of the study in `root`."""
    root = root.resolve()
    return Job(
        name=run.name,
        folder=str(root / run.name),
        recipe=run.recipe(),
        seed=run.seed,
        command=run.command,
        genotype=run.genotype,
        device=device,
        precision=precision,
        threads=threads,
        began_in=began_in,
    )


def carry_out(job: Job, progress: Progress | None = None) -> Outcome:
    """Carries a job out; never raises, so that one run can't end a study.

    Args:
        job: the run.
        progress: of the single run; silent by default.
    """
    try:
        if job.threads is not None:
            import torch

            torch.set_num_threads(job.threads)
        load_installed()
        _run(job, progress)
    except Interrupted as error:
        return Outcome("interrupted", str(error))
    except EdgewiseError as error:
        return Outcome("failed", str(error))
    except Exception as error:
        note = Path(f"{job.folder}.error.txt")
        note.parent.mkdir(parents=True, exist_ok=True)
        note.write_text(traceback.format_exc())
        return Outcome("failed", f"{type(error).__name__}: {error} (traceback in {note})")
    return Outcome("finished")


def _run(job: Job, progress: Progress | None) -> None:
    path = Path(job.folder)
    if _is_damaged(path, job.command):
        _set_aside(path)
    elif _can_resume(path):
        resume(path, progress=progress)
        return
    settings = build(Settings, from_toml(job.recipe))
    genotype = None if job.genotype is None else Genotype.from_json(job.genotype)
    options = Options(
        seed=job.seed, device=job.device, precision=job.precision, overwrite=True, began_in=job.began_in
    )
    start(settings, path, options=options, command=job.command, genotype=genotype, progress=progress)


def _is_damaged(path: Path, command: str) -> bool:
    if not (path / files.RUN).is_file():
        return False
    try:
        folder = RunFolder.open(path)
        return folder.status == "done" and fault_of(folder, command) != ""
    except RunError:
        return True


def _can_resume(path: Path) -> bool:
    """Whether there is a run with a checkpoint that can be read."""
    if not (path / files.CHECKPOINT).is_file():
        return False
    try:
        folder = RunFolder.open(path)
        folder.load_checkpoint()
        folder.read_trace()
        return "seed" in folder.read_run()
    except RunError:
        return False


def _set_aside(path: Path) -> None:
    """Moves a run away that can't be read any more: what is left of it may still be worth something."""
    number = next(n for n in range(1, 1000) if not path.with_name(f"{path.name}.broken{n}").exists())
    path.rename(path.with_name(f"{path.name}.broken{number}"))
