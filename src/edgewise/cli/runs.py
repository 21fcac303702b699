"""Commands that make a run: run, search, train, select."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from edgewise.cli import options as opt
from edgewise.cli.budget_options import takes_budget, with_limits
from edgewise.cli.folders import run_folder
from edgewise.errors import ConfigError, DivergedError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from edgewise.pipeline import RunResult
    from edgewise.pipeline.candidates import Design
    from edgewise.progress.protocol import Progress
    from edgewise.spaces import Genotype


@takes_budget(several=True)
@opt.takes_run_options(without=("truth",))
def run(
    ctx: typer.Context,
    options: dict[str, Any],
    resume: Annotated[
        Path | None, typer.Option("--resume", metavar="DIR", help="Go on with a run that was stopped or killed.")
    ] = None,
    *,
    limits: list[str],
) -> None:
    """Search, derive, train, test, export and report, in one run folder."""
    if resume is not None:
        from edgewise.config.overrides import with_setting

        _refuse_with_resume(ctx)
        memory = with_setting("memory", "search.memory", options.get("memory"), options.get("sets", []))
        _resume(resume, memory)
        return
    _begin(options, limits, "run")


@opt.takes_run_options(without=("compare",))
def search(options: dict[str, Any]) -> None:
    """Search only; ends with genotype.json and a report."""
    _begin(options, [], "search")


@takes_budget
@opt.takes_run_options(without=("space", "memory", "truth", "compare"))
def train(
    genotype: Annotated[
        str,
        typer.Argument(
            metavar="GENOTYPE",
            help="A file (FILE:NAME where it holds several), a run folder, a published name, or the text.",
        ),
    ],
    options: dict[str, Any],
    *,
    limits: list[str],
) -> None:
    """Train the network of a genotype, test it once, export it."""
    from edgewise.spaces import name_genotype, read_genotype

    _begin(options, limits, "train", genotype=read_genotype(genotype), given=name_genotype(genotype))


@takes_budget(several=True)
@opt.takes_run_options(without=("space", "memory", "truth", "compare", "estimate"))
def select(genotypes: opt.Networks, options: dict[str, Any], *, limits: list[str]) -> None:
    """Choose the best of given networks for your images, by training them a little."""
    from edgewise.pipeline.possible_sizes import designs_of

    _begin({**options, "estimate": False}, limits, "select", designs=designs_of(genotypes))


def _refuse_with_resume(ctx: typer.Context) -> None:
    given = [
        f"--{name.replace('_', '-')}"
        for name in ctx.params
        if name not in ("resume", "sets", "memory")
        and getattr(ctx.get_parameter_source(name), "name", "") == "COMMANDLINE"
    ]
    if given:
        raise ConfigError(
            f"--resume goes on with a run as it began: leave {', '.join(given)} away, or start a new run"
        )


def _begin(
    given_options: dict[str, Any],
    limits: list[str],
    command: str,
    *,
    genotype: Genotype | None = None,
    given: str = "",
    designs: Sequence[Design] = (),
) -> None:
    from edgewise.pipeline import RunOptions, selecting, start_with
    from edgewise.progress.choose import make_progress

    progress = make_progress()
    values = {"estimate": None, "out": ""} | given_options
    values["sets"] = with_limits(limits, values.get("sets"))
    options = RunOptions(**values)
    settings = options.settings()
    if command == "select":
        settings = selecting(settings)
    source = Path(settings.data.source.rstrip("/")).name.replace("*", "").replace(".parquet", "") or "data"
    with run_folder(given_options.get("out"), f"{settings.name}-{source}-s{options.seed}") as folder:
        begun = replace(options, out=folder, progress=progress)
        result = start_with(begun, settings, command, genotype=genotype, given=given, designs=designs)
    _conclude(result, progress)


def _resume(folder: Path, sets: list[str] | None) -> None:
    from edgewise.pipeline import resume
    from edgewise.progress.choose import make_progress

    progress = make_progress()
    _conclude(resume(folder, sets=sets or [], progress=progress), progress)


def _conclude(result: RunResult, progress: Progress) -> None:
    _show(result, progress)
    if any(part.results for part in result.budgets.values()):
        from edgewise.pipeline import front_columns, front_rows

        columns, rows = front_columns(result.front), front_rows(result.front)
        progress.table("One search, a network for each budget", columns, rows)
    progress.say(f"run folder: {result.folder}; report: {result.folder / 'report.html'}")
    if result.failure:
        raise DivergedError(result.failure)


def _show(result: RunResult, progress: Progress) -> None:
    """The tables of a run, or of the runs of its budgets."""
    from edgewise.pipeline import SELECTION_COLUMNS, selection_rows, summary_columns, summary_rows

    for part in result.budgets.values():
        _show(part, progress)
    limits = f"; {result.budget}" if result.budget else ""
    if "winner" in result.selection:
        title = f"Chosen without a look at test images{limits}"
        progress.table(title, SELECTION_COLUMNS, selection_rows(result.selection))
    if result.results:
        heads, rows = summary_columns(result.results), summary_rows(result.results, result.names)
        progress.table(f"Tested once, after the same training{limits}", heads, rows)
