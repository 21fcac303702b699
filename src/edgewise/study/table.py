"""A table of texts and numbers, and how it is written: CSV and LaTeX."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from edgewise.text import in_line


@dataclass(frozen=True)
class Entry:
    """An entry of a table.

    Args:
        text: as people read it.
        value: what it is sorted by; None for a text.
        link: where it leads, relative to the study's folder.
    """

    text: str
    value: float | None = None
    link: str = ""


NONE = Entry("-")


@dataclass(frozen=True)
class Table:
    """A table.

    Args:
        key: its name in files.
        title: its heading.
        heads: of the columns.
        rows: as many entries as there are heads in each.
        notes: what has to be said about it.
    """

    key: str
    title: str
    heads: Sequence[str]
    rows: Sequence[Sequence[Entry]]
    notes: Sequence[str] = field(default=())

    def texts(self) -> list[list[str]]:
        """The rows as people read them."""
        return [[entry.text for entry in row] for row in self.rows]

    def to_latex(self) -> str:
        """The table for LaTeX; it needs the package booktabs."""
        columns = "l" + "r" * (len(self.heads) - 1)
        lines = [
            r"\begin{table}",
            r"\centering",
            f"\\caption{{{latex(' '.join([self.title + '.', *self.notes]))}}}",
            f"\\label{{tab:{self.key}}}",
            f"\\begin{{tabular}}{{{columns}}}",
            r"\toprule",
            " & ".join(map(latex, self.heads)) + r" \\",
            r"\midrule",
            *(" & ".join(map(latex, row)) + r" \\" for row in self.texts()),
            r"\bottomrule",
            r"\end{tabular}",
            r"\end{table}",
        ]
        return "\n".join(lines) + "\n"


def number(value: float | None, digits: int = 2) -> Entry:
    """A number with so many decimals; a dash for None."""
    return NONE if value is None else Entry(f"{value:.{digits}f}", value)


_LATEX = {
    **{character: f"\\{character}" for character in "&%$#_{}"},
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "±": r"$\pm$",
    "<": r"$<$",
    ">": r"$>$",
}


def latex(text: str) -> str:
    """A text with LaTeX's own characters spelt out."""
    return "".join(_LATEX.get(character, character) for character in in_line(text))


def _csv_entry(value: object) -> object:
    if not isinstance(value, str):
        return "" if value is None else value
    text = in_line(value)
    return f"'{text}" if re.match(r"\s*[=+@-].", text) else text


def to_csv(heads: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """Rows as CSV (RFC 4180); None is an empty entry, numbers keep all their digits.

    A text that a spreadsheet would take for a formula gets an apostrophe before it.
    """
    buffer = io.StringIO()
    writer = csv.writer(buffer)
    writer.writerow(heads)
    writer.writerows([[_csv_entry(value) for value in row] for row in rows])
    return buffer.getvalue()
