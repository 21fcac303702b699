"""Every differentiable recipe searches the spaces of NAS-Bench-201 and NASNet; runs in them go to their end."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from edgewise.cli.main import app
from edgewise.errors import ConfigError
from edgewise.methods import RECIPES, Diagnostics, Recipe, Stages
from edgewise.pipeline import start
from edgewise.pipeline.derive import derive_epoch
from edgewise.runs.checkpoint import load_checkpoint, save_checkpoint
from edgewise.search import SearchTask
from edgewise.spaces import Genotype, published, validate
from edgewise.spaces.nb201 import from_string, to_string
from edgewise.spaces.notation import genotype_from_file
from tests.pipeline.small import FILES, NETWORKS, EarlyStopping, options, small, trace
from tests.search.problem import make_task, same, tiny

BLOCK = "|nor_conv_3x3~0|+|none~0|nor_conv_3x3~1|+|skip_connect~0|none~1|avg_pool_3x3~2|"


def in_space(name: str, space: str) -> Recipe:
    """A recipe at the size of a test, in another space."""
    recipe = tiny(RECIPES[name])
    stages = None if recipe.stages is None else Stages(add_layers=(0, 1, 2), primitives=(13, 4, 2))
    return replace(
        recipe,
        space=space,
        stages=stages,
        arch=replace(recipe.arch, lr=0.05),
        train=replace(recipe.train, auxiliary=0.0),
    )


def run_through(task: SearchTask, *, epochs: int) -> list[dict]:
    records = []
    for epoch in range(epochs):
        for step in range(task.steps):
            task.step(epoch, step)
        task.check_finite(epoch)
        records.append(task.finish_epoch(epoch))
    return records


@pytest.mark.parametrize("name", RECIPES)
def test_every_recipe_searches_nas_bench_201_and_derives_one_of_its_cells(name: str) -> None:
    recipe = in_space(name, "nb201")
    task = make_task(recipe)
    before = task.search.arch.alpha["cell"].detach().clone()
    records = run_through(task, epochs=recipe.search.epochs if recipe.stages else 1)
    assert not torch.equal(task.search.arch.alpha["cell"], before)
    assert from_string(to_string(task.genotype())) == validate(task.genotype())
    last = records[-1]
    assert Genotype.from_dict(last["genotype"]) == task.genotype()
    groups = last["conflicts"]["groups"]
    assert [(g["cell"], g["node"], g["edges"]) for g in groups] == [("cell", 2, 2), ("cell", 3, 3)]
    assert json.loads(json.dumps(records, allow_nan=False)) == records


def test_p_darts_grows_the_stages_of_nas_bench_201_while_edges_lose_primitives() -> None:
    recipe = in_space("p-darts", "nb201")
    task, lengths, kept = make_task(recipe), [], []
    for epoch in range(recipe.search.epochs):
        for step in range(task.steps):
            task.step(epoch, step)
        task.finish_epoch(epoch)
        lengths.append(tuple(map(len, task.search.supernet.stages)))  # type: ignore[union-attr]
        mask = task.search.arch.kept("cell")
        kept.append(5 if mask is None else int(mask.sum(1).max()))
    assert lengths == [(1, 1, 1), (2, 1, 1), (2, 2, 1), (2, 2, 1)]
    assert kept == [5, 4, 2, 2]
    assert task.genotype().cells["cell"].skips <= 2


@pytest.mark.parametrize("name", ["darts-v1", "gdas-gp", "pc-darts-gp", "p-darts"])
def test_recipes_search_nasnet_and_derive_one_of_its_cells(name: str) -> None:
    recipe = in_space(name, "nasnet")
    task = make_task(recipe)
    before = {cell: alpha.detach().clone() for cell, alpha in task.search.arch.alpha.items()}
    run_through(task, epochs=recipe.search.epochs if recipe.stages else 1)
    assert all(not torch.equal(task.search.arch.alpha[cell], alpha) for cell, alpha in before.items())
    assert validate(task.genotype()).space == "nasnet"


def test_the_gap_of_a_nas_bench_201_search_is_that_of_its_mixture_and_its_derived_cell() -> None:
    recipe = replace(
        in_space("pc-darts-gp", "nb201"), diagnostics=Diagnostics(gap_every=1, gap_images=8, hessian_every=1)
    )
    (record,) = run_through(make_task(recipe), epochs=1)
    assert record["gap"]["gap"] == record["gap"]["mixture"] - record["gap"]["derived"]
    assert record["gap"]["images"] == 8
    assert record["hessian"]["eigenvalue"] == pytest.approx(record["hessian"]["eigenvalue"])
    assert set(record["shares"]["cell"]) == {"skip", "pool", "none", "parametrised"}
    assert sum(record["shares"]["cell"].values()) == pytest.approx(1.0)


@pytest.mark.parametrize("name", ["pc-darts-gp", "gdas"])
def test_a_search_of_nas_bench_201_resumed_within_an_epoch_goes_on_bit_for_bit(tmp_path, name: str) -> None:
    recipe = in_space(name, "nb201")
    task = make_task(recipe)
    task.step(0, 0)
    save_checkpoint(tmp_path / "c.pt", task.state_dict())
    state = load_checkpoint(tmp_path / "c.pt")
    assert state is not None
    resumed = make_task(recipe)
    resumed.load_state_dict(state)
    for one in (task, resumed):
        for step in range(1, one.steps):
            one.step(0, step)
    assert same(resumed.state_dict(), task.state_dict())
    assert resumed.finish_epoch(0) == task.finish_epoch(0)


@pytest.fixture(scope="module")
def nb201_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A whole run in NAS-Bench-201: search, derive, train, test, export, report."""
    folder = tmp_path_factory.mktemp("nb201") / "run"
    start(small("space=nb201", "train.auxiliary=0", "train.layers=4"), folder, options=options())
    return folder


def test_a_run_in_nas_bench_201_leaves_every_file_and_three_tested_networks(nb201_run: Path) -> None:
    assert set(FILES) <= {path.name for path in nb201_run.iterdir()}
    results = json.loads((nb201_run / "results.json").read_text())
    assert tuple(results) == NETWORKS
    assert results["hand"]["params"] == pytest.approx(results["found"]["params"], rel=0.05)
    assert Genotype.from_dict(results["random"]["genotype"]).space == "nb201"


def test_the_derived_cell_of_the_last_epoch_is_the_runs_genotype(nb201_run: Path) -> None:
    genotype = genotype_from_file(nb201_run / "genotype.json")
    assert derive_epoch(nb201_run)[0] == genotype
    assert Genotype.from_dict(trace(nb201_run, "search")[-1]["genotype"]) == genotype
    first = Genotype.from_dict(trace(nb201_run, "search")[0]["genotype"])
    assert derive_epoch(nb201_run, 0)[0] == first


def test_the_report_of_a_run_in_nas_bench_201_draws_one_cell_and_calls_it_a_cell(nb201_run: Path) -> None:
    page = (nb201_run / "report.html").read_text()
    assert "<title>Cell</title>" in page
    assert "cell cell" not in page.lower()
    assert "reduction cell" not in page
    assert ">none</text>" not in page


def call(*words: str) -> None:
    app(list(words), standalone_mode=False)


def test_check_takes_a_genotype_of_nas_bench_201_and_names_its_faults(tmp_path, capsys) -> None:
    file = tmp_path / "cell.json"
    file.write_text(from_string(BLOCK).to_json())
    call("check", str(file))
    assert (
        "a valid genotype of space nb201 (cell: 1 skip, 1 pool, 2 parametrised, depth 3)"
        in capsys.readouterr().out
    )


def test_training_a_cell_of_nas_bench_201_with_an_auxiliary_head_is_refused_before_there_is_a_folder(
    tmp_path,
) -> None:
    with pytest.raises(ConfigError, match=r"set train\.auxiliary to 0"):
        start(small(), tmp_path / "run", options=options(), command="train", genotype=from_string(BLOCK))
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("name", ["NASNet", "AmoebaNet", "NB201_best_cifar10"])
def test_a_published_network_is_trained_and_exported_like_any_other(name: str, tmp_path) -> None:
    settings = small("train.epochs=1", "train.auxiliary=0", "data.train_images=100")
    watch = EarlyStopping()
    result = start(
        settings, tmp_path / "run", options=options(), command="train", genotype=published(name), progress=watch
    )
    assert result.genotype == published(name)
    check = json.loads((tmp_path / "run" / "run.json").read_text())["onnx"]
    assert check["max_difference"] <= 1e-4 * max(1.0, check["scale"])
    assert 0.0 <= result.results["found"]["top1"] <= 1.0
    assert any("network.onnx: agrees with PyTorch" in line for line in watch.lines)
