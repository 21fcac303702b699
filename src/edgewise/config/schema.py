"""What a settings dataclass may hold: plain values, parts (dataclasses), unions of parts told apart by `kind`.

Two of them are open: a `PartFamily` is the union of all parts that are registered for it, a `PartTable` a table in
which each of them may stand once, below its kind.
"""

from __future__ import annotations

import dataclasses
import difflib
import types
from collections.abc import Iterable, Mapping
from functools import cache
from typing import Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints

from edgewise.errors import ConfigError

ABSENT = "none"
"""How an absent optional value is written in TOML, which has no null."""


class PartFamily:
    """Base of the classes whose registered subclasses are a setting's choices."""

    @classmethod
    def registered(cls) -> tuple[type, ...]:
        """The settings dataclasses of this family that there are now, in the order of their registration."""
        raise NotImplementedError


class PartTable:
    """A table of parts by their kinds, each of which may be there or not.

    A subclass is made of keyword arguments, one a kind, and gives what it was made of as attributes.
    """

    @classmethod
    def registered(cls) -> tuple[type, ...]:
        """The settings dataclasses that may stand in the table."""
        raise NotImplementedError


@dataclasses.dataclass(frozen=True)
class Shape:
    """How one setting is read.

    Args:
        annotation: its type without `None`.
        optional: whether `"none"` (absent) is allowed.
        fixed: the dataclasses it may be, where nobody can add one; empty for a plain value.
        family: the family it may be one of, where there is one.
        container: tuple or list where it is a sequence of such parts.
    """

    annotation: Any
    optional: bool = False
    fixed: tuple[type, ...] = ()
    family: type[PartFamily] | None = None
    container: type | None = None

    @property
    def parts(self) -> tuple[type, ...]:
        """The dataclasses it may be now; empty for a plain value."""
        return self.fixed if self.family is None else self.family.registered()

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
        if is_part(inherited):
            return inherited
        value = None if self.default is None else self.default()
        return value if is_part(value) else None


def shape_of(annotation: Any) -> Shape:
    """Reads a type annotation.

    Raises:
        TypeError: parts and plain values are mixed in one union, or a union of parts has no `kind`.
    """
    bare = get_args(annotation)[0] if get_origin(annotation) is Annotated else annotation
    if get_origin(bare) in (Union, types.UnionType):
        return _union(annotation, bare)
    if isinstance(bare, type) and (dataclasses.is_dataclass(bare) or issubclass(bare, PartTable)):
        return Shape(annotation, fixed=(bare,))
    if isinstance(bare, type) and issubclass(bare, PartFamily):
        return Shape(annotation, family=bare)
    container, inner = get_origin(bare), get_args(bare)
    if container is list or (container is tuple and inner[1:] == (Ellipsis,)):
        element = shape_of(inner[0])
        if element.fixed and not element.optional:
            return Shape(annotation, fixed=element.fixed, container=container)
    return Shape(annotation)


def _union(annotation: Any, bare: Any) -> Shape:
    members = tuple(member for member in get_args(bare) if member is not type(None))
    optional = len(members) < len(get_args(bare))
    shapes = [shape_of(member) for member in members]
    if len(shapes) == 1 and (shapes[0].fixed or shapes[0].family or annotation is bare):
        return dataclasses.replace(shapes[0], optional=optional)
    parts = tuple(part for shape in shapes for part in shape.fixed)
    if not parts:
        return Shape(annotation, optional=optional)
    if any(shape.container or not shape.fixed for shape in shapes):
        raise TypeError(f"{annotation}: a union of settings parts can't hold plain values too")
    kinds = [kind for part in parts for kind in kinds_of(part)]
    if len(set(kinds)) < len(kinds) or not all(kinds_of(part) for part in parts):
        raise TypeError(f"{annotation}: every part of a union needs its own `kind: Literal[...]`; found {kinds}")
    return Shape(annotation, optional=optional, fixed=parts)


def is_part(value: object) -> bool:
    """Whether a value has settings of its own."""
    return isinstance(value, PartTable) or (dataclasses.is_dataclass(value) and not isinstance(value, type))


@cache
def kinds_of(part: type) -> tuple[str, ...]:
    """The values that the part's `kind` field may take; empty where it has no such field."""
    hint = get_type_hints(part).get("kind")
    return tuple(get_args(hint)) if get_origin(hint) is Literal else ()


def own_kind(part: type, base: type) -> str:
    """The kind by which a part is registered.

    Args:
        part: a frozen dataclass with a field `kind: Literal["..."] = "..."`.
        base: what it must derive from.

    Raises:
        ConfigError: it is no such class.
    """
    name = getattr(part, "__name__", repr(part))
    if not isinstance(part, type) or not issubclass(part, base) or not dataclasses.is_dataclass(part):
        raise ConfigError(f"{name} must be a dataclass that derives from {base.__module__}.{base.__name__}")
    kinds = kinds_of(part)
    if len(kinds) != 1 or not part.__dataclass_params__.frozen:  # pyright: ignore[reportAttributeAccessIssue]
        raise ConfigError(
            f"{name} must be frozen and have one kind: @dataclass(frozen=True), and in it "
            'kind: Literal["its_name"] = "its_name"'
        )
    return kinds[0]


def fields_of(cls: type) -> Mapping[str, FieldShape]:
    """The shapes of the fields of a settings dataclass, or of the places of a `PartTable`, by name, in order."""
    if issubclass(cls, PartTable):
        return {
            kind: FieldShape(part, optional=True, fixed=(part,), default=lambda: None)
            for part in cls.registered()
            for kind in kinds_of(part)
        }
    return _fields_of(cls)


@cache
def _fields_of(cls: type) -> Mapping[str, FieldShape]:
    hints = get_type_hints(cls, include_extras=True)
    found: dict[str, FieldShape] = {}
    for field in dataclasses.fields(cls):
        if field.init:
            shape = shape_of(hints[field.name])
            values = {place.name: getattr(shape, place.name) for place in dataclasses.fields(shape)}
            found[field.name] = FieldShape(**values, default=_default(field))
    return types.MappingProxyType(found)


def _default(field: dataclasses.Field) -> Any:
    if field.default_factory is not dataclasses.MISSING:
        return field.default_factory
    if field.default is not dataclasses.MISSING:
        return lambda value=field.default: value
    return None


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
