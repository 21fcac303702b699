"""Tables that grow: what edgewise knows by name, its own things and those of packages outside."""

from __future__ import annotations

import re
from typing import Any, ClassVar, TypeVar

from edgewise.errors import ConfigError

T = TypeVar("T")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")


class Registry(dict[str, T]):
    """Things of one kind by their names, in the order in which they were registered.

    Args:
        kind: what they are, in the singular: "recipe".
        hint: what an error says after the names that there are.
    """

    tables: ClassVar[list[Registry[Any]]] = []
    """Every table that there is."""

    def __init__(self, kind: str, hint: str = "") -> None:
        super().__init__()
        self.tables.append(self)
        self.kind = kind
        self._hint = hint

    def register(self, name: str, item: T) -> T:
        """Adds a thing; returns it. The same thing may be registered under its name again.

        Args:
            name: letters, digits, `-`, `_` and `.`, so that it can be given on a command line.
            item: the thing.

        Raises:
            ConfigError: the name can't be given on a command line, or something else has it already.
        """
        if not _NAME.fullmatch(name):
            raise ConfigError(
                f"{self.kind} {name!r}: a name consists of letters, digits, '-', '_' and '.', and begins with a "
                "letter or a digit: choose another one"
            )
        if name in self and self[name] != item:
            raise ConfigError(f"{self.kind} {name!r}: there is one of that name already: choose another one")
        self[name] = item
        return item

    def find(self, name: str) -> T:
        """The thing of that name.

        Raises:
            ConfigError: there is none; says which there are.
        """
        if name not in self:
            raise ConfigError(f"unknown {self.kind} {name!r}: choose one of {', '.join(self)}{self._hint}")
        return self[name]
