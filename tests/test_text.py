"""Text from outside: nothing in it steers a terminal, and nothing is without an end."""

from __future__ import annotations

import os
import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgewise.errors import ConfigError
from edgewise.text import LONGEST_LINE, LONGEST_WORD, in_line, printable, readable, visible


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("\x1b[31mred", "\\x1b[31mred"),
        ("a\tb\r", "a\\tb\\r"),
        ("abc\u202edcb", "abc\\u202edcb"),
        ("a\u2028b\u2066c", "a\\u2028b\\u2066c"),
        (os.fsdecode(b"a\xff"), "a\\xff"),
        ("\ud800", "\\ud800"),
        ("\x9b2J", "\\x9b2J"),
        ("two\nlines", "two\nlines"),
        ("grün 猫 👩‍🔬 می‌خواهم", "grün 猫 👩‍🔬 می‌خواهم"),
    ],
)
def test_control_characters_are_escaped_and_all_else_stays(text: str, shown: str) -> None:
    assert printable(text) == shown
    assert visible(text) == shown


def test_a_name_in_a_line_has_no_newline() -> None:
    assert in_line("a\nb") == "a\\nb"


def test_an_endless_word_keeps_its_start_and_says_its_length() -> None:
    assert printable(f"name '{'x' * 10_000}' is unknown") == f"name '{'x' * 79}... (10,002 characters) is unknown"
    assert printable("x" * LONGEST_WORD) == "x" * LONGEST_WORD


def test_an_endless_line_is_cut_and_the_next_is_not() -> None:
    first, second = printable("a b " * 5_000 + "\nsecond").split("\n")
    assert first.endswith("... (20,000 characters)")
    assert len(first) < LONGEST_LINE
    assert second == "second"


@given(st.text())
def test_what_is_printable_stays_as_it_is(text: str) -> None:
    once = printable(text)
    assert printable(once) == once
    once.encode()


def test_bytes_that_are_no_text_can_be_stored() -> None:
    assert readable(os.fsdecode(b"x\xfey")) == "x\\xfey"
    assert readable("grün") == "grün"


def test_an_error_escapes_and_cuts_what_it_names() -> None:
    error = ConfigError(f"no recipe {'y' * 10_000} \x1b[2J")
    assert "\x1b" not in str(error)
    assert len(str(error)) < 200
    assert str(pickle.loads(pickle.dumps(error))) == str(error)
