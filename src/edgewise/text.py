"""Text that came from outside, made fit to be shown: nothing that steers a terminal, nothing without an end."""

from __future__ import annotations

import re

LONGEST_WORD = 300
LONGEST_LINE = 2_000
_KEPT = 80

# Control characters, line and paragraph separators, what turns the direction of writing or can't be seen, and
# halves of pairs (bytes of file names that are no UTF-8). Joiners stay: Persian and emoji need them.
_UNFIT = (
    r"\x00-\x09\x0b-\x1f\x7f-\x9f\xad\u061c\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb"
    r"\ud800-\udfff\U000e0000-\U000e007f"
)
_CONTROL = re.compile(f"[{_UNFIT}]")
_CONTROL_OR_NEWLINE = re.compile(rf"[\n{_UNFIT}]")
_LONG_WORD = re.compile(rf"\S{{{LONGEST_WORD + 1},}}")


def printable(text: str) -> str:
    """Some lines of text as they can be printed: control characters escaped, endless words and lines cut."""
    text = _LONG_WORD.sub(lambda word: _cut(word[0]), _CONTROL.sub(_escape, text))
    lines = (line if len(line) <= LONGEST_LINE else _cut(line, LONGEST_LINE - _KEPT) for line in text.split("\n"))
    return "\n".join(lines)


def in_line(text: str) -> str:
    """A name as it can be shown in a line or a table: as `printable`, with newlines escaped too."""
    return printable(_CONTROL_OR_NEWLINE.sub(_escape, text))


def visible(value: object) -> object:
    """A value as a page can hold it: control characters of plain text are escaped, all else stays as it is."""
    return _CONTROL.sub(_escape, value) if type(value) is str else value


def readable(name: str) -> str:
    r"""The name of a file as text that can be stored: bytes that are no UTF-8 are spelt `\xff`."""
    return name.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")


def _cut(text: str, keep: int = _KEPT) -> str:
    return f"{text[:keep]}... ({len(text):,} characters)"


def _escape(found: re.Match[str]) -> str:
    character = found[0]
    if "\udc80" <= character <= "\udcff":  # Python's sign for a byte of a file name that is no UTF-8
        return f"\\x{ord(character) - 0xDC00:02x}"
    return character.encode("unicode_escape").decode()
