"""Type annotations that settings can't hold are refused when they are read, not when a user meets them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import pytest

from edgewise.config.schema import fields_of, known_paths, nearest, shape_of, shown


@dataclass(frozen=True)
class One:
    kind: Literal["one"] = "one"
    a: int = 1


@dataclass(frozen=True)
class Two:
    kind: Literal["two"] = "two"
    b: int | None = None


@dataclass(frozen=True)
class Nameless:
    c: int = 1


@dataclass(frozen=True)
class Both:
    part: One | Two | None = None
    many: tuple[One, ...] = ()


def test_a_union_of_parts_without_kinds_is_refused() -> None:
    with pytest.raises(TypeError, match="own `kind"):
        shape_of(One | Nameless)
    with pytest.raises(TypeError, match="own `kind"):
        shape_of(One | One.__class__("Copy", (One,), {}))


def test_a_union_of_a_part_and_a_plain_value_is_refused() -> None:
    with pytest.raises(TypeError, match="plain values too"):
        shape_of(One | int)


def test_an_optional_plain_union_stays_plain() -> None:
    shape = shape_of(int | str | None)
    assert shape.optional
    assert shape.parts == ()


def test_paths_go_into_every_part_of_a_union_but_not_into_arrays() -> None:
    assert known_paths(Both) == ("part", "part.kind", "part.a", "part.b", "many")
    assert fields_of(Both)["many"].container is tuple


def test_a_hint_names_the_nearest_whatever_the_case() -> None:
    assert nearest("EPOCH", ["epochs", "lr"]) == "nearest: epochs; allowed: epochs, lr"
    assert nearest("zzz", ["epochs", "lr"]) == "allowed: epochs, lr"


def test_values_are_shown_in_toml_spelling_and_shortened() -> None:
    assert (shown(True), shown(None), shown(1.5), shown("x")) == ("true", "none", "1.5", "'x'")
    assert len(shown("x" * 500)) == 80


@pytest.mark.parametrize("value", [10**5000, [1, 10**5000], {"a": [10**5000]}], ids=["alone", "list", "table"])
def test_a_number_of_thousands_of_digits_is_shown_by_its_kind_wherever_it_stands(value: object) -> None:
    assert len(shown(value)) <= 80
    assert "whole number" in shown(value)
