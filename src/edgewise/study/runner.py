"""Carries a study out: what is finished stays, the rest is begun or gone on with, and all of it is summed up."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from edgewise.errors import EdgewiseError
from edgewise.pipeline.phases import wanted_phases
from edgewise.pipeline.speed_advice import kernel_notes, wants_kernels
from edgewise.progress.plain import SilentProgress
from edgewise.progress.protocol import Progress
from edgewise.runs.folder import GENOTYPE
from edgewise.runtime.compute import Compute, Precision
from edgewise.runtime.interrupt import Interrupted
from edgewise.study.folder import StudyFolder
from edgewise.study.local import Begin, End, InProcess, Processes
from edgewise.study.plan import PlannedRun, make_cells, plan_runs
from edgewise.study.results import CellResult, Results, best_search, gather, read_figures
from edgewise.study.spec import StudySpec
from edgewise.study.state import RunState, look
from edgewise.study.status_table import StatusTable
from edgewise.study.status_table_rich import make_status_view
from edgewise.study.worker import Job, Outcome, make_job

FIRST_RETRAINING_SEED = 10_000
"""Trainings of a best network have seeds of their own: those of its search may have favoured it."""


class Executor(Protocol):
    """Carries jobs out somewhere."""

    def run(self, jobs: Sequence[Job], begin: Begin, end: End) -> bool:
        """Carries them out; `begin` and `end` are told of each. Says whether somebody asked for a stop."""
        ...


@dataclass(frozen=True)
class StudyOptions:
    """How a study is carried out; none of it is part of the design.

    Args:
        workers: runs side by side, each in a process of its own; 1 runs in this process.
        device: see `Compute`.
        precision: see `Compute`.
        threads: of PyTorch in each run; None shares the cores between workers.
        on: "" for this machine, "ray" or "ray://address" for Ray.
        cpus: of each run, on Ray.
        gpus: of each run, on Ray; a fraction lets runs share one.
        retries: how often a run whose process dies is tried again.
    """

    workers: int = 1
    device: str = "auto"
    precision: Precision = "fp32"
    threads: int | None = None
    on: str = ""
    cpus: float = 1.0
    gpus: float = 0.0
    retries: int = 1


@dataclass
class Study:
    """A study in its folder, while it is carried out.

    Args:
        spec: the study.
        root: its folder.
        runs: of the design.
        states: of all runs, by name.
        retrained: for each cell's key, the seed of its best search and the trainings of its network.
        began_in: the folder where it began.
    """

    spec: StudySpec
    root: Path
    runs: list[PlannedRun]
    states: dict[str, RunState] = field(default_factory=dict)
    retrained: dict[str, tuple[int, list[PlannedRun]]] = field(default_factory=dict)
    began_in: str = ""

    def results(self) -> Results:
        """What is known so far."""
        return gather(self.root, self.runs, self.states, retrained=self.retrained, baseline=self.spec.baseline)

    def plan_retraining(self) -> list[PlannedRun]:
        """Trainings of the best network of every cell whose searches are all finished."""
        by_cell: dict[str, list[PlannedRun]] = {}
        for run in self.runs:
            by_cell.setdefault(run.cell.key, []).append(run)
        for key, runs in by_cell.items():
            if self.spec.retrain_best and all(not self.states[run.name].todo for run in runs):
                self.retrained[key] = self._retraining(runs)
        return [run for _, trainings in self.retrained.values() for run in trainings]

    def _retraining(self, runs: list[PlannedRun]) -> tuple[int, list[PlannedRun]]:
        figures = tuple(read_figures(self.root, run) for run in runs)
        best = best_search(CellResult(runs[0].cell, figures, len(runs)))
        cells = (self.root / best.name / GENOTYPE).read_text()
        stem = f"{runs[0].cell.folder}/{runs[0].cell.stem}best-of-seed{best.seed}"
        seeds = range(FIRST_RETRAINING_SEED, FIRST_RETRAINING_SEED + self.spec.retrain_best)
        return best.seed, [PlannedRun(runs[0].cell, s, "train", f"{stem}-retrained{s}", cells) for s in seeds]

    def look(self, runs: Sequence[PlannedRun]) -> None:
        """Asks the folders of runs how far these are."""
        self.states |= {run.name: look(self.root, run) for run in runs}


def read_study(root: Path) -> Study:
    """Reads a study's folder, whether it is finished or not; nothing in it is changed.

    Raises:
        EdgewiseError: the folder is no study, or is damaged.
    """
    spec = StudyFolder.open(root).read_spec()
    study = Study(spec, root, plan_runs(spec, make_cells(spec)))
    study.look(study.runs)
    study.look(study.plan_retraining())
    return study


def conduct(
    spec: StudySpec, out: Path, *, options: StudyOptions | None = None, progress: Progress | None = None
) -> Study:
    """Carries a study out, or goes on with it.

    Args:
        spec: the study.
        out: its folder; one that holds the same study is gone on with.
        options: workers, device and the like.
        progress: what the user sees; silent by default.

    Raises:
        EdgewiseError: the design does not fit, or the folder holds something else. Runs that fail raise nothing.
        Interrupted: somebody asked for a stop; all of it is saved.
    """
    options, progress = options or StudyOptions(), progress or SilentProgress()
    runs = plan_runs(spec, make_cells(spec))
    study = Study(spec, out, runs)
    # Before anything is written: a folder with a run of another study is left as it is.
    study.look(runs)
    executor = _executor(options)
    with StudyFolder.begin(out, spec, runs) as folder:
        study.began_in = folder.read_state()["began_in"]
        _introduce(study, progress)
        _announce_kernels(study, options, progress)
        _carry_out(study, runs, executor, options, progress)
        more = study.plan_retraining()
        study.look(more)
        if any(study.states[run.name].todo for run in more):
            progress.say(f"training the best network of each cell anew: {len(more)} trainings")
            _carry_out(study, more, executor, options, progress)
    return study


def _introduce(study: Study, progress: Progress) -> None:
    spec, states = study.spec, study.states
    cells = len({run.cell.key for run in study.runs})
    progress.say(f"{spec.title or spec.name}: {cells} cells x {len(spec.seeds)} seeds = {len(study.runs)} runs")
    finished = sum(not state.todo for state in states.values())
    if finished:
        progress.say(f"{finished} of them are finished and stay as they are")
    for name, state in states.items():
        if state.status in ("stopped", "failed", "broken"):
            how = "it goes on from its checkpoint" if state.resumable else "it begins anew"
            progress.say(f"tried again: {name}: {state.status} ({state.detail}); {how}")


def _announce_kernels(study: Study, options: StudyOptions, progress: Progress) -> None:
    """Says once what is amiss with the kernels, and has them compiled before the workers begin; not for Ray's."""
    if options.on or options.device not in ("auto", "cpu"):
        return
    compute = Compute(options.device, options.precision)
    todo = [run for run in study.runs if study.states[run.name].todo]
    settings = [(wanted_phases(run.command, run.cell.settings), run.cell.settings) for run in todo]
    if any(wants_kernels(compute, *one) for one in settings):
        for line in kernel_notes():
            progress.say(line)


def _executor(options: StudyOptions) -> Callable[[Callable[[], None]], Executor]:
    if options.on:
        from edgewise.study.on_ray import connect

        cluster = connect(options.on)
        cluster.check(cpus=options.cpus, gpus=options.gpus)
        return lambda look: cluster.executor(look, cpus=options.cpus, gpus=options.gpus, retries=options.retries)
    if options.workers > 1:
        return lambda look: Processes(options.workers, look, retries=options.retries)
    return InProcess


def _carry_out(
    study: Study,
    runs: Sequence[PlannedRun],
    executor: Callable[[Callable[[], None]], Executor],
    options: StudyOptions,
    progress: Progress,
) -> None:
    todo = [run for run in runs if study.states[run.name].todo]
    if not todo:
        return
    by_name = {run.name: run for run in todo}
    view = make_status_view(StatusTable(study.root, runs, study.states), progress)

    def begin(job: Job) -> None:
        view.note(by_name[job.name], RunState("running"))

    def end(job: Job, outcome: Outcome) -> None:
        view.note(by_name[job.name], state_after(study.root, by_name[job.name], outcome))

    jobs = [
        make_job(
            run,
            study.root,
            device=options.device,
            precision=options.precision,
            threads=_threads(options),
            began_in=study.began_in,
        )
        for run in todo
    ]
    try:
        stopped = executor(view.refresh).run(jobs, begin, end)
    finally:
        view.close()
    if stopped:
        raise Interrupted(
            f"stopped; {sum(not s.todo for s in study.states.values())} of {len(study.states)} runs are finished, "
            "and what the others had done is saved: call the same command again to go on"
        )


def _threads(options: StudyOptions) -> int | None:
    """Workers share the cores, unless the threads are said or the environment says them."""
    if options.threads is not None or options.workers == 1 or "OMP_NUM_THREADS" in os.environ:
        return options.threads
    return max(1, (os.cpu_count() or 1) // options.workers)


def state_after(root: Path, run: PlannedRun, outcome: Outcome) -> RunState:
    """The state of a run that has ended: what its folder says, not only what its process said."""
    try:
        state = look(root, run)
    except EdgewiseError as error:
        return RunState("failed", str(error))
    if outcome.status == "finished" and state.status != "finished":
        return RunState("failed", f"its process said that it finished, but {root / run.name} is {state.status}: "
                        "does every machine see this folder?")  # fmt: skip
    if outcome.status == "failed":
        return RunState("failed", outcome.error, state.resumable)
    if outcome.status == "died":
        return RunState("stopped", outcome.error, state.resumable)
    return state
