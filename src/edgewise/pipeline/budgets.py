"""Budgets in settings: devices become limits, and sizes that were given are not fitted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from edgewise.budget import FIGURES, MEASURED, Budget, find_device, within_device
from edgewise.core.errors import ConfigError
from edgewise.core.settings import build, dump
from edgewise.export import check_measurable


def with_budget(table: Mapping[str, Any], *, given: Sequence[str] = ()) -> dict[str, Any]:
    """A table of settings whose budget says all that follows from a device, and whether cells are fitted.

    Args:
        table: the settings, with or without a table `budget`.
        given: names of settings of the training that the user gave.

    Raises:
        ConfigError: the budget has a fault, contradicts a device or another setting, or can't be measured here.
    """
    stated = table.get("budget")
    if not isinstance(stated, Mapping):
        return dict(table)
    budget = _read(stated)
    if not budget.limits:
        return dict(table)
    if "train.channels" in given:
        raise ConfigError(
            "--set train.channels says how wide the network is, and a budget finds that out "
            f"({budget.sentence()}): leave one of them away"
        )
    if "train.layers" in given and "fit_layers" not in stated:
        budget = replace(budget, fit_layers=False)
    if any(name in budget.limits for name in MEASURED):
        check_measurable()
    return {**table, "budget": dump(budget)}


def stated_budget(budget: Budget) -> dict[str, Any]:
    """A budget that was given in Python as a table: what it does not decide is left out."""
    table = dump(budget)
    return {name: value for name, value in table.items() if name != "fit_layers" or not budget.fit_layers}


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
