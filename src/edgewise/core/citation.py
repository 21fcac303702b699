"""A source, as people cite it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Citation:
    """A source.

    Args:
        key: its name in edgewise, such as "pc-darts".
        bibtex: its BibTeX entry.
        note: what edgewise takes from it.
    """

    key: str
    bibtex: str
    note: str
