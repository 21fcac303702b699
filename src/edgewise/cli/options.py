"""The options that commands share."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, get_type_hints

import typer
from typer.core import TyperCommand, TyperOption

SEARCHABLE = "See `edgewise spaces ls`."


class SpacesInHelp(TyperCommand):
    """A command whose help names the spaces that `--space` may be; they are looked up when help is asked for."""

    def format_help(self, ctx: Any, formatter: Any) -> None:
        """Puts the names in, then formats as ever."""
        from edgewise.spaces import SPACES

        names = ", ".join(name for name, space in SPACES.items() if space.searchable)
        for parameter in self.params:
            if isinstance(parameter, TyperOption) and parameter.name == "space" and parameter.help:
                parameter.help = parameter.help.replace(
                    SEARCHABLE, f"One of {names}; {SEARCHABLE[0].lower()}{SEARCHABLE[1:]}"
                )
        super().format_help(ctx, formatter)


class PrecisionChoice(StrEnum):
    """`--precision`."""

    fp32 = "fp32"
    bf16 = "bf16"
    fp16 = "fp16"


class TrackerChoice(StrEnum):
    """`--track`."""

    tensorboard = "tensorboard"
    wandb = "wandb"
    mlflow = "mlflow"
    trackio = "trackio"


class FormatChoice(StrEnum):
    """`--format`."""

    json = "json"
    darts = "darts"
    nb201 = "nb201"


class MemoryChoice(StrEnum):
    """`--memory`."""

    normal = "normal"
    low = "low"


class PresetChoice(StrEnum):
    """`--preset`."""

    tiny = "tiny"
    small = "small"
    paper = "paper"


Data = Annotated[
    str | None,
    typer.Option(
        "--data",
        metavar="SOURCE",
        help="digits, a hub name (cifar10, owner/name), an image folder, or a folder or glob of parquet files.",
    ),
]
RecipeName = Annotated[
    str,
    typer.Option("--recipe", metavar="NAME|FILE.toml", help="The method; see `edgewise recipes ls`."),
]
Space = Annotated[
    str | None,
    typer.Option(
        "--space", metavar="NAME", help=f"The space that is searched; the recipe's by default. {SEARCHABLE}"
    ),
]
Memory = Annotated[
    MemoryChoice | None,
    typer.Option(
        "--memory",
        help="low: compute cells twice instead of keeping what is in them; same numbers, more time.",
        show_default=False,
    ),
]
Preset = Annotated[
    PresetChoice | None,
    typer.Option(
        "--preset",
        help="Sizes: tiny (CPU minutes; the default), small (CPU, an hour on CIFAR-10), paper (the thesis's).",
    ),
]
Sets = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="A.B=V", help="One setting, such as search.epochs=30; may be repeated."),
]
Seed = Annotated[int, typer.Option("--seed", help="The seed of every random stream.")]
Device = Annotated[str, typer.Option("--device", help="auto, cpu, cuda, cuda:1, mps.")]
Precision = Annotated[
    PrecisionChoice, typer.Option("--precision", help="fp32, or autocast to bf16 or fp16, for GPUs.")
]
Compile = Annotated[
    bool,
    typer.Option(
        "--compile", help="Compile forward passes with torch.compile; for GPUs, and long trainings on a CPU."
    ),
]
Out = Annotated[
    Path | None,
    typer.Option("--out", metavar="DIR", help="The run folder; a new one under runs/ if left out."),
]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="Replace a finished run in the folder.")]
Estimate = Annotated[
    bool | None,
    typer.Option(
        "--estimate/--no-estimate",
        help="Measure ten steps first and say what the run will cost; on for the presets small and paper.",
        show_default=False,
    ),
]
ImageSize = Annotated[
    int | None,
    typer.Option("--image-size", metavar="PIXELS", help="Resize and crop images to this side."),
]
SkipBad = Annotated[
    bool, typer.Option("--skip-bad", help="Leave unreadable images out; they are counted and listed.")
]
Truth = Annotated[
    Path | None,
    typer.Option(
        "--truth", metavar="FILE", help="A table of NAS-Bench-201: say at each epoch what the cell really reaches."
    ),
]
Networks = Annotated[
    list[str],
    typer.Argument(
        metavar="GENOTYPE...",
        help="Files, run folders, published names or texts of genotypes; hand, inverted or resnet8.",
    ),
]
Compare = Annotated[
    list[str] | None,
    typer.Option(
        "--compare",
        metavar="NAME",
        help="Train this as well, beside the recipe's: searched, random, random-search, hand, inverted, resnet8; "
        "none for none of the recipe's. May be repeated.",
    ),
]
RunFolderArgument = Annotated[Path, typer.Argument(metavar="RUN", help="A run folder.")]
Track = Annotated[
    TrackerChoice | None,
    typer.Option("--track", help="Send curves, alpha and results to a tracker as well.", show_default=False),
]

RUN_OPTIONS: dict[str, tuple[Any, Any]] = {
    "data": (Data, None),
    "recipe": (RecipeName, "pc-darts-gp"),
    "space": (Space, None),
    "memory": (Memory, None),
    "preset": (Preset, None),
    "sets": (Sets, None),
    "seed": (Seed, 0),
    "device": (Device, "auto"),
    "precision": (Precision, PrecisionChoice.fp32),
    "compile": (Compile, False),
    "out": (Out, None),
    "image_size": (ImageSize, None),
    "skip_bad": (SkipBad, False),
    "overwrite": (Overwrite, False),
    "estimate": (Estimate, None),
    "truth": (Truth, None),
    "track": (Track, None),
    "compare": (Compare, None),
}
"""The options that fields of `RunOptions` have on the command line, by their names: type and default."""


def takes_run_options(*, without: tuple[str, ...] = ()) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Gives a command the options of a run, in the place of its parameter `options`.

    Args:
        without: names of options that the command has no use for.

    Returns:
        decorates a command; it gets `options`, the values that were given by their names.
    """

    def decorate(command: Callable[..., None]) -> Callable[..., None]:
        kinds = get_type_hints(command, include_extras=True)
        shared = {name: option for name, option in RUN_OPTIONS.items() if name not in without}

        @functools.wraps(command)
        def wrapped(**given: Any) -> None:
            values = {
                name: getattr(value, "value", value) for name in shared if (value := given.pop(name)) is not None
            }
            command(**given, options=values)

        parameters = []
        for name, own in inspect.signature(command).parameters.items():
            if name == "options":
                parameters += [
                    inspect.Parameter(key, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=kind)
                    for key, (kind, default) in shared.items()
                ]
            else:
                parameters.append(own.replace(kind=inspect.Parameter.KEYWORD_ONLY, annotation=kinds[name]))
        wrapped.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
        wrapped.__annotations__ = {each.name: each.annotation for each in parameters}
        del wrapped.__wrapped__  # type: ignore[attr-defined]
        return wrapped

    return decorate
