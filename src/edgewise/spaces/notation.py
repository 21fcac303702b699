"""Genotypes as texts: edgewise's JSON, DARTS' `Genotype(...)`, NAS-Bench-201's `|op~0|+...|`; by one reader."""

from __future__ import annotations

import os.path
import re
from pathlib import Path

from edgewise.errors import GenotypeError
from edgewise.plugins import require_plugins_of
from edgewise.spaces import darts_text, found_text, nb201
from edgewise.spaces.genotype import Genotype
from edgewise.spaces.published import PUBLISHED

FORMATS = ("json", "darts", "nb201")
FILE = "genotype.json"
# The authors' logs of a whole search are smaller.
LARGEST = 8 * 2**20
KNOWN = "edgewise's JSON, a text `Genotype(...)` of DARTS' form, or NAS-Bench-201's string `|op~0|+...`"
_GIVEN = "the text"
_STRING = re.compile(r"\|[^\s|+~]+~[^\s'\",)\]]*\|")


def read_genotype(given: Genotype | Path | str) -> Genotype:
    """Reads a genotype, however it is given.

    Args:
        given: a genotype; a file with any of its notations, `FILE:NAME` where the file holds several; a run
            folder; a published genotype's name; or the text itself.

    Raises:
        GenotypeError: it is none of them, or not valid.
        RunError: it lies in a run folder that needs a plug-in which is not loaded.
    """
    if isinstance(given, Genotype):
        return given
    text = str(given)
    if _is_text(text):
        return genotype_from_text(text, where=_GIVEN)
    path, name = _file_of(text)
    if path is not None:
        require_plugins_of(path.parent)
        return genotype_from_file(path, name)
    if text in PUBLISHED:
        return PUBLISHED[text]
    if Path(text).suffix or os.sep in text:
        raise GenotypeError(
            f"{_plain(text, 200)} can't be read as a genotype: there is no such file or run folder"
        )
    raise GenotypeError(
        f"unknown genotype {text[:60]!r}: give a file, a run folder, {KNOWN}, or a published one: "
        f"{', '.join(PUBLISHED)}"
    )


def name_genotype(given: Genotype | Path | str) -> str:
    """What tables call a genotype that was given so, in at most 60 letters; empty where nothing is known."""
    if isinstance(given, Genotype):
        name = given.source or ""
    elif _is_text(str(given)):
        name = str(given)
    else:
        name = os.sep.join(Path(given).parts[-2:])
    return _plain(name, 60)


def genotype_from_file(path: Path, name: str | None = None) -> Genotype:
    """Reads a file that holds a genotype in any notation.

    Args:
        path: the file.
        name: which of its genotypes, where it holds several: a variable's name or a line.

    Raises:
        GenotypeError: it can't be read, or holds no valid genotype, or several.
    """
    try:
        with path.open(encoding="utf-8-sig") as file:
            text = file.read(LARGEST + 1)
    except (OSError, ValueError) as error:
        raise GenotypeError(f"{path} can't be read as a genotype: {error}") from None
    return genotype_from_text(text, where=str(path), name=name)


def genotype_from_text(
    text: str, *, where: str = "genotype", name: str | None = None, space: str | None = None
) -> Genotype:
    """Reads a genotype in any notation; nothing in the text is run.

    Args:
        text: the text; there may be something else around `Genotype(...)`.
        where: a name for the text in messages, such as the file's.
        name: which of its genotypes, where it holds several: a variable's name or a line.
        space: the space of DARTS' text, which does not name it; if None the first that it fits.

    Raises:
        GenotypeError: there is no valid genotype, or there are several; every fault is named.
    """
    if len(text) > LARGEST:
        raise GenotypeError(f"{where} has more than {LARGEST:,} letters: give the genotype alone")
    bare = text.strip().strip("'\"").strip()
    # A dictionary that begins with the cells is GDAS'; JSON has its format and space before them.
    json = bare.startswith("{") and not found_text.begins(bare)
    if not json and (several := found_text.find(text)):
        found = found_text.choose(text, several, name, where=where)
        place = f"{where}, line {found.line}" if found.line > 1 else where
        source = " of ".join(part for part in (found.name, place) if part)
        return darts_text.from_text(found.text, where=place, space=space, source=source)
    if name is not None:
        raise GenotypeError(f"{where} has no genotype {name[:60]!r}: it names none")
    if json:
        return Genotype.from_json(bare, where=where)
    strings = [bare] if bare.startswith("|") and "\n" not in bare else sorted(set(_STRING.findall(text)))
    if len(strings) > 1:
        raise GenotypeError(f"{where} holds {len(strings)} different strings of NAS-Bench-201: give one of them")
    if strings:
        try:
            return nb201.from_string(strings[0])
        except GenotypeError as error:
            raise GenotypeError(f"{where}: {error}") from None
    start = bare[:60]
    raise GenotypeError(f"{where} holds no genotype: expected {KNOWN}; it begins with {start!r}")


def write_genotype(genotype: Genotype, form: str) -> str:
    """A genotype as a text that ends with a line break.

    Args:
        genotype: valid.
        form: one of `FORMATS`.

    Raises:
        GenotypeError: the notation has no words for cells of its space.
    """
    if form == "json":
        return genotype.to_json()
    if form not in FORMATS:
        raise GenotypeError(f"unknown format {form[:60]!r}: choose one of {', '.join(FORMATS)}")
    return (darts_text.to_text(genotype) if form == "darts" else nb201.to_string(genotype)) + "\n"


def _plain(text: str, most: int) -> str:
    """A text on one line without letters that can't be printed, cut to a length."""
    line = " ".join("".join(letter if letter.isprintable() else " " for letter in text[: most + 1]).split())
    return line if len(line) <= most else f"{line[: most - 3]}..."


def _is_text(given: str) -> bool:
    """Whether an argument is a genotype's text, and not a name."""
    return given.lstrip(" \t\r\n'\"").startswith(("|", "{")) or re.search(r"\bGenotype\s*\(", given) is not None


def _file_of(given: str) -> tuple[Path | None, str | None]:
    """The file that an argument means, and the name behind its colon."""
    if os.path.isdir(given):
        return Path(given) / FILE, None
    if os.path.isfile(given):
        return Path(given), None
    head, _, name = given.rpartition(":")
    return (Path(head), name) if head and os.path.isfile(head) else (None, None)
