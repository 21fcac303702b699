"""Commands that only look: recipes, spaces, check."""

from __future__ import annotations

import json
import re
import tomllib
from dataclasses import fields, is_dataclass
from pathlib import Path

import pytest

from edgewise.citations import CITATIONS
from edgewise.methods import ALIASES, RECIPES, Parts
from edgewise.pipeline import PRESETS, resolve
from edgewise.spaces import SPACES, Genotype, published, write_genotype
from tests.cli.conftest import Call


def darts_text(name: str) -> str:
    return write_genotype(published(name), "darts")


def test_recipes_ls_names_each_recipe_once_beside_its_twin_with_projection(call: Call) -> None:
    lines = call("recipes", "ls").out.split("\n\n")[0].splitlines()
    rows = [re.split(r"\s{2,}", line) for line in lines]
    assert sorted(name for row in rows for name in row[:-1]) == sorted(RECIPES)
    for name, *twin, summary in rows:
        assert twin == [f"{name}-gp" for _ in twin]
        assert summary == RECIPES[name].summary


def test_recipes_ls_says_what_the_other_names_are(call: Call) -> None:
    last = call("recipes", "ls").out.splitlines()[-1]
    assert all(f"{alias} is {name}" in last for alias, name in ALIASES.items())


def test_recipes_ls_stands_in_columns_no_wider_than_a_terminal(
    call: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("edgewise.cli.lists.terminal_width", lambda: 80)
    lines = call("recipes", "ls").out.split("\n\n")[0].splitlines()
    assert max(map(len, lines)) <= 80
    assert len(lines) > len(RECIPES) / 2
    column = lines[0].index("DARTS, first order")
    assert all(line[column - 1] == " " and line[column] != " " for line in lines)


@pytest.mark.parametrize("name", RECIPES)
def test_recipes_show_names_every_part_and_says_which_are_absent(name: str, call: Call) -> None:
    shown = tomllib.loads(call("recipes", "show", name).out)
    settings = resolve(name)
    for field in fields(settings):
        value = getattr(settings, field.name)
        if isinstance(value, Parts):
            assert list(shown.get(field.name, {})) == [part.kind for part in value]
            continue
        assert (shown[field.name] == "none") == (value is None), field.name
        if is_dataclass(value):
            assert set(shown[field.name]) == {inner.name for inner in fields(value)}


def test_cite_prints_what_recipes_cite_prints(call: Call, tmp_path: Path) -> None:
    for arguments in (["gdas"], ["p-darts-gp"], ["darts", "--set", "space=s2"], ["pc-darts", "--preset", "paper"]):
        outcome = call("cite", *arguments)
        assert (outcome.code, outcome.err) == (0, "")
        assert outcome.out == call("recipes", "cite", *arguments).out
    file = tmp_path / "mine.toml"
    file.write_text('base = "noisy-darts"\n')
    assert call("cite", file).out == call("recipes", "cite", file).out


@pytest.mark.parametrize("name", RECIPES)
def test_cite_prints_each_source_of_the_recipe_once(name: str, call: Call) -> None:
    out = call("cite", name).out
    entries = resolve(name).bibtex()
    assert [out.count(entry) for entry in entries] == [1] * len(entries)
    assert out.count("@") == len(entries)
    assert all(CITATIONS[key].bibtex in entries for key in RECIPES[name].sources)


def test_a_part_that_is_added_is_cited_and_one_that_is_dropped_is_not(call: Call) -> None:
    added = call("cite", "darts", "--set", "noise.factor=0.1").out
    assert CITATIONS["noisy-darts"].bibtex in added
    assert CITATIONS["noisy-darts"].bibtex not in call("cite", "darts").out
    dropped = call("cite", "pc-darts-gp", "--set", "projection=none").out
    assert CITATIONS["gradient-surgery"].bibtex not in dropped


def test_check_names_every_pair_of_parts_that_a_recipe_may_not_have(call: Call, tmp_path: Path) -> None:
    file = tmp_path / "bad.toml"
    file.write_text(
        'base = "gdas"\nspace = "s4"\nnoise = {kind = "operation_noise"}\n'
        '[gradient]\nkind = "exact"\n[search]\nchannels = 7\n[train]\nlr = 0.1\nlr_min = 0.2\n'
    )
    outcome = call("check", file)
    assert (outcome.code, outcome.out) == (1, "")
    first, *lines = outcome.err.splitlines()
    assert first == "error: recipe gdas: 4 problems:"
    for line, part in zip(
        lines,
        ("gumbel_hard and a second-order", "space s4 has none", "search.channels = 7", "train.lr_min = 0.2"),
        strict=True,
    ):
        assert part in line


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
        ("cells", "", "cells holds no genotype: expected edgewise's JSON"),
    ],
)
def test_check_says_what_it_expected(name: str, content: str, said: str, call: Call, tmp_path: Path) -> None:
    (tmp_path / name).write_text(content)
    outcome = call("check", tmp_path / name)
    assert outcome.code == 1
    assert said in outcome.err


@pytest.mark.parametrize("name", ["PDARTS", "NB201_best_cifar10"])
def test_check_reads_the_texts_that_the_field_exchanges(name: str, call: Call, tmp_path: Path) -> None:
    form = "darts" if name == "PDARTS" else "nb201"
    text = write_genotype(published(name), form)
    file = tmp_path / "cells.txt"
    file.write_text(text)
    for given in (file, text, name):
        outcome = call("check", given)
        assert (outcome.code, outcome.err) == (0, "")
        assert f"a valid genotype of space {published(name).space} (" in outcome.out


def test_check_takes_one_of_several_genotypes_by_its_name_and_lists_them_without(
    call: Call, tmp_path: Path
) -> None:
    file = tmp_path / "genotypes.py"
    file.write_text("".join(f"{name} = {darts_text(name)}" for name in ("PDARTS", "AmoebaNet")))
    outcome = call("check", file)
    assert (outcome.code, outcome.out) == (1, "")
    assert "holds 2 genotypes: PDARTS, AmoebaNet; give one of them, as in" in outcome.err
    assert outcome.err.endswith("genotypes.py:AmoebaNet\n")
    assert call("check", f"{file}:AmoebaNet").out.startswith(
        f"{file}:AmoebaNet: a valid genotype of space amoeba ("
    )


def test_check_of_a_text_does_not_run_it(call: Call, tmp_path: Path) -> None:
    trap = f"Genotype(normal=open({str(tmp_path / 'made')!r}, 'w'), normal_concat=[], reduce=[], reduce_concat=[])"
    outcome = call("check", trap)
    assert outcome.code == 1
    assert "expected a list of (primitive, source)" in outcome.err
    assert list(tmp_path.iterdir()) == []


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
