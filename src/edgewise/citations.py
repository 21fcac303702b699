"""Where methods come from: the papers to cite, read from citations.bib."""

from __future__ import annotations

import re
from dataclasses import dataclass
from importlib.resources import files

from edgewise.errors import ConfigError


@dataclass(frozen=True)
class Citation:
    """A source, as people cite it.

    Args:
        key: its name in edgewise, such as "pc-darts".
        bibtex: its BibTeX entry.
        note: what edgewise takes from it.
    """

    key: str
    bibtex: str
    note: str


def read_citations(text: str) -> dict[str, Citation]:
    """Citations by their names, from BibTeX entries that are parted by blank lines, each below `% name: note`.

    Args:
        text: of a .bib file.

    Raises:
        ValueError: there is an entry without its comment, or a name stands twice.
    """
    found: dict[str, Citation] = {}
    for part in re.split(r"\n{2,}", text.strip()):
        entry = re.fullmatch(r"% (?P<key>[\w.-]+): (?P<note>[^\n]+)\n(?P<bibtex>@.+)", part, re.DOTALL)
        if entry is not None and entry["key"] not in found:
            found[entry["key"]] = Citation(entry["key"], entry["bibtex"], entry["note"])
        elif "@" in part:
            raise ValueError(f"an entry needs `% name: note` above it, with a name of its own: {part[:60]!r}")
    return found


CITATIONS: dict[str, Citation] = read_citations(files("edgewise").joinpath("citations.bib").read_text("utf-8"))
"""Every citation by its name."""


def register_citations(text: str) -> None:
    """Adds citations that parts, spaces and the like from outside name.

    Args:
        text: of a .bib file, see `read_citations`.

    Raises:
        ConfigError: an entry has no name, or a name has another entry already.
    """
    try:
        found = read_citations(text)
    except ValueError as error:
        raise ConfigError(f"citations: {error}") from error
    for key, citation in found.items():
        if CITATIONS.setdefault(key, citation) != citation:
            raise ConfigError(f"citations: there is an entry {key!r} already: choose another name")
