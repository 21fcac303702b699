"""A study's file: every fault at once, with its dotted path and what would be right."""

from __future__ import annotations

from pathlib import Path

import pytest

from edgewise.config.build import build, to_toml
from edgewise.config.toml import from_toml
from edgewise.errors import ConfigError
from edgewise.study import StudySpec, read_spec
from edgewise.study.spec import spec_from_table
from tests.study.factory import spec, table

WRONG = {
    "unknown method": ({"methods": ["pc-dart"]}, ["methods[0]: unknown method", "'pc-dart'", "nearest: pc-darts"]),
    "no method": ({"methods": []}, ["methods: is empty"]),
    "method twice": ({"methods": ["darts", "darts"]}, ["methods: 'darts' stands there more than once"]),
    "file that is missing": ({"methods": ["gone.toml"]}, ["methods[0]", "gone.toml"]),
    "no seed": ({"seeds": []}, ["seeds: is empty"]),
    "seed twice": ({"seeds": [3, 1, 3]}, ["seeds: 3 stands there more than once"]),
    "negative seed": ({"seeds": [-1]}, ["seeds[0]", "-1"]),
    "seed that is no number": ({"seeds": ["a"]}, ["seeds[0]", "'a'"]),
    "no data": ({"data": []}, ["data: is empty"]),
    "unknown space": ({"spaces": ["dart"]}, ["spaces[0]: unknown space", "'dart'", "nearest: darts"]),
    "empty grid": ({"grid": {"arch.lr": []}}, ["grid.arch.lr: is empty"]),
    "value twice in the grid": ({"grid": {"arch.lr": [0.1, 0.1]}}, ["grid.arch.lr: 0.1 stands there"]),
    "unknown setting in the grid": ({"grid": {"arch.lrr": [1]}}, ["grid.arch.lrr: ", "nearest: arch.lr"]),
    "grid over the data": ({"grid": {"data.source": ["x"]}}, ["grid.data.source", "`data`"]),
    "unknown name": ({"method": ["darts"]}, ["method: unknown setting", "nearest: methods"]),
    "unknown command": ({"command": "train"}, ["command", "'train'", "search"]),
    "baseline that is no method": ({"baseline": "pc-dart"}, ["baseline", "'pc-dart'", "nearest: pc-darts"]),
    "variant called like a recipe": (
        {"variants": [{"name": "darts", "recipe": "pc-darts"}]},
        ["variants[0].name", "'darts' is a recipe"],
    ),
    "variant of nothing": (
        {"variants": [{"name": "mine", "recipe": "pc-dart"}]},
        ["variants[0].recipe: unknown method", "nearest: pc-darts"],
    ),
    "two variants of one name": (
        {"variants": [{"name": "a", "recipe": "darts"}, {"name": "a", "recipe": "gdas"}]},
        ["variants: the name 'a' is given twice"],
    ),
    "published row of no method": (
        {"published": [{"row": "x", "source": "y", "method": "z"}]},
        ["published[0].method", "'z'"],
    ),
    "published row without its source": ({"published": [{"row": "x"}]}, ["published[0].source: is missing"]),
}  # fmt: skip


@pytest.mark.parametrize("case", WRONG)
def test_what_is_wrong_is_named_with_its_path_and_value(case: str, tmp_path: Path) -> None:
    changes, parts = WRONG[case]
    with pytest.raises(ConfigError) as caught:
        spec_from_table(table(**changes), tmp_path)
    assert [part for part in parts if part not in str(caught.value)] == []


def test_all_faults_of_a_file_are_told_in_one_message(tmp_path: Path) -> None:
    changes = {"methods": ["pc-dart"], "seeds": [1, 1], "grid": {"arch": {"lr": []}}, "preset": "huge", "x": 1}
    with pytest.raises(ConfigError, match="5 problems") as caught:
        spec_from_table(table(**changes), tmp_path)
    assert all(
        f"\n  {name}" in str(caught.value) for name in ("methods[0]", "seeds", "grid.arch.lr", "preset", "x")
    )


def test_true_and_1_are_two_values() -> None:
    assert [type(value) for value in spec(grid={"search.epochs": [1, True]}).grid["search.epochs"]] == [int, bool]


def test_a_grid_reads_alike_with_and_without_quotes(tmp_path: Path) -> None:
    start = 'name = "a"\nmethods = ["darts"]\n[grid]\n'
    (tmp_path / "one.toml").write_text(start + '"arch.lr" = [0.1, 0.2]\n')
    (tmp_path / "two.toml").write_text(start + "arch.lr = [0.1, 0.2]\n")
    one, two = read_spec(tmp_path / "one.toml"), read_spec(tmp_path / "two.toml")
    assert one.grid == two.grid == {"arch.lr": (0.1, 0.2)}


def test_recipe_files_are_looked_for_beside_the_study(tmp_path: Path) -> None:
    (tmp_path / "mine.toml").write_text('base = "darts"\nname = "mine"\n')
    found = spec(tmp_path, methods=["mine.toml"])
    assert found.methods == (str(tmp_path / "mine.toml"),)


def test_a_scale_replaces_seeds_and_preset_and_adds_its_settings() -> None:
    scales = [{"name": "small", "seeds": [7], "sets": ["arch.lr=0.5"], "retrain_best": 2}]
    found = spec_from_table(table(scales=scales), Path(), {"scale": "small", "base": ["arch.lr=0.25"]})
    assert (found.seeds, found.preset, found.scale, found.retrain_best) == ((7,), "small", "small", 2)
    # The command line has the last word.
    assert found.base[-2:] == ("arch.lr=0.5", "arch.lr=0.25")


def test_seeds_of_the_command_line_win_over_those_of_the_scale() -> None:
    scales = [{"name": "small", "seeds": [7]}]
    assert spec_from_table(table(scales=scales), Path(), {"scale": "small", "seeds": [1, 2]}).seeds == (1, 2)


def test_a_scale_that_the_study_lacks_is_refused() -> None:
    with pytest.raises(ConfigError, match="no scale 'paper'; it has small"):
        spec_from_table(table(scales=[{"name": "small"}]), Path(), {"scale": "paper"})


def test_the_written_study_reads_back_equal() -> None:
    scales = [{"name": "small", "seeds": [7]}]
    found = spec_from_table(table(scales=scales, grid={"arch.lr": [0.1]}), Path(), {"scale": "small"})
    assert build(StudySpec, from_toml(to_toml(found))) == found
