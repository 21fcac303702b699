"""Commands that make a run: run, search, train."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from edgewise.cli import options as opt
from edgewise.cli.budget_options import takes_budget, with_limits
from edgewise.cli.folders import run_folder
from edgewise.errors import ConfigError, DivergedError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from edgewise.pipeline import Options, RunResult, Settings
    from edgewise.pipeline.candidates import Design
    from edgewise.progress.protocol import Progress
    from edgewise.spaces import Genotype

DEFAULT_RECIPE = "pc-darts-gp"


@takes_budget(several=True)
def run(
    ctx: typer.Context,
    data: opt.Data = None,
    recipe: opt.RecipeName = DEFAULT_RECIPE,
    space: opt.Space = None,
    memory: opt.Memory = None,
    preset: opt.Preset = None,
    sets: opt.Sets = None,
    seed: opt.Seed = 0,
    device: opt.Device = "auto",
    precision: opt.Precision = opt.PrecisionChoice.fp32,
    compile: opt.Compile = False,
    out: opt.Out = None,
    image_size: opt.ImageSize = None,
    skip_bad: opt.SkipBad = False,
    overwrite: opt.Overwrite = False,
    estimate: opt.Estimate = None,
    track: opt.Track = None,
    compare: opt.Compare = None,
    resume: Annotated[
        Path | None, typer.Option("--resume", metavar="DIR", help="Go on with a run that was stopped or killed.")
    ] = None,
    *,
    limits: list[str],
) -> None:
    """Search, derive, train, test, export and report, in one run folder."""
    if resume is not None:
        _refuse_with_resume(ctx)
        _resume(resume, _with_sizes(None, memory, sets))
        return
    limited = with_limits(limits, sets)
    settings = _settings(recipe, preset, data, _with_sizes(space, memory, limited), image_size, skip_bad=skip_bad)
    _begin(
        _compared(settings, compare),
        _options(
            seed,
            device,
            precision,
            compile=compile,
            overwrite=overwrite,
            estimate=_wants_estimate(estimate, preset),
            track=track,
        ),
        out,
        command="run",
    )


def search(
    data: opt.Data = None,
    recipe: opt.RecipeName = DEFAULT_RECIPE,
    space: opt.Space = None,
    memory: opt.Memory = None,
    preset: opt.Preset = None,
    sets: opt.Sets = None,
    seed: opt.Seed = 0,
    device: opt.Device = "auto",
    precision: opt.Precision = opt.PrecisionChoice.fp32,
    compile: opt.Compile = False,
    out: opt.Out = None,
    image_size: opt.ImageSize = None,
    skip_bad: opt.SkipBad = False,
    overwrite: opt.Overwrite = False,
    estimate: opt.Estimate = None,
    truth: opt.Truth = None,
    track: opt.Track = None,
) -> None:
    """Search only; ends with genotype.json and a report."""
    settings = _settings(recipe, preset, data, _with_sizes(space, memory, sets), image_size, skip_bad=skip_bad)
    _begin(
        settings,
        replace(
            _options(
                seed,
                device,
                precision,
                compile=compile,
                overwrite=overwrite,
                estimate=_wants_estimate(estimate, preset),
                track=track,
            ),
            truth=None if truth is None else str(truth),
        ),
        out,
        command="search",
    )


@takes_budget
def train(
    genotype: Annotated[
        str,
        typer.Argument(
            metavar="GENOTYPE",
            help="A file (FILE:NAME where it holds several), a run folder, a published name, or the text.",
        ),
    ],
    data: opt.Data = None,
    recipe: opt.RecipeName = DEFAULT_RECIPE,
    preset: opt.Preset = None,
    sets: opt.Sets = None,
    seed: opt.Seed = 0,
    device: opt.Device = "auto",
    precision: opt.Precision = opt.PrecisionChoice.fp32,
    compile: opt.Compile = False,
    out: opt.Out = None,
    image_size: opt.ImageSize = None,
    skip_bad: opt.SkipBad = False,
    overwrite: opt.Overwrite = False,
    estimate: opt.Estimate = None,
    track: opt.Track = None,
    *,
    limits: list[str],
) -> None:
    """Train the network of a genotype, test it once, export it."""
    from edgewise.spaces import name_genotype, read_genotype

    cells = read_genotype(genotype)
    limited = with_limits(limits, sets)
    settings = _settings(recipe, preset, data, limited, image_size, skip_bad=skip_bad)
    _begin(
        settings,
        _options(
            seed,
            device,
            precision,
            compile=compile,
            overwrite=overwrite,
            estimate=_wants_estimate(estimate, preset),
            track=track,
        ),
        out,
        command="train",
        genotype=cells,
        given=name_genotype(genotype),
    )


@takes_budget(several=True)
def select(
    genotypes: opt.Networks,
    data: opt.Data = None,
    recipe: opt.RecipeName = DEFAULT_RECIPE,
    preset: opt.Preset = None,
    sets: opt.Sets = None,
    seed: opt.Seed = 0,
    device: opt.Device = "auto",
    precision: opt.Precision = opt.PrecisionChoice.fp32,
    compile: opt.Compile = False,
    out: opt.Out = None,
    image_size: opt.ImageSize = None,
    skip_bad: opt.SkipBad = False,
    overwrite: opt.Overwrite = False,
    track: opt.Track = None,
    *,
    limits: list[str],
) -> None:
    """Choose the best of given networks for your images, by training them a little."""
    from edgewise.pipeline import selecting
    from edgewise.pipeline.possible_sizes import designs_of

    designs = designs_of(genotypes)
    limited = with_limits(limits, sets)
    settings = selecting(_settings(recipe, preset, data, limited, image_size, skip_bad=skip_bad))
    _begin(
        settings,
        _options(seed, device, precision, compile=compile, overwrite=overwrite, estimate=False, track=track),
        out,
        command="select",
        designs=designs,
    )


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


def _with_sizes(space: str | None, memory: opt.MemoryChoice | None, sets: list[str] | None) -> list[str]:
    return opt.with_setting("memory", "search.memory", memory, opt.with_setting("space", "space", space, sets))


def _settings(
    recipe: str,
    preset: opt.PresetChoice | None,
    data: str | None,
    sets: list[str] | None,
    image_size: int | None,
    *,
    skip_bad: bool,
) -> Settings:
    from edgewise.pipeline import resolve

    extra = list(sets or [])
    if image_size is not None:
        extra.append(f"data.image_size={image_size}")
    if skip_bad:
        extra.append("data.skip_bad=true")
    return resolve(recipe, preset=None if preset is None else preset.value, data=data, sets=extra)


def _compared(settings: Settings, names: list[str] | None) -> Settings:
    """The settings with further networks to compare with."""
    from edgewise.pipeline import comparing

    wanted = [name.strip() for text in names or [] for name in text.split(",")]
    return comparing(settings, wanted) if wanted else settings


def _options(
    seed: int,
    device: str,
    precision: opt.PrecisionChoice,
    *,
    compile: bool,
    overwrite: bool,
    estimate: bool,
    track: opt.TrackerChoice | None,
) -> Options:
    from edgewise.pipeline import Options

    return Options(
        seed=seed,
        device=device,
        precision=precision.value,  # type: ignore[arg-type]
        compile=compile,
        overwrite=overwrite,
        estimate=estimate,
        track="" if track is None else track.value,
    )


def _wants_estimate(flag: bool | None, preset: opt.PresetChoice | None) -> bool:
    return flag if flag is not None else preset in (opt.PresetChoice.small, opt.PresetChoice.paper)


def _begin(
    settings: Settings,
    options: Options,
    out: Path | None,
    *,
    command: str,
    genotype: Genotype | None = None,
    given: str = "",
    designs: Sequence[Design] = (),
) -> None:
    from edgewise.pipeline import start
    from edgewise.progress.choose import make_progress

    progress = make_progress()
    source = Path(settings.data.source.rstrip("/")).name.replace("*", "").replace(".parquet", "") or "data"
    with run_folder(out, f"{settings.name}-{source}-s{options.seed}") as folder:
        result = start(
            settings,
            folder,
            options=options,
            command=command,
            genotype=genotype,
            given=given,
            designs=designs,
            progress=progress,
        )
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
