"""Settings as frozen dataclasses: built from plain tables and back, with every error told at once.

Conventions, the same in TOML files, in `--set` and in Python:

- An absent optional value is the string "none". It is always written, so that a part which is absent stays absent
  even where the default is a part that is present.
- A table that stands for a part names what differs from the default part (same class); all else keeps its value.
- A union of parts is told apart by `kind`; another kind than the default's starts from that class's own defaults.
- In a table of parts each stands below its kind; "none" takes one away, and an empty table is not written.
"""

from __future__ import annotations

import dataclasses
import enum
import json
import math
from collections.abc import Mapping, Sequence
from copy import deepcopy
from functools import cache
from os import PathLike, fspath
from typing import Annotated, Any, TypeVar, get_origin

from edgewise.config.schema import (
    ABSENT,
    FieldShape,
    PartTable,
    Shape,
    choices_of,
    fields_of,
    is_part,
    known_paths,
    nearest,
    shown,
)
from edgewise.errors import ConfigError, EdgewiseError

T = TypeVar("T")
_FAILED: Any = object()


def build(cls: type[T], data: Mapping[str, Any], *, known: Sequence[str] = ()) -> T:
    """Makes a settings object from a plain table.

    Args:
        cls: a dataclass.
        data: what a TOML file holds; settings that are not named keep their defaults.
        known: problems that were found already, told together with the others.

    Raises:
        ConfigError: lists every unknown name, wrong type and value out of range, with dotted paths.
    """
    problems: list[str] = []
    built = _build_part(cls, data, "", None, _Root(cls, problems))
    raise_all([*problems, *known], cls.__name__)
    return built


def value_problems(cls: type, field: FieldShape, value: Any, path: str, inherited: Any) -> list[str]:
    """What is wrong with one value of a setting.

    Args:
        cls: the settings dataclass that `path` starts from.
        field: the setting's shape.
        value: the value, as TOML gives it.
        path: the setting's dotted path.
        inherited: the value that stands there where nothing is given.
    """
    problems: list[str] = []
    _build_value(field, value, path, inherited, _Root(cls, problems))
    return problems


def raise_all(problems: Sequence[str], what: str) -> None:
    """Raises one ConfigError that lists all problems, if there are any."""
    if len(problems) == 1:
        raise ConfigError(problems[0])
    if problems:
        raise ConfigError(f"{len(problems)} problems in {what}:" + "".join(f"\n  {text}" for text in problems))


@dataclasses.dataclass(frozen=True)
class _Root:
    cls: type
    problems: list[str]

    def add(self, path: str, text: str) -> Any:
        """Notes a problem and returns the mark of a value that could not be built."""
        self.problems.append(f"{path}: {text}" if path else text)
        return _FAILED


def _build_part(part: type, data: Any, path: str, base: Any, root: _Root) -> Any:
    if not isinstance(data, Mapping):
        return root.add(path, f"must be a table of settings (value found: {shown(data)}); {_names(part)}")
    fields = fields_of(part)
    before = len(root.problems)
    values: dict[str, Any] = {}
    for name in data:
        if name not in fields:
            root.add(_join(path, name), _unknown(name, data[name], part, root.cls))
    for name, field in fields.items():
        if name in data:
            inherited = None if base is None else getattr(base, name)
            values[name] = _build_value(field, data[name], _join(path, name), inherited, root)
        elif base is not None:
            values[name] = getattr(base, name)
        elif field.required:
            root.add(_join(path, name), "is missing and has no default: give it a value")
    if len(root.problems) > before:
        return _FAILED
    try:
        return part(**values)
    except EdgewiseError as error:
        return root.add(path, str(error))


def _build_value(field: FieldShape, value: Any, path: str, inherited: Any, root: _Root) -> Any:
    if is_part(value):
        value = dump(value)
    if field.optional and (value is None or value == ABSENT):
        return None
    if not field.parts:
        return _build_leaf(field.annotation, value, path, root)
    if field.container is not None:
        return _build_many(field, field.container, value, path, root)
    return _build_union(field, value, path, field.base(inherited), root)


def _build_many(field: FieldShape, container: type, value: Any, path: str, root: _Root) -> Any:
    if isinstance(value, str) or not isinstance(value, Sequence):
        return root.add(path, f"must be an array of tables (value found: {shown(value)})")
    if get_origin(field.annotation) is Annotated:
        # The parts are built here, not by pydantic: bounds on how many there are need a stand-in.
        count = Annotated[list[int], *field.annotation.__metadata__]  # pyright: ignore[reportInvalidTypeForm]
        _build_leaf(count, [0] * len(value), path, root)
    items = [dump(item) if is_part(item) else item for item in value]
    return container([_build_union(field, item, f"{path}[{i}]", None, root) for i, item in enumerate(items)])


def _build_union(shape: Shape, value: Any, path: str, base: Any, root: _Root) -> Any:
    part = part_for(shape, value, base)
    if part is None:
        kind = value.get("kind") if isinstance(value, Mapping) else None
        what = "is missing: say which part" if kind is None else f"unknown part (value found: {shown(kind)})"
        return root.add(_join(path, "kind"), f"{what}; {nearest(kind, shape.kinds())}")
    return _build_part(part, value, path, base if type(base) is part else None, root)


def part_for(shape: Shape, value: Any, base: Any) -> type | None:
    """The class that a table stands for: the only one, the one its `kind` names, or that of the default part."""
    if len(shape.parts) == 1:
        return shape.parts[0]
    if isinstance(value, Mapping) and "kind" in value:
        kind = value["kind"]
        return shape.kinds().get(kind) if isinstance(kind, str) else None
    return None if base is None else type(base)


def _build_leaf(annotation: Any, value: Any, path: str, root: _Root) -> Any:
    from pydantic import ValidationError

    try:
        # pydantic's strict JSON rules are TOML's: arrays become tuples, 1 is a float, true is no integer.
        return _adapter(annotation).validate_json(json.dumps(value), strict=True)
    except TypeError:
        return root.add(path, f"must be a plain value (value found: {shown(value)}); dates need quotes")
    except ValidationError as error:
        details = error.errors(include_url=False)
    except (ValueError, RecursionError):
        return root.add(path, f"is too large to be read (value found: {shown(value)})")
    for text in dict.fromkeys(_leaf_problem(detail, annotation, path, value) for detail in details):
        root.problems.append(text)
    return _FAILED


@cache
def _adapter(annotation: Any) -> Any:
    from pydantic import ConfigDict, TypeAdapter

    return TypeAdapter(annotation, config=ConfigDict(strict=True, allow_inf_nan=False))


def _leaf_problem(detail: Any, annotation: Any, path: str, value: Any) -> str:
    if detail["type"] == "json_invalid":
        return f"{path}: is not valid Unicode text (value found: {shown(value)})"
    where = path + "".join(f"[{step}]" for step in detail["loc"] if isinstance(step, int))
    found = f"(value found: {shown(value if detail['type'] == 'missing' else detail['input'])})"
    if detail["type"] == "literal_error":
        return f"{where}: is none of the choices {found}; {nearest(detail['input'], choices_of(annotation))}"
    if detail["type"] == "missing":
        return f"{where}: is missing, too few entries {found}"
    said = detail["msg"].removeprefix("Value error, ").replace("Input should be", "must be")
    said = said.replace("valid boolean", "boolean, true or false")
    return f"{where}: {said} {found}"


def _unknown(name: object, value: Any, part: type, root: type) -> str:
    text = f"unknown setting (value found: {shown(value)}); {nearest(name, fields_of(part))}"
    elsewhere = [path for path in known_paths(root) if path.endswith(f".{name}")]
    return f"{text}; elsewhere: {', '.join(elsewhere)}" if elsewhere else text


def _names(part: type) -> str:
    return f"its settings: {', '.join(fields_of(part)) or 'none'}"


def _join(path: str, name: object) -> str:
    return f"{path}.{name}" if path else str(name)


def dump(obj: Any) -> dict[str, Any]:
    """The plain table of a settings object; `build(type(obj), dump(obj))` gives an equal object.

    Args:
        obj: a settings dataclass.

    Raises:
        ConfigError: a value has no spelling in TOML, such as infinity or the text "none" in an optional setting.
    """
    table = {}
    for name, field in fields_of(type(obj)).items():
        value = getattr(obj, name)
        # In a table of parts nothing is there by default: what is absent need not be written.
        if isinstance(obj, PartTable) and value is None:
            continue
        plain = _plain(value, field.optional, f"{type(obj).__name__}.{name}")
        if plain or not isinstance(value, PartTable):
            table[name] = plain
    return table


def to_toml(obj: Any) -> str:
    """The TOML text of a settings object, all values written out; raises ConfigError as `dump` does."""
    import tomli_w

    return tomli_w.dumps(dump(obj))


def _plain(value: Any, optional: bool, path: str) -> Any:
    if is_part(value):
        return dump(value)
    if isinstance(value, enum.Enum):
        value = value.value
    if isinstance(value, PathLike):
        value = fspath(value)
    if value is None and optional:
        return ABSENT
    if isinstance(value, Mapping):
        return {str(key): _plain(item, False, f"{path}.{key}") for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item, False, f"{path}[{i}]") for i, item in enumerate(value)]
    finite = not isinstance(value, float) or math.isfinite(value)
    if isinstance(value, (bool, int, float, str)) and finite and not (optional and value == ABSENT):
        return value
    raise ConfigError(f"{path}: {shown(value)} can't be written to a recipe file: use a finite plain value")


def merge(base: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """A new table: `over` laid on `base`, table by table; a part of another `kind` replaces the one in `base`."""
    merged = deepcopy(dict(base))
    for name, value in over.items():
        old = merged.get(name)
        if isinstance(old, Mapping) and isinstance(value, Mapping) and not _other_kind(old, value):
            merged[name] = merge(old, value)
        else:
            merged[name] = deepcopy(value)
    return merged


def _other_kind(old: Mapping[str, Any], new: Mapping[str, Any]) -> bool:
    return "kind" in new and "kind" in old and new["kind"] != old["kind"]
