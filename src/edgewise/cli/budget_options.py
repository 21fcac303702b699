"""The options of a budget, and how they become settings: one budget, or several where values stand with commas."""

from __future__ import annotations

import functools
import inspect
import json
import re
from collections.abc import Callable, Mapping
from typing import Annotated, Any, get_type_hints

import typer

from edgewise.errors import ConfigError

BUDGET = "Budget: what the network may need"


def _limit(option: str, metavar: str, text: str) -> Any:
    """The type of an option of a budget."""
    return Annotated[str | None, typer.Option(option, metavar=metavar, help=text, rich_help_panel=BUDGET)]


BUDGET_OPTIONS: dict[str, tuple[str, Any]] = {
    "max_params": (
        "params",
        _limit(
            "--max-params",
            "N",
            "Most parameters of the network, such as 100k. Run and select take several values, for any limit: "
            "20k,60k makes a network for each.",
        ),
    ),
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


def takes_budget(command: Callable[..., None] | None = None, *, several: bool = False) -> Callable[..., Any]:
    """Gives a command the options of a budget, in the place of its parameter `limits`.

    Args:
        command: hears of them as single settings, such as "budget.params=100k".
        several: whether an option may have several values, 20k,60k, for a network each.
    """
    if command is None:
        return functools.partial(takes_budget, several=several)
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
        command(**given, limits=budget_settings(values, several=several))

    own = [
        parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY, annotation=kinds[name])
        for name, parameter in signature.parameters.items()
        if name != "limits"
    ]
    wrapped.__signature__ = signature.replace(parameters=[*own, *options])  # type: ignore[attr-defined]
    wrapped.__annotations__ = {parameter.name: parameter.annotation for parameter in (*own, *options)}
    return wrapped


def budget_settings(values: Mapping[str, Any], *, several: bool = False) -> list[str]:
    """Single settings of the options of a budget that were given.

    Args:
        values: by the names of `BUDGET_OPTIONS`; texts may be several values with commas between them.
        several: whether they may.

    Raises:
        ConfigError: a value is no limit, or numbers of values don't match; names the option.
    """
    given: dict[str, list[Any]] = {}
    for name, value in values.items():
        if value is not None and value is not False:
            parts = [part.strip() for part in value.split(",")] if isinstance(value, str) else [value]
            _check_limits(name, parts, several=several)
            given[name] = parts
    counts = {name: len(parts) for name, parts in given.items() if len(parts) > 1}
    if not counts:
        return [f"budget.{BUDGET_OPTIONS[name][0]}={_written(parts[0])}" for name, parts in given.items()]
    if len(set(counts.values())) > 1:
        said = ", ".join(f"--{name.replace('_', '-')} {count}" for name, count in counts.items())
        raise ConfigError(
            f"the numbers of values differ ({said}): the first values make the first budget, the second ones the "
            "next: give each option one value or as many as the others"
        )
    tables = []
    for place in range(next(iter(counts.values()))):
        own = {BUDGET_OPTIONS[name][0]: parts[place % len(parts)] for name, parts in given.items()}
        tables.append("{" + ", ".join(f"{key} = {_toml(value)}" for key, value in own.items()) + "}")
    return [f"budgets=[{', '.join(tables)}]"]


def _written(value: Any) -> str:
    return "true" if value is True else str(value)


def _toml(value: Any) -> str:
    return "true" if value is True else json.dumps(value)


def _check_limits(option: str, parts: list[Any], *, several: bool) -> None:
    """Raises ConfigError, with the option's name, for what is no limit."""
    from edgewise.budget import Budget
    from edgewise.config.build import build

    name, setting = f"--{option.replace('_', '-')}", BUDGET_OPTIONS[option][0]
    thousands = re.fullmatch(r"[0-9]{1,3}(,[0-9]{3})+", ",".join(map(str, parts)))
    if thousands:
        raise ConfigError(
            f"{name}: {thousands[0]} may be one number or several: write one as {''.join(parts)}, and several "
            "with units, such as 20k,60k"
        )
    if len(parts) > 1 and not several:
        raise ConfigError(
            f"{name}: takes one value here (value found: {','.join(parts)}); `edgewise run` and `edgewise select` "
            "take several"
        )
    for part in parts:
        if isinstance(part, str) and setting != "device":
            try:
                build(Budget, {setting: part})
            except ConfigError as error:
                raise ConfigError(f"{name}: {str(error).removeprefix(f'{setting}: ')}") from error


def with_limits(limits: list[str], sets: list[str] | None) -> list[str]:
    """The settings of a call, with those of the budget's options.

    Raises:
        ConfigError: an option and a setting say the same thing.
    """
    from edgewise.config.overrides import with_setting

    given = list(sets or [])
    options = {setting: name.replace("_", "-") for name, (setting, _) in BUDGET_OPTIONS.items()}
    for text in limits:
        setting, _, value = text.partition("=")
        option = options.get(setting.removeprefix("budget."), "max-params and the like")
        given = with_setting(option, setting, value, given)
    return given
