"""`--set a.b=v`: single settings changed from the command line, by the rules of the files."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from copy import deepcopy
from typing import Any

from edgewise.config.build import part_for, raise_all, value_problems
from edgewise.config.schema import FieldShape, fields_of, known_paths, nearest, shown
from edgewise.errors import ConfigError


def apply_sets(data: Mapping[str, Any], cls: type, sets: Sequence[str]) -> dict[str, Any]:
    """A new table with the settings of `sets` put in, left to right.

    `v` is read as a TOML value; what is no such value, or does not fit the setting, is taken as text. `part=none`
    removes an optional part, `part.name=v` makes an absent one from its defaults, `part.kind=other` changes to the
    other part's defaults.

    Args:
        data: the table to start from.
        cls: the settings dataclass that the table is for.
        sets: texts of the form `a.b=v`.

    Raises:
        ConfigError: lists every malformed text, unknown path and value that does not fit.
    """
    result = deepcopy(dict(data))
    problems: list[str] = []
    for text in sets:
        try:
            _apply(result, cls, text)
        except ConfigError as error:
            problems.append(f"--set {text}: {error}")
    raise_all(problems, "--set")
    return result


def with_setting(option: str, setting: str, value: object, sets: Sequence[str]) -> list[str]:
    """Single settings, with the one that an option of its own gives, if it was given.

    Raises:
        ConfigError: both say the same thing.
    """
    if value is None:
        return list(sets)
    if any(text.partition("=")[0].strip() == setting for text in sets):
        raise ConfigError(f"--{option} and --set {setting}=... say the same thing: leave one of them away")
    return [f"{setting}={value}", *sets]


def _apply(data: dict[str, Any], cls: type, text: str) -> None:
    path, equals, raw = text.partition("=")
    names = path.strip().split(".")
    if not equals:
        raise ConfigError("has no '='; write a setting and its value, as in --set search.epochs=20")
    if not all(names):
        raise ConfigError("the name before '=' has an empty part; write --set a.b=value")
    table, part, base = data, cls, None
    for depth, name in enumerate(names[:-1]):
        where, field = ".".join(names[: depth + 1]), _field(part, name, cls, names)
        if field.container is not None or not field.parts:
            raise ConfigError(f"{where} is no part with settings of its own: write --set {where}=value")
        inherited = field.base(getattr(base, name, None))
        if names[depth + 1 :] == ["kind"] and len(field.parts) > 1:
            table[name] = _switched(field, table.get(name), inherited, f"{where}.kind", raw)
            return
        table, part, base = _enter(table, field, inherited, name, where)
    field, name = _field(part, names[-1], cls, names), names[-1]
    table[name] = _read(cls, field, raw.strip(), ".".join(names), getattr(base, name, None))


def _field(part: type, name: str, cls: type, names: Sequence[str]) -> FieldShape:
    fields = fields_of(part)
    if name in fields:
        return fields[name]
    whole = ".".join(names)
    elsewhere = [path for path in known_paths(cls) if path.endswith(f".{names[-1]}")]
    hint = f"; elsewhere: {', '.join(elsewhere)}" if elsewhere else ""
    at = f" at {name!r}" if len(names) > 1 else ""
    raise ConfigError(f"{whole} is an unknown setting{at}; {nearest(name, fields)}{hint}")


def _enter(
    table: dict[str, Any], field: FieldShape, inherited: Any, name: str, where: str
) -> tuple[dict[str, Any], type, Any]:
    value = table.get(name)
    part = part_for(field, value, inherited)
    if part is None:
        kinds = ", ".join(field.kinds())
        raise ConfigError(f"{where} can be one of several parts: set {where}.kind first; allowed: {kinds}")
    inner = table[name] = dict(value) if isinstance(value, Mapping) else {}
    return inner, part, inherited if type(inherited) is part else None


def _switched(field: FieldShape, value: Any, inherited: Any, where: str, raw: str) -> dict[str, Any]:
    text = _toml(raw.strip())
    kind = text if isinstance(text, str) else raw.strip()
    part = field.kinds().get(kind)
    if part is None:
        raise ConfigError(f"{where}: unknown part (value found: {shown(kind)}); {nearest(kind, field.kinds())}")
    same = part_for(field, value, inherited) is part and isinstance(value, Mapping)
    return {**value, "kind": kind} if same else {"kind": kind}


def _read(cls: type, field: FieldShape, raw: str, where: str, inherited: Any) -> Any:
    value = _toml(raw)
    problems = value_problems(cls, field, value, where, inherited)
    if not problems:
        return value
    if not value_problems(cls, field, raw, where, inherited):
        return raw
    if len(field.parts) > 1 and raw in field.kinds():
        problems = [f"{where} is a part: write --set {where}.kind={raw}"]
    raise ConfigError("; ".join(problems))


def _toml(raw: str) -> Any:
    """The TOML value that `raw` spells, else `raw` itself."""
    try:
        table = tomllib.loads(f"value = {raw}")
    except (ValueError, RecursionError):  # no TOML, thousands of digits, or brackets without an end
        return raw
    return table["value"] if len(table) == 1 else raw
