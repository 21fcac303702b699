"""The words that name the parts of a set, in folders, files and on the hub alike."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from typing import Literal

from edgewise.errors import DataError

Role = Literal["train", "test", "validation"]

_WORDS: dict[str, Role] = {
    **dict.fromkeys(("train", "training", "trainset", "trainval"), "train"),
    **dict.fromkeys(("test", "testing", "testset"), "test"),
    **dict.fromkeys(("validation", "valid", "val", "valset", "dev", "devset", "eval", "evaluation"), "validation"),
}
# trainImages and IMGTrain are two words each; "train2017" and "my-train" are cut at what is no letter.
_CAMEL = re.compile(r"(?<=[^\W\d_A-Z])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")
_NO_LETTERS = re.compile(r"[\W\d_]+")


def word_of(name: str) -> str | None:
    """The first word of a name that names a part, in lower case; "train" for "Train_2017", None for "trainer"."""
    words = (word.lower() for word in _NO_LETTERS.split(_CAMEL.sub(" ", name)))
    return next((word for word in words if word in _WORDS), None)


def role_of(name: str) -> Role | None:
    """The part that a name names, if any."""
    word = word_of(name)
    return None if word is None else _WORDS[word]


def is_plain(name: str) -> bool:
    """Whether the name is such a word and nothing more."""
    return name.lower() in _WORDS


def choose_train(names: Iterable[str], source: object) -> str | None:
    """The one of these names that is the training part, if any.

    Args:
        names: of folders or parts.
        source: what holds them, for messages.

    Raises:
        DataError: two could be it.
    """
    return _the_one([name for name in names if role_of(name) == "train"], "training", source)


def choose_test(names: Collection[str], source: object) -> tuple[str | None, list[str]]:
    """Which part serves as the test set, and what the user should know about it.

    Args:
        names: of folders or parts.
        source: what holds them, for messages.

    Raises:
        DataError: two could be it.
    """
    tests = [name for name in names if role_of(name) == "test"]
    validations = [name for name in names if role_of(name) == "validation"]
    chosen = _the_one(tests or validations, "test", source)
    if chosen is None:
        return None, []
    notes = [] if tests else [f"there is no part named test: {chosen.lower()} serves as the test set"]
    unused = [name for name in (*tests, *validations) if name != chosen]
    if unused:
        notes.append(f"the part {', '.join(unused)} is not used")
    return chosen, notes


def _the_one(names: list[str], part: str, source: object) -> str | None:
    """The only name, or the only one that is a word alone: train beside train_small."""
    for found in (names, [name for name in names if is_plain(name)]):
        if len(found) <= 1 and (found or not names):
            return found[0] if found else None
    raise DataError(
        f"{source}: {' and '.join(sorted(names))} could each be the {part} part: keep one, and rename the others "
        f"or move them away"
    )
