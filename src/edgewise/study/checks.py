"""What can be wrong in a study's table beyond the type of a value; every fault with its dotted path."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from edgewise.config.schema import known_paths, nearest, shown
from edgewise.methods import RECIPES
from edgewise.methods.table import ALIASES
from edgewise.pipeline import Settings
from edgewise.spaces import SPACES

# Lists that may not be empty, and lists in which nothing may stand twice.
FILLED = ("methods", "seeds", "data")
DISTINCT = ("methods", "seeds", "data", "spaces")
OWN_AXES = {"space": "spaces", "data.source": "data", "name": "methods", "summary": "methods"}


def flat_grid(grid: Mapping[str, Any], before: str = "") -> dict[str, Any]:
    """A grid by dotted names, whether it was written `"arch.lr" = [...]` or `arch.lr = [...]`."""
    flat: dict[str, Any] = {}
    for name, value in grid.items():
        path = f"{before}{name}"
        flat |= flat_grid(value, f"{path}.") if isinstance(value, Mapping) and value else {path: value}
    return flat


def table_problems(table: Mapping[str, Any], folder: Path, scale: str | None) -> list[str]:
    """Lists what is empty, repeated or unknown in a study's table; wrong types are left to `build`."""
    problems = [text for name in FILLED if name in table for text in _empty(name, table[name])]
    problems += [text for name in DISTINCT for text in _repeated(name, table.get(name))]
    variants = [entry for entry in _list(table.get("variants")) if isinstance(entry, Mapping)]
    names = [entry["name"] for entry in variants if isinstance(entry.get("name"), str)]
    problems += _variant_problems(variants, names, folder)
    problems += [
        text
        for i, method in enumerate(_list(table.get("methods")))
        for text in _unknown_method(f"methods[{i}]", method, names, folder)
    ]
    problems += [
        f"spaces[{i}]: unknown space (value found: {shown(space)}); {nearest(space, SPACES)}"
        for i, space in enumerate(_list(table.get("spaces")))
        if isinstance(space, str) and space not in SPACES
    ]
    problems += _grid_problems(table.get("grid"))
    problems += _reference_problems(table)
    return problems + _scale_problems(table, scale)


def _list(value: Any) -> list[Any]:
    return list(value) if isinstance(value, (list, tuple)) else []


def _empty(name: str, value: Any) -> list[str]:
    empty = isinstance(value, (list, tuple)) and not value
    return [f"{name}: is empty, and a study without {name} has no runs: name at least one"] if empty else []


def _repeated(name: str, value: Any) -> list[str]:
    twice = _twice(_list(value))
    return [f"{name}: {shown(entry)} stands there more than once: name each once" for entry in twice]


def _twice(values: Iterable[Any]) -> list[Any]:
    # 1 and true are equal in Python, and two different values of a setting.
    seen: list[tuple[type, Any]] = []
    twice = []
    for value in values:
        mark = (type(value), value)
        if mark in seen and value not in twice:
            twice.append(value)
        seen.append(mark)
    return twice


def _variant_problems(variants: list[Mapping[str, Any]], names: list[str], folder: Path) -> list[str]:
    problems = [f"variants: the name {shown(name)} is given twice: name each once" for name in _twice(names)]
    for i, entry in enumerate(variants):
        if entry.get("name") in RECIPES or entry.get("name") in ALIASES:
            problems.append(f"variants[{i}].name: {shown(entry['name'])} is a recipe: choose another name")
        if "recipe" in entry:
            problems += _unknown_method(f"variants[{i}].recipe", entry["recipe"], [], folder)
    return problems


def _unknown_method(path: str, name: Any, variants: list[str], folder: Path) -> list[str]:
    if not isinstance(name, str) or name in RECIPES or name in ALIASES or name in variants:
        return []
    if name.endswith(".toml"):
        there = (folder / name).is_file()
        return [] if there else [f"{path}: there is no file {folder / name}: check the name"]
    return [f"{path}: unknown method (value found: {shown(name)}); {nearest(name, [*variants, *RECIPES])}"]


def _grid_problems(grid: Any) -> list[str]:
    problems = []
    for path, values in (grid if isinstance(grid, Mapping) else {}).items():
        if path in OWN_AXES:
            problems.append(f"grid.{path}: has a list of its own: name the values in `{OWN_AXES[path]}`")
        elif path not in known_paths(Settings):
            problems.append(f"grid.{path}: is an unknown setting; {_near_path(path)}")
        if isinstance(values, (list, tuple)) and not values:
            problems.append(f"grid.{path}: is empty: name at least one value, or leave the setting away")
        problems += _repeated(f"grid.{path}", values)
    return problems


def _near_path(path: str) -> str:
    hint = nearest(path, known_paths(Settings))
    return hint.partition("; allowed")[0] if "nearest" in hint else "`edgewise recipes show pc-darts` lists them"


def _reference_problems(table: Mapping[str, Any]) -> list[str]:
    methods = [name for name in _list(table.get("methods")) if isinstance(name, str)]
    problems = []
    baseline = table.get("baseline", "")
    if isinstance(baseline, str) and baseline and baseline not in methods:
        problems.append(
            f"baseline: is none of the study's methods (value found: {shown(baseline)}); "
            f"{nearest(baseline, methods)}"
        )
    for i, row in enumerate(_list(table.get("published"))):
        named = row.get("method", "") if isinstance(row, Mapping) else ""
        if isinstance(named, str) and named and named not in methods:
            problems.append(
                f"published[{i}].method: is none of the study's methods (value found: {shown(named)}); "
                f"{nearest(named, methods)}"
            )
    return problems


def _scale_problems(table: Mapping[str, Any], chosen: str | None) -> list[str]:
    scales = [entry for entry in _list(table.get("scales")) if isinstance(entry, Mapping)]
    problems = [
        text
        for i, entry in enumerate(scales)
        if "seeds" in entry
        for text in (
            *_empty(f"scales[{i}].seeds", entry["seeds"]),
            *_repeated(f"scales[{i}].seeds", entry["seeds"]),
        )
    ]
    names = [entry.get("name") for entry in scales]
    if chosen is not None and chosen not in names:
        known = f"it has {', '.join(map(str, names))}" if names else "it has no scales: leave --scale away"
        problems.append(f"scale: this study has no scale {shown(chosen)}; {known}")
    return problems
