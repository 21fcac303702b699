"""Commands that only look: recipes, spaces, check."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from edgewise.methods import RECIPES
from edgewise.pipeline import PRESETS, resolve
from edgewise.spaces import SPACES, Genotype, published
from tests.cli.conftest import Call


def test_recipes_ls_has_a_line_for_each_recipe(call: Call) -> None:
    lines = call("recipes", "ls").out.splitlines()
    assert [line.split()[0] for line in lines] == list(RECIPES)
    assert all(recipe.summary in line for line, recipe in zip(lines, RECIPES.values(), strict=True))


def test_spaces_ls_has_a_line_for_each_space_and_the_size_of_those_that_can_be_searched(call: Call) -> None:
    lines = call("spaces", "ls").out.splitlines()
    assert [line.split()[0] for line in lines] == list(SPACES)
    # Nodes choose 2 of 2, 3, 4 and 5 sources, and one of 7 operations for each: 1 * 3 * 6 * 10 * 7 ** 8.
    assert "1,037,664,180 cells of a type" in lines[0]
    assert ["cells of a type" in line for line in lines] == [space.searchable for space in SPACES.values()]


@pytest.mark.parametrize("name", RECIPES)
@pytest.mark.parametrize("preset", [None, *PRESETS])
def test_what_recipes_show_prints_is_checked_and_used_as_the_same_settings(
    name: str, preset: str | None, call: Call, tmp_path: Path
) -> None:
    wanted = [] if preset is None else ["--preset", preset]
    file = tmp_path / "mine.toml"
    file.write_text(call("recipes", "show", name, *wanted, "--set", "projection.order=symmetric").out)
    checked = call("check", file)
    assert (checked.code, checked.err) == (0, "")
    assert f"a valid recipe ({name})" in checked.out
    assert resolve(str(file)) == resolve(name, preset=preset, sets=["projection.order=symmetric"])
    assert call("recipes", "show", file).out == file.read_text()


def test_recipes_cite_prints_what_the_settings_use_and_nothing_else(call: Call) -> None:
    gp, darts = call("recipes", "cite", "pc-darts-gp").out, call("recipes", "cite", "darts").out
    assert "Partial Channel Connections" in gp
    assert "Gradient Surgery" in gp
    assert "{DARTS}: Differentiable Architecture Search" in darts
    assert "Partial Channel Connections" not in darts
    assert "utout" in call("recipes", "cite", "darts", "--set", "train_augment.cutout=8").out
    assert gp.count("@") == len(resolve("pc-darts-gp").bibtex())


def test_check_names_every_fault_of_a_recipe_with_its_path(call: Call, tmp_path: Path) -> None:
    file = tmp_path / "bad.toml"
    file.write_text('base = "pc-darts"\n[search]\nepochs = 0\nlayer = 5\n[weights]\nmomentum = "high"\n')
    outcome = call("check", file)
    assert (outcome.code, outcome.out) == (1, "")
    assert all(part in outcome.err for part in ("search.epochs", "search.layer", "weights.momentum"))


def test_check_names_line_and_column_of_what_is_no_toml(call: Call, tmp_path: Path) -> None:
    file = tmp_path / "bad.toml"
    file.write_text("[search]\nepochs = = 3\n")
    outcome = call("check", file)
    assert outcome.code == 1
    assert "bad.toml, line 2" in outcome.err


@pytest.mark.parametrize("name", ["PC_DARTS_cifar", "DARTS_V2"])
def test_check_accepts_a_published_genotype_and_describes_its_cells(name: str, call: Call, tmp_path: Path) -> None:
    file = tmp_path / "cells.json"
    file.write_text(published(name).to_json())
    outcome = call("check", file)
    assert outcome.code == 0
    skips = published(name).cells["normal"].skips
    assert f"a valid genotype of space darts (normal: {skips} skip" in outcome.out


def test_check_names_every_fault_of_a_genotype(call: Call, tmp_path: Path) -> None:
    data = published("PC_DARTS_cifar").to_dict()
    data["cells"]["normal"]["edges"][0]["primitive"] = "conv_9x9"
    data["cells"]["normal"]["edges"][3]["source"] = 5
    del data["cells"]["reduce"]["edges"][7]
    file = tmp_path / "bad.json"
    file.write_text(json.dumps(data))
    outcome = call("check", file)
    assert (outcome.code, outcome.out) == (1, "")
    assert outcome.err.startswith("error: ")
    assert all(
        part in outcome.err for part in ("bad.json", "conv_9x9", "cells.normal", "cells.reduce", "expected 2")
    )
    assert outcome.err.count("\n  - ") >= 3


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("cells.json", "{", "is not JSON"),
        ("cells.json", "{}", "edgewise.genotype/1"),
        ("cells.yaml", "", ".yaml"),
        ("cells", "", "no ending"),
    ],
)
def test_check_says_what_it_expected(name: str, content: str, said: str, call: Call, tmp_path: Path) -> None:
    (tmp_path / name).write_text(content)
    outcome = call("check", tmp_path / name)
    assert outcome.code == 1
    assert said in outcome.err


def test_check_says_that_a_file_is_missing(call: Call, tmp_path: Path) -> None:
    outcome = call("check", tmp_path / "gone.toml")
    assert outcome.code == 1
    assert "gone.toml: no such file" in outcome.err


def test_check_of_a_genotype_that_is_no_text_is_an_explained_error(call: Call, tmp_path: Path) -> None:
    (tmp_path / "cells.json").write_bytes(b"\xff\xfe{")
    outcome = call("check", tmp_path / "cells.json")
    assert outcome.code == 1
    assert "cells.json" in outcome.err


def test_a_genotype_that_check_accepts_comes_back_as_it_was(tmp_path: Path, call: Call) -> None:
    genotype = published("PC_DARTS_cifar")
    file = tmp_path / "cells.json"
    file.write_text(genotype.to_json())
    assert call("check", file).code == 0
    assert Genotype.from_json(file.read_text()) == genotype
