"""The command for searches that need no gradient."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from edgewise.cli import options as opt
from edgewise.cli.budget_options import takes_budget, with_limits
from edgewise.cli.folders import run_folder
from edgewise.config.limits import MOST_WORKERS
from edgewise.errors import ConfigError

if TYPE_CHECKING:
    from edgewise.pipeline import Explored
    from edgewise.progress.protocol import Progress

EXPLORE_EXAMPLES = """Examples:

`edgewise explore --strategy evolution --score table:nb201.csv --queries 300`

`edgewise explore --strategy neat --score table:nb201.csv:cifar10_valid_e12 --set strategy.population=30`

`edgewise explore --strategy nasnet --space darts --score train:5 --data cifar10 --preset small --workers 2`

`edgewise explore --resume runs/explore`
"""


@takes_budget
def explore(
    ctx: typer.Context,
    strategy: Annotated[
        str,
        typer.Option("--strategy", metavar="NAME", help="random, evolution, reinforce, nasnet (PPO) or neat."),
    ] = "evolution",
    space: Annotated[
        str, typer.Option("--space", metavar="NAME", help="The space; see `edgewise spaces ls`.")
    ] = "nb201",
    score: Annotated[
        str | None,
        typer.Option("--score", metavar="SCORE", help="table:FILE, table:FILE:COLUMN or train:EPOCHS."),
    ] = None,
    queries: Annotated[int, typer.Option("--queries", help="How many genotypes are scored.")] = 300,
    data: opt.Data = None,
    preset: opt.Preset = None,
    sets: opt.Sets = None,
    workers: Annotated[
        int,
        typer.Option("--workers", max=MOST_WORKERS, help="Processes that train; the result is the same."),
    ] = 1,
    seed: opt.Seed = 0,
    device: opt.Device = "auto",
    precision: opt.Precision = opt.PrecisionChoice.fp32,
    out: opt.Out = None,
    overwrite: opt.Overwrite = False,
    resume: Annotated[
        Path | None,
        typer.Option("--resume", metavar="DIR", help="Go on with a search that was stopped or killed."),
    ] = None,
    *,
    limits: list[str],
) -> None:
    """Search without gradients: ask a strategy for genotypes, score them, tell it the scores."""
    from edgewise.pipeline import Options, resolve_explore, resume_explore, start_explore
    from edgewise.progress.choose import make_progress

    progress = make_progress()
    if resume is not None:
        _refuse_with_resume(ctx)
        _conclude(resume_explore(resume, workers=workers, progress=progress), progress)
        return
    if score is None:
        raise ConfigError("--score is missing: table:FILE, table:FILE:COLUMN or train:EPOCHS")
    chosen = None if preset is None else preset.value
    limited = with_limits(limits, sets)
    settings = resolve_explore(
        strategy, score=score, space=space, queries=queries, preset=chosen, data=data, sets=limited
    )
    options = Options(
        seed=seed,
        device=device,
        precision=precision.value,  # type: ignore[arg-type]
        overwrite=overwrite,
    )
    with run_folder(out, f"{strategy}-{space}-s{seed}") as folder:
        result = start_explore(settings, folder, options=options, workers=workers, progress=progress)
    _conclude(result, progress)


def _refuse_with_resume(ctx: typer.Context) -> None:
    given = [
        f"--{name.replace('_', '-')}"
        for name in ctx.params
        if name not in ("resume", "workers")
        and getattr(ctx.get_parameter_source(name), "name", "") == "COMMANDLINE"
    ]
    if given:
        raise ConfigError(
            f"--resume goes on with a search as it began: leave {', '.join(given)} away, or start a new one"
        )


def _conclude(result: Explored, progress: Progress) -> None:
    found = result.results
    progress.say(
        f"best of {found['queries']} queries ({found['distinct']} different genotypes): score "
        f"{found['score']:.2%}, query {found['query'] + 1}"
    )
    size = found.get("size")
    if size is not None:
        used = ", ".join(f"{name} {share:.1%}" for name, share in size["used"].items())
        progress.say(
            f"the budget gives its network {size['channels']} channels and {size['layers']} cells; used: {used}"
        )
    truth = found.get("truth")
    if truth is not None:
        progress.say(
            f"its test accuracy on {truth['dataset']} is {truth['test_accuracy']:.2%}: rank {truth['rank']} of "
            f"{truth['of']}, {100 * truth['regret']:.2f} points below the best; {truth['arch']}"
        )
    progress.say(
        f"run folder: {result.folder}; the best genotype: {result.folder / 'genotype.json'}; "
        f"report: {result.folder / 'report.html'}"
    )
