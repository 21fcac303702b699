"""`--set a.b=v` follows the rules of the files, and says what is wrong with a text that does not."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated, Any, Literal

import pytest
from annotated_types import Gt
from hypothesis import given
from hypothesis import strategies as st

from edgewise.config.build import build, dump
from edgewise.config.overrides import apply_sets
from edgewise.errors import ConfigError


@dataclass(frozen=True)
class Softmax:
    kind: Literal["softmax"] = "softmax"
    temperature: Annotated[float, Gt(0)] = 1.0


@dataclass(frozen=True)
class GumbelHard:
    kind: Literal["gumbel_hard"] = "gumbel_hard"
    start: float = 10.0
    end: float = 0.1


@dataclass(frozen=True)
class Projection:
    direction: Literal["in", "out"] = "in"
    order: Literal["random", "symmetric"] = "symmetric"


@dataclass(frozen=True)
class Inner:
    size: int = 3
    relaxation: Softmax | GumbelHard = field(default_factory=Softmax)


@dataclass(frozen=True)
class Recipe:
    epochs: int = 50
    lr: float = 0.1
    flip: bool = True
    sizes: tuple[int, ...] = (1,)
    name: str = "x"
    label: str | None = None
    relaxation: Softmax | GumbelHard = field(default_factory=lambda: GumbelHard(start=5.0))
    projection: Projection | None = None
    extra: Softmax | GumbelHard | None = None
    inner: Inner = field(default_factory=Inner)


def after(*sets: str, data: dict[str, Any] | None = None) -> Recipe:
    return build(Recipe, apply_sets(data or {}, Recipe, sets))


def refused(*sets: str, data: dict[str, Any] | None = None) -> str:
    with pytest.raises(ConfigError) as error:
        apply_sets(data or {}, Recipe, sets)
    return str(error.value)


def test_values_get_the_type_of_their_setting() -> None:
    made = after("epochs=3", "lr=1", "flip=false", "sizes=[2, 3]", "name=3", " inner.size = 1_000 ")
    assert made == Recipe(epochs=3, lr=1.0, flip=False, sizes=(2, 3), name="3", inner=Inner(size=1000))


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("label=pets", "pets"),
        ('label="a b"', "a b"),
        ("label=2024-01-01", "2024-01-01"),
        ("label=a=b", "a=b"),
        ("label=true", "true"),
        ("label=", ""),
        ("label=1\nepochs = 3", "1\nepochs = 3"),
        ("label=none", None),
    ],
)
def test_what_is_no_toml_value_or_does_not_fit_is_text(text: str, value: str | None) -> None:
    assert after(text) == Recipe(label=value)


def test_the_last_of_two_sets_wins_and_the_table_given_is_left_alone() -> None:
    data = {"inner": {"size": 1}, "sizes": [1]}
    changed = apply_sets(data, Recipe, ["inner.size=2", "inner.size=4"])
    assert changed == {"inner": {"size": 4}, "sizes": [1]}
    changed["sizes"].append(2)
    assert data == {"inner": {"size": 1}, "sizes": [1]}


def test_an_optional_part_is_removed_and_made_from_its_defaults() -> None:
    there = dump(Recipe(projection=Projection("out", "random")))
    assert after("projection=none", data=there).projection is None
    assert after("projection.order=random", data=dump(Recipe())).projection == Projection("in", "random")
    assert after("projection.order=random").projection == Projection("in", "random")
    assert after("projection.direction=in", data=there).projection == Projection("in", "random")


def test_an_inline_table_sets_a_whole_part() -> None:
    assert after('projection={direction="out"}').projection == Projection("out")


def test_a_kind_switches_to_that_parts_defaults() -> None:
    there = dump(Recipe(relaxation=GumbelHard(start=7.0)))
    assert after("relaxation.kind=softmax", data=there).relaxation == Softmax()
    assert after('relaxation.kind="softmax"', "relaxation.temperature=3", data=there).relaxation == Softmax(
        temperature=3.0
    )
    assert after("inner.relaxation.kind=gumbel_hard").inner == Inner(relaxation=GumbelHard())


def test_the_kind_that_is_there_already_changes_nothing() -> None:
    there = dump(Recipe(relaxation=GumbelHard(start=7.0)))
    assert after("relaxation.kind=gumbel_hard", data=there).relaxation == GumbelHard(start=7.0)
    assert after("relaxation.kind=gumbel_hard").relaxation == GumbelHard(start=5.0)


def test_paths_are_checked_against_the_part_that_is_there() -> None:
    text = refused("relaxation.temperature=2")
    assert "relaxation.temperature is an unknown setting at 'temperature'; allowed: kind, start, end" in text
    assert after("relaxation.kind=softmax", "relaxation.temperature=2").relaxation == Softmax(temperature=2.0)


def test_an_absent_union_asks_for_its_kind_first() -> None:
    assert "set extra.kind first; allowed: softmax, gumbel_hard" in refused("extra.start=1")
    assert after("extra.kind=gumbel_hard", "extra.start=1").extra == GumbelHard(start=1.0)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("epochs", "--set epochs: has no '='; write a setting and its value"),
        ("=3", "--set =3: the name before '=' has an empty part"),
        ("inner..size=3", "has an empty part"),
        ("epoch=3", "epoch is an unknown setting; nearest: epochs; allowed: epochs, lr"),
        ("inner.sise=3", "inner.sise is an unknown setting at 'sise'; nearest: size"),
        ("iner.size=3", "iner.size is an unknown setting at 'iner'; nearest: inner; "),
        ("order=random", "elsewhere: projection.order"),
        ("epochs.x=3", "epochs is no part with settings of its own: write --set epochs=value"),
        ("epochs=2.5", "epochs: must be a valid integer (value found: 2.5)"),
        ("epochs=1\nlr = 2", "epochs: must be a valid integer (value found: '1\\nlr = 2')"),
        ("epochs=none", "epochs: must be a valid integer (value found: 'none')"),
        ("epochs=true", "epochs: must be a valid integer (value found: true)"),
        ("lr=nan", "lr: must be a finite number (value found: nan)"),
        ("flip=True", "flip: must be a boolean, true or false (value found: 'True')"),
        (
            "projection.order=randm",
            "projection.order: is none of the choices (value found: 'randm'); nearest: random",
        ),
        ("relaxation.kind=sofmax", "relaxation.kind: unknown part (value found: 'sofmax'); nearest: softmax"),
        ("relaxation=softmax", "relaxation is a part: write --set relaxation.kind=softmax"),
        ("relaxation=none", "relaxation: must be a table"),
    ],
)
def test_a_text_that_can_not_be_used_is_explained(text: str, expected: str) -> None:
    message = refused(text)
    assert message.startswith(f"--set {text}: ")
    assert expected in message


def test_all_bad_sets_are_told_at_once() -> None:
    assert refused("epochs=x", "lr=1", "nme=3").splitlines()[0] == "2 problems in --set:"


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_every_float_arrives_exactly(value: float) -> None:
    assert after(f"lr={value!r}").lr == value
