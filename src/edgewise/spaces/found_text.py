"""Finds the genotypes that a file of the authors' code or one of their logs holds, without reading them."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from edgewise.errors import GenotypeError

# Of one genotype: the longest published one has 700 letters and brackets within brackets three deep.
LONGEST, DEEPEST = 20_000, 12
# A log has one for each epoch of a search.
MOST = 2_000
# How far before a genotype its name or the beginning of its line is looked for.
BEFORE = 400
_LISTED = 12
_BEGIN = re.compile(r"\bGenotype\s*\(|\{\s*['\"]normal['\"]\s*:")
_TOKEN = re.compile(r"""'[^'\n\\]*'|"[^"\n\\]*"|#[^\n]*|[()\[\]{}]""")
# Read from the right: `NAME = `, `NAME: Genotype = `, `NAME = genotypes.`.
_EMAN = re.compile(r"(?:\.\w+)?[ \t]*=[ \t]*(?:epytoneG[ \t]*:[ \t]*)?(\w+)")
_COMMENT = re.compile(r"[ \t]*#")
_ALIAS = re.compile(r"^([A-Za-z_]\w*)[ \t]*=[ \t]*([A-Za-z_]\w*)[ \t\r]*(?:#.*)?$", re.MULTILINE)


@dataclass(frozen=True)
class Found:
    """A genotype's place in a text.

    Args:
        name: the variable that it is assigned to; empty for none.
        line: its line, from 1.
        text: from `Genotype(` or `{` to the closing bracket; to somewhere behind it where that is missing.
    """

    name: str
    line: int
    text: str


def begins(text: str) -> bool:
    """Whether a text begins with a genotype."""
    return _BEGIN.match(text) is not None


def find(text: str) -> list[Found]:
    """The genotypes of a text, in its order, `MOST` and one at most; those in comments are left out."""
    found, at, line, counted = [], 0, 1, 0
    while len(found) <= MOST and (match := _BEGIN.search(text, at)) is not None:
        start = match.start()
        line, counted = line + text.count("\n", counted, start), start
        before = text[max(0, start - BEFORE) : start]
        if _COMMENT.match(before, before.rfind("\n") + 1):
            end = text.find("\n", start)
            at = len(text) if end < 0 else end
            continue
        at = _end(text, start)
        name = _EMAN.match(before[::-1])
        found.append(Found(name[1][::-1] if name else "", line, text[start:at]))
    return found


def choose(text: str, found: Sequence[Found], name: str | None, *, where: str) -> Found:
    """The genotype of a text that is called `name`, or the only one.

    Args:
        text: the text.
        found: what `find` found in it.
        name: a variable of the text, or a line of it; None where it holds one.
        where: the text's name.

    Raises:
        GenotypeError: there are several, or none of that name; lists them.
    """
    if len(found) > MOST:
        raise GenotypeError(f"{where} holds more than {MOST:,} genotypes: give a part of it")
    chosen = found if name is None else _named(text, found, name)
    if len({one.text for one in chosen}) == 1:
        return chosen[-1]
    counts = Counter(one.name for one in found)
    labels = {one: one.name if one.name and counts[one.name] == 1 else f"line {one.line}" for one in found}
    if not chosen:
        raise GenotypeError(f"{where} has no genotype {str(name)[:60]!r}: it has {_listed([*labels.values()])}")
    called = "" if name is None else f" {name[:60]!r}"
    candidates = [labels[one] for one in chosen]
    raise GenotypeError(
        f"{where} holds {len(chosen)} genotypes{called}: {_listed(candidates)}; give one of them, as in "
        f"{where}:{candidates[-1].removeprefix('line ')}"
    )


def _named(text: str, found: Sequence[Found], name: str) -> list[Found]:
    chosen = [one for one in found if name in (one.name, str(one.line))]
    if chosen:
        return chosen
    others = {match[1]: match[2] for match in _ALIAS.finditer(text)}
    target = others.get(name, "")
    return [one for one in found if target and one.name == target]


def _listed(labels: Sequence[str]) -> str:
    if len(labels) <= _LISTED:
        return ", ".join(labels)
    return f"{', '.join(labels[: _LISTED - 2])}, ..., {labels[-1]} ({len(labels)} in all)"


def _end(text: str, start: int) -> int:
    """Where the bracket that opens at `start` is closed; an upper limit if it never is."""
    for depth, end in _brackets(text, start):
        if depth == 0 or depth > DEEPEST:
            return end
    return min(len(text), start + LONGEST)


def _brackets(text: str, start: int) -> Iterator[tuple[int, int]]:
    """After each bracket from `start` on: how many are open, and its place."""
    depth = 0
    for token in _TOKEN.finditer(text, start, start + LONGEST):
        if token[0] in "([{":
            depth += 1
        elif token[0] in ")]}":
            depth -= 1
        else:
            continue
        yield depth, token.end()
