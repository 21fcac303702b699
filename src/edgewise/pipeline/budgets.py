"""Budgets in settings: devices become limits, sizes that were given are not fitted, several have names."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from edgewise.budget import FIGURES, MEASURED, Budget, find_device, within_device, write_amount
from edgewise.config.build import build, dump
from edgewise.errors import ConfigError
from edgewise.export import check_measurable


def with_budget(table: Mapping[str, Any], *, given: Sequence[str] = ()) -> dict[str, Any]:
    """A table of settings whose budget says all that follows from a device, and whether cells are fitted.

    Args:
        table: the settings, with or without a table `budget` or several in `budgets`.
        given: names of settings of the training that the user gave.

    Raises:
        ConfigError: the budget has a fault, contradicts a device or another setting, or can't be measured here.
    """
    result, several = dict(table), table.get("budgets")
    stated = table.get("budget")
    if isinstance(stated, Mapping):
        result["budget"] = _completed(stated, given)
    if isinstance(several, Sequence) and not isinstance(several, str):
        result["budgets"] = [_completed(one, given) if isinstance(one, Mapping) else one for one in several]
    return result


def _completed(stated: Mapping[str, Any], given: Sequence[str]) -> dict[str, Any]:
    budget = _read(stated)
    if not budget.limits:
        return dict(stated)
    if "train.channels" in given:
        raise ConfigError(
            "--set train.channels says how wide the network is, and a budget finds that out "
            f"({budget.sentence()}): leave one of them away"
        )
    if "train.layers" in given and "fit_layers" not in stated:
        budget = replace(budget, fit_layers=False)
    if any(name in budget.limits for name in MEASURED):
        check_measurable()
    return dump(budget)


def stated_budget(budget: Budget) -> dict[str, Any]:
    """A budget that was given in Python as a table: what it does not decide is left out."""
    table = dump(budget)
    return {name: value for name, value in table.items() if name != "fit_layers" or not budget.fit_layers}


def names_of(budgets: Sequence[Budget]) -> list[str]:
    """A short name for each of several budgets, made of what they differ in: 20k, 64KiB, a device.

    Raises:
        ConfigError: one has no limit, two are equal, or there is only one.
    """
    if len(budgets) == 1:
        raise ConfigError("budgets: there is only one: state it as `budget`")
    for place, budget in enumerate(budgets):
        if not budget.limits:
            raise ConfigError(f"budgets[{place}]: states no limit: give one, such as params = 20000")
        if budget in budgets[:place]:
            raise ConfigError(f"budgets[{place}]: is stated twice ({budget.sentence()}): leave it out")
    differing = [name for name in FIGURES if len({getattr(budget, name) for budget in budgets}) > 1]
    if all(budget.device for budget in budgets) and len({budget.device for budget in budgets}) == len(budgets):
        names = [str(budget.device) for budget in budgets]
    else:
        names = [_short(budget, differing) for budget in budgets]
    safe = [re.sub(r"[^A-Za-z0-9._-]+", "-", name).strip(".-") or "budget" for name in names]
    return [name if safe.count(name) == 1 else f"{name}-{place}" for place, name in enumerate(safe, 1)]


def _short(budget: Budget, differing: Sequence[str]) -> str:
    """What a budget states of the figures that differ."""
    limits = budget.limits
    parts = [write_amount(name, limits[name]) if name in limits else f"any-{name}" for name in differing]
    return "-".join([*parts, *(["int8"] if budget.int8 else [])]) or "float32"


def _read(stated: Mapping[str, Any]) -> Budget:
    name = stated.get("device", "none")
    # A table that was written out holds its device's limits: its file of devices is not needed any more.
    if not isinstance(name, str) or name == "none" or all(figure in stated for figure in FIGURES):
        return _named(dict(stated))
    return within_device(
        _named({key: value for key, value in stated.items() if key != "device"}), find_device(name)
    )


def _named(table: dict[str, Any]) -> Budget:
    try:
        return build(Budget, table)
    except ConfigError as error:
        raise ConfigError(f"budget: {error}") from error
