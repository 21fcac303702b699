"""What a settings dataclass may hold: plain values, parts (dataclasses), unions of parts told apart by `kind`."""

from __future__ import annotations

import dataclasses
import difflib
import types
from collections.abc import Iterable, Mapping
from functools import cache
from typing import Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints

ABSENT = "none"
"""How an absent optional value is written in TOML, which has no null."""


@dataclasses.dataclass(frozen=True)
class Shape:
    """How one setting is read.

    Args:
        annotation: its type without `None`.
        optional: whether `"none"` (absent) is allowed.
        parts: the dataclasses it may be; empty for a plain value.
        container: tuple or list where it is a sequence of such parts.
    """

    annotation: Any
    optional: bool = False
    parts: tuple[type, ...] = ()
    container: type | None = None

    def kinds(self) -> dict[str, type]:
        """The parts by the value of their `kind: Literal[...]` field."""
        return {kind: part for part in self.parts for kind in kinds_of(part)}


@dataclasses.dataclass(frozen=True)
class FieldShape(Shape):
    """A shape with the field's default.

    Args:
        default: makes the default value; None where the setting must be given.
    """

    default: Any = None

    @property
    def required(self) -> bool:
        """Whether the setting must be given."""
        return self.default is None

    def base(self, inherited: Any) -> Any:
        """The part that a table is laid on: the inherited one, else the field's default, else None."""
        if dataclasses.is_dataclass(inherited):
            return inherited
        value = None if self.default is None else self.default()
        return value if dataclasses.is_dataclass(value) else None


def shape_of(annotation: Any) -> Shape:
    """Reads a type annotation.

    Raises:
        TypeError: parts and plain values are mixed in one union, or a union of parts has no `kind`.
    """
    bare = get_args(annotation)[0] if get_origin(annotation) is Annotated else annotation
    if get_origin(bare) in (Union, types.UnionType):
        return _union(annotation, bare)
    if dataclasses.is_dataclass(bare):
        return Shape(annotation, parts=(bare,))  # pyright: ignore[reportArgumentType]
    container, inner = get_origin(bare), get_args(bare)
    if container is list or (container is tuple and inner[1:] == (Ellipsis,)):
        element = shape_of(inner[0])
        if element.parts and not element.optional:
            return Shape(annotation, parts=element.parts, container=container)
    return Shape(annotation)


def _union(annotation: Any, bare: Any) -> Shape:
    members = tuple(member for member in get_args(bare) if member is not type(None))
    optional = len(members) < len(get_args(bare))
    shapes = [shape_of(member) for member in members]
    if len(shapes) == 1 and (shapes[0].parts or annotation is bare):
        return dataclasses.replace(shapes[0], optional=optional)
    parts = tuple(part for shape in shapes for part in shape.parts)
    if not parts:
        return Shape(annotation, optional=optional)
    if any(shape.container or not shape.parts for shape in shapes):
        raise TypeError(f"{annotation}: a union of settings parts can't hold plain values too")
    kinds = [kind for part in parts for kind in kinds_of(part)]
    if len(set(kinds)) < len(kinds) or not all(kinds_of(part) for part in parts):
        raise TypeError(f"{annotation}: every part of a union needs its own `kind: Literal[...]`; found {kinds}")
    return Shape(annotation, optional=optional, parts=parts)


@cache
def kinds_of(part: type) -> tuple[str, ...]:
    """The values that the part's `kind` field may take; empty where it has no such field."""
    hint = get_type_hints(part).get("kind")
    return tuple(get_args(hint)) if get_origin(hint) is Literal else ()


@cache
def fields_of(cls: type) -> Mapping[str, FieldShape]:
    """The shapes of a settings dataclass's fields, by name, in order."""
    hints = get_type_hints(cls, include_extras=True)
    found: dict[str, FieldShape] = {}
    for field in dataclasses.fields(cls):
        if field.init:
            shape = shape_of(hints[field.name])
            found[field.name] = FieldShape(
                shape.annotation, shape.optional, shape.parts, shape.container, default=_default(field)
            )
    return types.MappingProxyType(found)


def _default(field: dataclasses.Field) -> Any:
    if field.default_factory is not dataclasses.MISSING:
        return field.default_factory
    if field.default is not dataclasses.MISSING:
        return lambda value=field.default: value
    return None


@cache
def known_paths(cls: type) -> tuple[str, ...]:
    """Every dotted path that can be set in `cls`, each once."""
    found: dict[str, None] = {}
    for name, shape in fields_of(cls).items():
        found[name] = None
        if shape.container is None:
            for part in shape.parts:
                found.update(dict.fromkeys(f"{name}.{path}" for path in known_paths(part)))
    return tuple(found)


def choices_of(annotation: Any) -> tuple[Any, ...]:
    """All values named by `Literal[...]` anywhere in the annotation."""
    if get_origin(annotation) is Literal:
        return get_args(annotation)
    return tuple(choice for inner in get_args(annotation) for choice in choices_of(inner))


def shown(value: object) -> str:
    """A value as an error message shows it: TOML's spelling, at most 80 characters."""
    if isinstance(value, int) and value.bit_length() > 256:  # Python itself refuses to spell thousands of digits
        return f"a whole number of {value.bit_length():,} bits"
    try:
        text = {True: "true", False: "false"}[value] if isinstance(value, bool) else repr(value)
    except ValueError:  # such a number inside a list
        text = f"a {type(value).__name__} with a whole number of thousands of digits"
    return ABSENT if value is None else text if len(text) <= 80 else text[:77] + "..."


def nearest(name: object, known: Iterable[object]) -> str:
    """A hint for a misspelt name: the nearest known one, and all of them."""
    names = [str(choice) for choice in known]
    by_lower = {choice.lower(): choice for choice in names}
    close = difflib.get_close_matches(str(name).lower(), list(by_lower), n=1)
    guess = f"nearest: {by_lower[close[0]]}; " if close else ""
    return f"{guess}allowed: {', '.join(names) if names else 'nothing'}"
