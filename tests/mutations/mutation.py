"""What a planted mistake is."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Mutation:
    """A mistake.

    Args:
        name: what is wrong.
        file: below the package's folder.
        edits: texts to find, each of which stands exactly once in the file, and what replaces them.
        guard: the test, or the tests, of which at least one must fail.
    """

    name: str
    file: str
    edits: tuple[tuple[str, str], ...]
    guard: str


def plant(name: str, file: str, find: str, replacement: str, guard: str) -> Mutation:
    """A mistake of one edit."""
    return Mutation(name, file, ((find, replacement),), guard)
