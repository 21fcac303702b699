"""Small changes to bytes and texts, drawn by a generator."""

from __future__ import annotations

import random
import re

NUMBERS = (
    *("0", "-1", "-0", "1.5", "1e400", "nan", "true", '"none"', "1" * 9),
    *("9" * 20, "9" * 5_000, "0x" + "F" * 2_000),
)
WORDS = (
    *("\x1b[2J", "\u202e", "\udcff", "\x00", "\n", "'", '"', "=", "../..", "%s"),
    *("[" * 300, "{a=" * 300, "x" * 10_000),
)


def damage_bytes(content: bytes, rng: random.Random) -> bytes:
    """Flips, cuts, repeats, blanks or replaces some of the bytes."""
    found = bytearray(content)
    for _ in range(rng.choice((1, 1, 2, 5, 20))):
        at, length = rng.randrange(len(found) + 1), rng.choice((1, 2, 4, 16, 256))
        kind = rng.randrange(6)
        if kind == 0 and found:
            found[at % len(found)] ^= 1 << rng.randrange(8)
        elif kind == 1:
            del found[at:]
        elif kind == 2:
            found[at:at] = rng.randbytes(length)
        elif kind == 3:
            found[at : at + length] = rng.choice((b"\0", b"\xff")) * length
        elif kind == 4:
            found[at : at + length] = found[:length]
        else:
            found[at : at + length] = b""
    return bytes(found)


def damage_text(text: str, rng: random.Random) -> str:
    """Replaces numbers and words, swaps, repeats and drops lines, puts odd characters in."""
    for _ in range(rng.choice((1, 1, 2, 4))):
        kind = rng.randrange(6)
        lines = text.splitlines(keepends=True) or [""]
        at = rng.randrange(len(lines))
        if kind == 0:
            text = _replace_one(r"-?\d+(\.\d+)?", rng.choice(NUMBERS), text, rng)
        elif kind == 1:
            text = _replace_one(r"[A-Za-z_]\w*", rng.choice((*WORDS, *NUMBERS, "none", "epochs")), text, rng)
        elif kind == 2:
            place = rng.randrange(len(text) + 1)
            text = text[:place] + rng.choice((*WORDS, *NUMBERS)) + text[place:]
        elif kind == 3:
            text = "".join(lines[:at] + lines[at + 1 :])
        elif kind == 4:
            text = "".join([*lines[:at], lines[at], *lines[at:]])
        else:
            text = text[: rng.randrange(len(text) + 1)]
    return text


def _replace_one(pattern: str, new: str, text: str, rng: random.Random) -> str:
    found = list(re.finditer(pattern, text))
    if not found:
        return text
    place = rng.choice(found)
    return text[: place.start()] + new + text[place.end() :]
