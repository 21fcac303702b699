"""Settings are built with every error told at once, and come back from TOML as they went in."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Annotated, Any, Literal

import pytest
from annotated_types import Ge, Gt, Le, MinLen
from hypothesis import given
from hypothesis import strategies as st

from edgewise.config.build import build, dump, merge, to_toml
from edgewise.config.toml import from_toml
from edgewise.errors import ConfigError


@dataclass(frozen=True)
class Softmax:
    kind: Literal["softmax"] = "softmax"
    temperature: Annotated[float, Gt(0)] = 1.0


@dataclass(frozen=True)
class GumbelHard:
    kind: Literal["gumbel_hard"] = "gumbel_hard"
    start: Annotated[float, Gt(0)] = 10.0
    end: Annotated[float, Gt(0)] = 0.1

    def __post_init__(self) -> None:
        if self.end > self.start:
            raise ConfigError(f"the temperature must fall, but start {self.start} < end {self.end}")


@dataclass(frozen=True)
class Projection:
    direction: Literal["in", "out"] = "in"
    order: Literal["random", "symmetric"] = "random"


@dataclass(frozen=True)
class Stage:
    epochs: Annotated[int, Ge(1)] = 25
    layers: int = 5


@dataclass(frozen=True)
class Recipe:
    epochs: Annotated[int, Ge(1), Le(1000)] = 50
    lr: Annotated[float, Gt(0)] = 0.1
    betas: tuple[float, float] = (0.5, 0.999)
    cap: Annotated[int, Ge(1)] | None = None
    label: str | None = None
    nesterov: bool = False
    where: Path = Path("runs")
    relaxation: Softmax | GumbelHard = field(default_factory=lambda: Softmax(temperature=2.0))
    projection: Projection | None = field(default_factory=lambda: Projection(order="symmetric"))
    extra: Softmax | GumbelHard | None = None
    stages: Annotated[tuple[Stage, ...], MinLen(1)] = (Stage(),)


@dataclass(frozen=True)
class Needs:
    given: int
    recipe: Recipe = field(default_factory=Recipe)


def refused(data: dict[str, Any], cls: type = Recipe) -> str:
    with pytest.raises(ConfigError) as error:
        build(cls, data)
    return str(error.value)


def test_an_empty_table_gives_the_defaults() -> None:
    assert build(Recipe, {}) == Recipe()


def test_nested_tables_arrays_and_kinds_become_parts() -> None:
    data = {
        "lr": 1,
        "betas": [0, 0.5],
        "relaxation": {"kind": "gumbel_hard", "end": 1},
        "stages": [{"layers": 11}, {"epochs": 3}],
        "where": "a/b",
    }
    built = build(Recipe, data)
    assert built.relaxation == GumbelHard(end=1.0)
    assert built.stages == (Stage(layers=11), Stage(epochs=3))
    assert (built.betas, built.where, type(built.lr)) == ((0.0, 0.5), Path("a/b"), float)


def test_a_table_is_laid_on_the_default_part_of_the_same_class() -> None:
    assert build(Recipe, {"projection": {"direction": "out"}}).projection == Projection("out", "symmetric")
    assert build(Recipe, {"relaxation": {}}).relaxation == Softmax(temperature=2.0)
    assert build(Recipe, {"relaxation": {"kind": "softmax"}}).relaxation == Softmax(temperature=2.0)


def test_a_part_is_removed_with_none() -> None:
    assert build(Recipe, {"projection": "none", "cap": "none"}) == Recipe(projection=None)


def test_parts_may_be_given_as_objects() -> None:
    given = GumbelHard(start=5.0)
    assert build(Recipe, {"relaxation": given, "stages": [Stage(2)]}) == Recipe(
        relaxation=given, stages=(Stage(2),)
    )


def test_all_errors_are_told_at_once() -> None:
    text = refused(
        {"epohcs": 3, "lr": -1.0, "projection": {"order": "randon", "x": 1}, "stages": [{}, {"epochs": 0}]}
    )
    lines = text.splitlines()
    assert lines[0] == "5 problems in Recipe:"
    assert len(lines) == 6
    assert "epohcs: unknown setting (value found: 3); nearest: epochs; allowed: epochs, lr, betas" in text
    assert "lr: must be greater than 0 (value found: -1.0)" in text
    assert "projection.order: is none of the choices (value found: 'randon'); nearest: random" in text
    assert "allowed: random, symmetric" in text
    assert "projection.x: unknown setting (value found: 1); allowed: direction, order" in text
    assert "stages[1].epochs: must be greater than or equal to 1 (value found: 0)" in text


def test_an_unknown_name_that_exists_elsewhere_is_pointed_to() -> None:
    assert "elsewhere: recipe.projection.order" in refused({"given": 1, "order": "random"}, Needs)


def test_an_unknown_kind_is_told_with_the_nearest() -> None:
    text = refused({"relaxation": {"kind": "gumbel"}})
    assert text.startswith("relaxation.kind: unknown part (value found: 'gumbel'); nearest: gumbel_hard")


def test_a_kind_is_asked_for_where_there_is_no_default_part() -> None:
    assert refused({"extra": {"temperature": 1.0}}).startswith("extra.kind: is missing")


def test_a_missing_value_is_told() -> None:
    assert refused({}, Needs) == "given: is missing and has no default: give it a value"


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        ({"epochs": True}, "epochs: must be a valid integer (value found: true)"),
        ({"epochs": 3.0}, "epochs: must be a valid integer (value found: 3.0)"),
        ({"epochs": "3"}, "epochs: must be a valid integer (value found: '3')"),
        ({"epochs": "none"}, "epochs: must be a valid integer (value found: 'none')"),
        ({"epochs": 1001}, "epochs: must be less than or equal to 1000 (value found: 1001)"),
        ({"cap": 0}, "cap: must be greater than or equal to 1 (value found: 0)"),
        ({"lr": True}, "lr: must be a valid number (value found: true)"),
        ({"lr": math.nan}, "lr: must be a finite number (value found: nan)"),
        ({"lr": math.inf}, "lr: must be a finite number (value found: inf)"),
        ({"nesterov": 1}, "nesterov: must be a boolean, true or false (value found: 1)"),
        ({"betas": [0.5, "x"]}, "betas[1]: must be a valid number (value found: 'x')"),
        ({"betas": [0.5]}, "betas[1]: is missing, too few entries (value found: [0.5])"),
        ({"label": 3}, "label: must be a valid string (value found: 3)"),
        ({"label": "\udcff"}, "label: is not valid Unicode text (value found: '\\udcff')"),
        (
            {"projection": 3},
            "projection: must be a table of settings (value found: 3); its settings: direction, order",
        ),
        ({"stages": "x"}, "stages: must be an array of tables (value found: 'x')"),
        ({"stages": []}, "stages: List should have at least 1 item after validation, not 0 (value found: [])"),
        ({"lr": {1, 2}}, "lr: must be a plain value (value found: {1, 2}); dates need quotes"),
    ],
)
def test_a_wrong_value_is_told_with_its_path(data: dict[str, Any], expected: str) -> None:
    assert refused(data) == expected


def test_a_part_that_refuses_itself_is_told_with_its_path() -> None:
    text = refused({"relaxation": {"kind": "gumbel_hard", "end": 20}, "epochs": 0})
    assert "relaxation: the temperature must fall, but start 10.0 < end 20.0" in text
    assert "epochs: must be" in text


def test_absent_values_are_written_as_none() -> None:
    written = dump(Recipe(projection=None))
    assert (written["projection"], written["cap"], written["extra"]) == ("none", "none", "none")
    assert written["where"] == "runs"
    assert written["stages"] == [{"epochs": 25, "layers": 5}]


@pytest.mark.parametrize("bad", [Recipe(lr=math.inf), Recipe(label="none"), Recipe(betas=(math.nan, 0.0))])
def test_what_toml_could_not_give_back_is_not_written(bad: Recipe) -> None:
    with pytest.raises(ConfigError, match="can't be written"):
        dump(bad)


positive = st.floats(min_value=0, exclude_min=True, allow_infinity=False)
relaxations = st.one_of(st.builds(Softmax, temperature=positive), st.builds(GumbelHard, start=st.just(1e300)))
recipes = st.builds(
    Recipe,
    epochs=st.integers(1, 1000),
    lr=positive,
    betas=st.tuples(st.floats(allow_nan=False, allow_infinity=False), st.floats(0, 1)),
    cap=st.none() | st.integers(1, 2**63 - 1),
    label=st.none() | st.text().filter(lambda text: text != "none"),
    nesterov=st.booleans(),
    relaxation=relaxations,
    projection=st.none() | st.builds(Projection),
    extra=st.none() | relaxations,
    stages=st.lists(st.builds(Stage, layers=st.integers(-5, 5)), min_size=1).map(tuple),
)


@given(recipes)
def test_dump_toml_build_is_the_identity(recipe: Recipe) -> None:
    assert build(Recipe, from_toml(to_toml(recipe))) == recipe


def test_merge_goes_table_by_table_and_leaves_its_arguments_alone() -> None:
    base = {"a": {"x": 1, "y": {"z": 2}}, "b": "none", "c": [1]}
    over = {"a": {"y": {"w": 3}}, "b": {"q": 1}, "c": [2]}
    assert merge(base, over) == {"a": {"x": 1, "y": {"z": 2, "w": 3}}, "b": {"q": 1}, "c": [2]}
    assert base == {"a": {"x": 1, "y": {"z": 2}}, "b": "none", "c": [1]}
    merged = merge(base, over)
    merged["c"].append(9)
    merged["a"]["y"]["w"] = 0
    assert base["c"] == [1]
    untouched = merge(base, {})
    untouched["a"]["x"] = 9
    untouched["c"].append(9)
    assert base == {"a": {"x": 1, "y": {"z": 2}}, "b": "none", "c": [1]}
    assert over == {"a": {"y": {"w": 3}}, "b": {"q": 1}, "c": [2]}


def test_merge_replaces_a_part_of_another_kind() -> None:
    base = dump(Recipe())
    merged = merge(base, {"relaxation": {"kind": "gumbel_hard", "end": 0.5}})
    assert build(Recipe, merged) == replace(Recipe(), relaxation=GumbelHard(end=0.5))
    assert merge(base, {"relaxation": {"kind": "softmax"}}) == base


def test_broken_toml_is_told_with_file_line_and_column(tmp_path: Path) -> None:
    path = tmp_path / "r.toml"
    path.write_text('a = 1\r\nb = "x\r\n', newline="")
    with pytest.raises(
        ConfigError, match=rf'^{re.escape(str(path))}, line 2, column 7: .*\n  b = "x\n        \^$'
    ):
        from_toml(path)


def test_toml_that_ends_too_early_is_told_with_its_last_line() -> None:
    with pytest.raises(ConfigError, match=r"^TOML text, line 1, column 8: .*\n  a = \[1,\n"):
        from_toml("a = [1,\n\n")


def test_a_missing_file_and_foreign_bytes_are_told(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"absent\.toml: can't be read \(No such file"):
        from_toml(tmp_path / "absent.toml")
    path = tmp_path / "latin.toml"
    path.write_bytes(b"a = 1\nb = '\xe9'\n")
    with pytest.raises(ConfigError, match=r"latin\.toml, line 2: not UTF-8 text \(byte 0xe9\)"):
        from_toml(path)


def test_a_byte_order_mark_is_no_error(tmp_path: Path) -> None:
    path = tmp_path / "bom.toml"
    path.write_bytes(b"\xef\xbb\xbfa = 1\n")
    assert from_toml(path) == {"a": 1}
