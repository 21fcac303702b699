"""The options that commands share."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Mapping
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, get_type_hints

import typer
from typer.core import TyperCommand, TyperOption

from edgewise.core.errors import ConfigError

BUDGET = "Budget: what the network may need"
SEARCHABLE = "See `edgewise spaces ls`."


def _limit(option: str, metavar: str, text: str) -> Any:
    """The type of an option of a budget."""
    return Annotated[str | None, typer.Option(option, metavar=metavar, help=text, rich_help_panel=BUDGET)]


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
        "none for the chosen network alone. May be repeated.",
    ),
]
RunFolderArgument = Annotated[Path, typer.Argument(metavar="RUN", help="A run folder.")]
Track = Annotated[
    TrackerChoice | None,
    typer.Option("--track", help="Send curves, alpha and results to a tracker as well.", show_default=False),
]
BUDGET_OPTIONS: dict[str, tuple[str, Any]] = {
    "max_params": ("params", _limit("--max-params", "N", "Most parameters of the network, such as 100k.")),
    "max_macs": ("macs", _limit("--max-macs", "N", "Most multiply-adds for an image, such as 20M.")),
    "max_size": ("size", _limit("--max-size", "BYTES", "Largest exported file, such as 400kB or 128KiB.")),
    "max_ram": (
        "ram",
        _limit("--max-ram", "BYTES", "Most memory for the activations of an image, such as 64KiB."),
    ),
    "max_latency": (
        "latency_ms",
        _limit("--max-latency", "MS", "Longest time for an image on this machine (one thread), such as 5ms."),
    ),
    "int8": (
        "int8",
        Annotated[
            bool,
            typer.Option(
                "--int8",
                help="Size and RAM count one byte a value, as after quantisation, not four.",
                rich_help_panel=BUDGET,
            ),
        ],
    ),
    "for": (
        "device",
        _limit(
            "--for",
            "DEVICE",
            "RAM, size and multiply-adds of a device; see `edgewise devices ls`. FILE.toml:NAME is one of yours.",
        ),
    ),
}
"""The options of a budget: the setting that each stands for, and its type."""


def takes_budget(command: Callable[..., None]) -> Callable[..., None]:
    """Gives a command the options of a budget, in the place of its parameter `limits`.

    Args:
        command: hears of them as single settings, such as "budget.params=100k".
    """
    signature, kinds = inspect.signature(command), get_type_hints(command, include_extras=True)
    options = [
        inspect.Parameter(
            f"{name}_", inspect.Parameter.KEYWORD_ONLY, default=False if name == "int8" else None, annotation=kind
        )
        for name, (_, kind) in BUDGET_OPTIONS.items()
    ]

    @functools.wraps(command)
    def wrapped(**given: Any) -> None:
        values = {name: given.pop(f"{name}_") for name in BUDGET_OPTIONS}
        command(**given, limits=budget_settings(values))

    own = [
        parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY, annotation=kinds[name])
        for name, parameter in signature.parameters.items()
        if name != "limits"
    ]
    wrapped.__signature__ = signature.replace(parameters=[*own, *options])  # type: ignore[attr-defined]
    wrapped.__annotations__ = {parameter.name: parameter.annotation for parameter in (*own, *options)}
    return wrapped


def with_setting(option: str, setting: str, value: str | None, sets: list[str] | None) -> list[str]:
    """The settings of a call, with the one that an option of its own gives, if it was given.

    Raises:
        ConfigError: both say the same thing.
    """
    given = list(sets or [])
    if value is None:
        return given
    if any(text.partition("=")[0].strip() == setting for text in given):
        raise ConfigError(f"--{option} and --set {setting}=... say the same thing: leave one of them away")
    return [f"{setting}={value}", *given]


def budget_settings(values: Mapping[str, Any]) -> list[str]:
    """Single settings of the options of a budget that were given.

    Args:
        values: by the names of `BUDGET_OPTIONS`.

    Raises:
        ConfigError: a value is no limit; names the option.
    """
    from edgewise.budget import Budget
    from edgewise.core.settings import build

    found = []
    for name, (setting, _) in BUDGET_OPTIONS.items():
        value = values[name]
        if value is None or value is False:
            continue
        if isinstance(value, str) and setting != "device":
            try:
                build(Budget, {setting: value})
            except ConfigError as error:
                said = str(error).removeprefix(f"{setting}: ")
                raise ConfigError(f"--{name.replace('_', '-')}: {said}") from error
        found.append(f"budget.{setting}={'true' if value is True else value}")
    return found


def with_limits(limits: list[str], sets: list[str] | None) -> list[str]:
    """The settings of a call, with those of the budget's options.

    Raises:
        ConfigError: an option and a setting say the same thing.
    """
    given = list(sets or [])
    options = {setting: name.replace("_", "-") for name, (setting, _) in BUDGET_OPTIONS.items()}
    for text in limits:
        setting, _, value = text.partition("=")
        given = with_setting(options[setting.removeprefix("budget.")], setting, value, given)
    return given
