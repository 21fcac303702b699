"""Parts of a recipe: what every one of them can be asked, and the table of all of them.

A part is a frozen dataclass with a `kind` of its own. It derives from the classes whose questions it answers (here
and in `roles.py`): a search asks each part that is there, and knows none of them by name.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import ClassVar, Protocol, TypeVar

from edgewise.config.schema import PartFamily, PartTable, kinds_of, own_kind
from edgewise.errors import ConfigError
from edgewise.methods.settings import ArchSettings, SearchSettings, TrainSettings, WeightsSettings
from edgewise.registry import Registry

P = TypeVar("P")
C = TypeVar("C", bound="type[Part]")


class Combination(Protocol):
    """What a part may look at to say whether it goes with the others: the recipe that it is in."""

    @property
    def space(self) -> str:
        """The name of the space."""
        ...

    @property
    def search(self) -> SearchSettings:
        """The size of the search."""
        ...

    @property
    def weights(self) -> WeightsSettings:
        """The optimiser of the weights."""
        ...

    @property
    def arch(self) -> ArchSettings:
        """The optimiser of alpha and beta."""
        ...

    @property
    def train(self) -> TrainSettings:
        """The training of the derived network."""
        ...

    def parts_of(self, role: type[P]) -> tuple[P, ...]:
        """The parts that derive from a class."""
        ...


class Part(PartFamily):
    """A piece of a method. What a class does not override says that there is nothing to say."""

    sources: ClassVar[tuple[str, ...]] = ()
    """Citation keys of what the part comes from."""

    def citations(self) -> tuple[str, ...]:
        """Citation keys of what its use takes from others."""
        return self.sources

    def refusals(self, recipe: Combination) -> Sequence[str]:
        """Why the part does not go with the others, a sentence each: which two, why, and what to drop."""
        del recipe
        return ()

    @classmethod
    def registered(cls) -> tuple[type, ...]:
        """All registered parts that derive from this class."""
        return tuple(part for part in PARTS.values() if issubclass(part, cls))


class AddedPart(Part):
    """A part that comes on top: any number of them, of different kinds, stand in a recipe's `parts`."""

    setting: ClassVar[str] = ""
    """The recipe's setting that it stands in instead of `parts`, where it has one of its own."""


def setting_of(part: AddedPart) -> str:
    """The dotted name that `--set` gives a part: "noise", "parts.beta_decay"."""
    return part.setting or f"parts.{kinds_of(type(part))[0]}"


PARTS: Registry[type[Part]] = Registry("part")
"""Every part by its kind: settings, help, refusals and citations read it."""


def register_part(part: C) -> C:
    """Adds a part to those that recipes, files and `--set` can name; returns it, so that it decorates a class.

    Args:
        part: a frozen dataclass with a field `kind: Literal["..."] = "..."`.

    Raises:
        ConfigError: it is no such class, or its kind is taken.
    """
    PARTS.register(own_kind(part, Part), part)
    return part


class Parts(PartTable):
    """The added parts of a recipe, one of a kind; each is an attribute, None where it is absent.

    Args:
        parts: in the order in which a search asks them.
        by_kind: the same by their kinds; None for an absent one.

    Raises:
        ConfigError: two are of one kind, or one of them belongs elsewhere.
    """

    def __init__(self, *parts: AddedPart, **by_kind: AddedPart | None) -> None:
        self._parts: dict[str, AddedPart] = {}
        for part in [*parts, *(part for part in by_kind.values() if part is not None)]:
            kind = kinds_of(type(part))[0]
            if type(part) not in self.registered():
                where = getattr(part, "setting", "")
                way = f"give it as {where}" if where else "register it (edgewise.methods.register_part)"
                raise ConfigError(f"parts.{kind} is no part that comes on top: {way}")
            if kind in self._parts:
                raise ConfigError(f"parts.{kind} stands there twice: give one of a kind")
            self._parts[kind] = part

    def __getattr__(self, kind: str) -> AddedPart | None:
        if kind.startswith("_"):
            raise AttributeError(kind)
        return self._parts.get(kind)

    def __iter__(self) -> Iterator[AddedPart]:
        return iter(self._parts.values())

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Parts) and self._parts == other._parts

    def __hash__(self) -> int:
        return hash(tuple(self._parts.items()))

    def __repr__(self) -> str:
        return f"Parts({', '.join(repr(part) for part in self)})"

    @classmethod
    def registered(cls) -> tuple[type, ...]:
        """All registered parts that may come on top."""
        return tuple(part for part in PARTS.values() if issubclass(part, AddedPart) and not part.setting)
