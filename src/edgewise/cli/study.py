"""Commands on many runs: study run, ls, show, report."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperGroup

from edgewise.cli import options as opt
from edgewise.config.limits import MOST_TIMES, MOST_WORKERS
from edgewise.errors import ConfigError, RunError

if TYPE_CHECKING:
    from edgewise.study import Study, StudySpec

RUN_EXAMPLES = """Examples:

`edgewise study run my-study.toml --out studies/mine --workers 2`

`edgewise study run table-4.1 --scale tiny --data data/` (data/cifar100 with parquet files or images)

`edgewise study run table-4.3 --scale paper --on ray --gpus 0.5`

The word `run` may be left away. The same call again goes on with what is not finished.
"""
LS_EXAMPLES = "Example: `edgewise study ls`"
SHOW_EXAMPLES = "Example: `edgewise study show table-4.1 > my-study.toml`"
REPORT_EXAMPLES = "Example: `edgewise study report studies/table-4.1-tiny`"


class StudyGroup(TyperGroup):
    """`edgewise study FILE` is `edgewise study run FILE`."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Puts the word `run` in where it was left away."""
        if args and not args[0].startswith("-") and args[0] not in self.commands:
            args = ["run", *args]
        return super().parse_args(ctx, args)


Study_ = Annotated[str, typer.Argument(metavar="FILE.toml|NAME", help="A study; see `edgewise study ls`.")]
Folder = Annotated[
    Path | None, typer.Option("--out", metavar="DIR", help="The study's folder; studies/NAME if left out.")
]
ScaleOption = Annotated[
    opt.PresetChoice | None,
    typer.Option("--scale", help="The size, for a study with scales; tiny for those that come with edgewise."),
]
Seeds = Annotated[str | None, typer.Option("--seeds", metavar="0,1,2", help="Seeds in place of the study's.")]
RetrainBest = Annotated[
    int | None,
    typer.Option(
        "--retrain-best", metavar="N", min=0, max=MOST_TIMES, help="Train each cell's best network N times anew."
    ),
]
Workers = Annotated[
    int, typer.Option("--workers", min=1, max=MOST_WORKERS, help="Runs side by side on this machine.")
]
Threads = Annotated[
    int | None,
    typer.Option("--threads", min=1, max=MOST_WORKERS, help="PyTorch's threads in each run.", show_default=False),
]
On = Annotated[
    str,
    typer.Option("--on", metavar="ray|ray://HOST:PORT", help="Carry the runs out on Ray.", show_default=False),
]
Cpus = Annotated[float, typer.Option("--cpus", min=0.0, help="CPUs of each run, on Ray.")]
Gpus = Annotated[float, typer.Option("--gpus", min=0.0, help="GPUs of each run, on Ray; 0.5 shares one.")]
Retries = Annotated[
    int, typer.Option("--retries", min=0, max=MOST_TIMES, help="How often a run whose process dies is retried.")
]


def run(
    study: Study_,
    out: Folder = None,
    scale: ScaleOption = None,
    data: opt.Data = None,
    seeds: Seeds = None,
    sets: opt.Sets = None,
    retrain_best: RetrainBest = None,
    workers: Workers = 1,
    threads: Threads = None,
    device: opt.Device = "auto",
    precision: opt.Precision = opt.PrecisionChoice.fp32,
    on: On = "",
    cpus: Cpus = 1.0,
    gpus: Gpus = 0.0,
    retries: Retries = 1,
) -> None:
    """Carry out many runs, methods x spaces x data x settings x seeds, and sum them up."""
    from edgewise.progress.choose import make_progress
    from edgewise.study import StudyOptions, conduct

    if workers > 1 and on:
        raise ConfigError("--workers is for this machine and --on for Ray: leave one of them away")
    spec = _spec(study, scale, data, seeds, sets, retrain_best)
    chosen: Any = precision.value
    options = StudyOptions(workers, device, chosen, threads, on, cpus, gpus, retries)
    folder = out or Path("studies") / "-".join(part for part in (spec.name, spec.scale) if part)
    _conclude(conduct(spec, folder, options=options, progress=make_progress()))


def _spec(
    study: str,
    scale: opt.PresetChoice | None,
    data: str | None,
    seeds: str | None,
    sets: list[str] | None,
    retrain_best: int | None,
) -> StudySpec:
    from edgewise.study.shipped import find_spec

    changes: dict[str, Any] = {"base": list(sets or [])}
    if seeds is not None:
        changes["seeds"] = _seeds(seeds)
    if retrain_best is not None:
        changes["retrain_best"] = retrain_best
    return find_spec(study, data=data, scale=None if scale is None else scale.value, changes=changes)


def list_studies() -> None:
    """List the studies that come with edgewise."""
    from edgewise.config.toml import from_toml
    from edgewise.study.shipped import shipped_names, shipped_text

    width = max(map(len, shipped_names()))
    for name in shipped_names():
        typer.echo(f"{name:<{width}}  {from_toml(shipped_text(name))['title']}")


def show(name: Annotated[str, typer.Argument(metavar="NAME", help="A study that comes with edgewise.")]) -> None:
    """Print a study as TOML, ready to be edited."""
    from edgewise.study.shipped import shipped_text

    typer.echo(shipped_text(name), nl=False)


def report(folder: Annotated[Path, typer.Argument(metavar="DIR", help="A study's folder.")]) -> None:
    """Sum a study up anew, finished or not: tables, CSV, LaTeX and the page."""
    from edgewise.study import read_study

    _conclude(read_study(folder))


def _seeds(text: str) -> list[int]:
    try:
        return [int(part) for part in text.split(",")]
    except ValueError:
        raise ConfigError(f"--seeds {text}: must be whole numbers with commas between them, as in 0,1,2") from None


def _conclude(study: Study) -> None:
    from edgewise.progress.choose import make_progress
    from edgewise.study.summary import print_tables, write_summary

    progress = make_progress()
    tables, page = write_summary(study)
    print_tables(tables, progress)
    progress.say(f"study folder: {study.root}; page: {page}")
    missing = [(name, state) for name, state in study.states.items() if state.todo]
    failed = [f"{name} ({state.status}): {state.detail}" for name, state in missing if state.status != "waiting"]
    if failed:
        raise RunError(
            f"{len(failed)} of {len(study.states)} runs did not finish:\n  " + "\n  ".join(failed[:20])
            + "\nwhat is finished is kept: call `edgewise study run` again to try these again"
        )  # fmt: skip
