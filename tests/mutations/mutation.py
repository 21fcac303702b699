"""What a planted mistake is, and the code that it changes."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import edgewise

PACKAGE = Path(edgewise.__file__ or "").parent
Definition = ast.FunctionDef | ast.ClassDef


@dataclass(frozen=True)
class Edit:
    """A change to one function, wherever in the package it lives.

    Args:
        function: its qualified name, `BilevelSearch.arch_step`; `arch:select` where several modules have a
            `select`; also a class, a constant of a module, and a C++ header by the name of its file.
        find: text that stands exactly once in it.
        replacement: what replaces it.
    """

    function: str
    find: str
    replacement: str


@dataclass(frozen=True)
class Mutation:
    """A mistake.

    Args:
        name: what is wrong.
        edits: the functions that are changed.
        guard: the test, or the tests, of which at least one must fail.
    """

    name: str
    edits: tuple[Edit, ...]
    guard: str


@dataclass(frozen=True)
class Found:
    """Where a function stands: file, and its first and last line, from 0, the last one excluded."""

    file: Path
    first: int
    last: int


def plant(name: str, function: str, find: str, replacement: str, guard: str) -> Mutation:
    """A mistake in one function."""
    return Mutation(name, (Edit(function, find, replacement),), guard)


def find_function(function: str) -> Found:
    """Finds what an edit changes.

    Raises:
        LookupError: There is none of that name in the package, or there are several.
    """
    module, _, name = function.rpartition(":")
    if name.endswith(".h"):
        found = [Found(path, 0, len(path.read_text().splitlines())) for path in PACKAGE.rglob(name)]
    else:
        tail = tuple(filter(None, module.split(".")))
        found = [
            Found(path, *lines)
            for path, text in _sources().items()
            if name.rpartition(".")[2] in text
            and path.with_suffix("").parts[len(path.parts) - len(tail) :] == tail
            for lines in _definitions(path).get(name, [])
        ]
    if len(found) != 1:
        places = ", ".join(str(one.file.relative_to(PACKAGE)) for one in found) or "nowhere"
        raise LookupError(
            f"{function}: found in {places}; name a function that is there, and its module if need be"
        )
    return found[0]


def edited(text: str, edits: list[tuple[Found, Edit]]) -> str:
    """The text of a file with its edits.

    Raises:
        ValueError: A text to find does not stand exactly once in its function.
    """
    lines = text.splitlines(keepends=True)
    # From the bottom up: what an edit adds moves no other function.
    for found in sorted({one for one, _ in edits}, key=lambda one: one.first, reverse=True):
        body = "".join(lines[found.first : found.last])
        for edit in (edit for one, edit in edits if one == found):
            if body.count(edit.find) != 1:
                raise ValueError(f"{edit.function}: {edit.find!r} stands {body.count(edit.find)} times, not once")
            body = body.replace(edit.find, edit.replacement)
        lines[found.first : found.last] = [body]
    return "".join(lines)


def changed_files(mutation: Mutation) -> dict[Path, str]:
    """The files that a mistake changes, with their text then.

    Raises:
        LookupError: see `find_function`.
        ValueError: see `edited`.
    """
    by_file: dict[Path, list[tuple[Found, Edit]]] = {}
    for edit in mutation.edits:
        found = find_function(edit.function)
        by_file.setdefault(found.file, []).append((found, edit))
    return {file: edited(file.read_text(encoding="utf-8"), edits) for file, edits in by_file.items()}


@cache
def _sources() -> dict[Path, str]:
    return {path: path.read_text(encoding="utf-8") for path in sorted(PACKAGE.rglob("*.py"))}


@cache
def _definitions(path: Path) -> dict[str, list[tuple[int, int]]]:
    """The first and last line of each function, class and constant of a file, by its qualified name."""
    found: dict[str, list[tuple[int, int]]] = {}
    for name, node in _named(ast.parse(_sources()[path])):
        above = [one.lineno for one in node.decorator_list] if isinstance(node, Definition) else []
        assert node.end_lineno is not None
        found.setdefault(name, []).append((min([node.lineno, *above]) - 1, node.end_lineno))
    return found


def _named(node: ast.AST, prefix: str = "") -> Iterator[tuple[str, ast.stmt]]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, Definition):
            yield prefix + child.name, child
            yield from _named(child, f"{prefix}{child.name}.")
        elif isinstance(child, ast.Assign) and isinstance(node, ast.Module):
            yield from ((target.id, child) for target in child.targets if isinstance(target, ast.Name))
        elif isinstance(child, ast.If | ast.Try | ast.With):
            yield from _named(child, prefix)
