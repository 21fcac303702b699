"""Runs whose networks are fitted to a budget."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import edgewise
from edgewise.budget import Budget, for_device
from edgewise.config.build import to_toml
from edgewise.data import Splits
from edgewise.errors import ConfigError, RunError
from edgewise.nn import count_params
from edgewise.pipeline import resolve, resolve_explore, resume, start, start_explore
from edgewise.pipeline.budgets import with_budget
from edgewise.pipeline.memory_check import least_genotype
from edgewise.pipeline.networks import build_candidate
from edgewise.spaces import SPACES, published, space
from tests.pipeline.small import FITTING, RUN, SETS, options, small, without_onnx, without_seconds

# The sizes of a small run, but for those that a budget finds.
FREE = tuple(text for text in SETS if not text.startswith(("train.channels", "train.layers")))
LIMITS = ("budget.params=9k", "budget.ram=20kB", "budget.int8=true")
# What results.json held before there were budgets.
OLD_KEYS = (
    *("params", "macs", "cells", "genotype", "top1", "loss", "per_class", "confusion", "test_images"),
    "train_seconds",
)
COMPARED = ("random", "hand", "inverted", "resnet8")


def read(folder: Path, name: str) -> Any:
    return json.loads((folder / name).read_text())


@pytest.fixture(scope="module")
def limited(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A whole run with every network to compare with, within limits on parameters and RAM."""
    folder = tmp_path_factory.mktemp("limited") / "run"
    compare = f"compare={json.dumps(COMPARED)}"
    with without_onnx():
        start(resolve("pc-darts-gp", sets=(*FREE, *LIMITS, compare)), folder, options=options())
    return folder


def test_every_network_of_a_run_keeps_to_the_same_limits(limited: Path) -> None:
    run, results = read(limited, "run.json"), read(limited, "results.json")
    assert run["budget"] == {
        "limits": {"params": 9_000, "ram": 20_000},
        "int8": True,
        "device": None,
        "from": "limits",
    }
    assert list(results) == ["found", *COMPARED]
    for name, entry in results.items():
        assert entry["params"] <= 9_000
        assert entry["ram"] <= 20_000
        assert entry["used"] == {"params": entry["params"] / 9_000, "ram": entry["ram"] / 20_000}
        assert {key: run["fitted"][name][key] for key in ("channels", "layers", "params", "macs", "ram")} == {
            key: entry[key] for key in ("channels", "layers", "params", "macs", "ram")
        }


def test_the_trained_network_has_the_fitted_size_and_its_head_does_not_count(limited: Path) -> None:
    found = read(limited, "results.json")["found"]
    loaded = edgewise.load(limited)
    assert (loaded.facts.spec.channels, loaded.facts.spec.layers) == (found["channels"], found["layers"])
    assert count_params(loaded.network) == found["params"]


def test_a_size_is_found_once_and_kept_when_the_run_goes_on(
    limited: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import shutil

    folder = shutil.copytree(limited, tmp_path / "run")
    (folder / "report.html").unlink()
    results = read(folder, "results.json")
    (folder / "results.json").write_text(json.dumps({"found": results["found"]}))
    monkeypatch.setattr(FITTING, "_sized", lambda *_: pytest.fail("fitted anew"))
    with without_onnx():
        resumed = resume(folder)
    assert without_seconds(resumed.results) == without_seconds(results)


def test_without_a_limit_the_others_get_the_weights_of_the_found_one(tmp_path: Path) -> None:
    compare = f"compare={json.dumps(COMPARED)}"
    with without_onnx():
        start(small("train.epochs=1", "train.channels=8", compare), tmp_path / "run", options=options())
    run, results = read(tmp_path / "run", "run.json"), read(tmp_path / "run", "results.json")
    found = results["found"]
    assert run["budget"]["from"] == "found"
    assert run["budget"]["limits"] == {"params": found["params"]}
    assert (found["channels"], found["layers"], found["used"]) == (8, 3, {"params": 1.0})
    for name in ("random", "inverted", "resnet8"):
        assert 0.5 * found["params"] < results[name]["params"] <= found["params"]
    assert results["hand"]["params"] == pytest.approx(found["params"], rel=0.05)


def test_a_run_that_version_0_1_began_keeps_its_sizes(tmp_path: Path, splits: Splits) -> None:
    folder = tmp_path / "run"
    with without_onnx():
        begun = start(small("compare=[]"), folder, options=options())
    run = read(folder, "run.json")
    old = {key: value for key, value in run.items() if key not in ("budget", "fitted")}
    (folder / "run.json").write_text(json.dumps({**old, "status": "running"}))
    results = {"found": {key: begun.results["found"][key] for key in OLD_KEYS}}
    (folder / "results.json").write_text(json.dumps(results))
    recipe = (folder / "recipe.toml").read_text()
    (folder / "recipe.toml").write_text(
        recipe[: recipe.index("[budget]")].replace("compare = []", 'compare = ["random", "hand"]')
    )
    (folder / "report.html").unlink()
    with without_onnx():
        resumed = resume(folder).results
    for name in ("random", "hand"):
        candidate = build_candidate(name, begun.genotype, small(), splits, stem="cifar", seed=options().seed)
        assert (resumed[name]["params"], resumed[name]["macs"]) == (candidate.cost.params, candidate.cost.macs)
        assert "channels" not in resumed[name]
    assert resumed["found"] == results["found"]


def test_a_network_to_compare_with_that_fits_at_no_size_is_left_out_with_a_note(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from edgewise.pipeline.sizing import Sizing

    def refuse(self: Sizing, name: str) -> None:
        raise ConfigError(f"{name} fits the budget at no size")

    settings = resolve("pc-darts-gp", sets=(*FREE, "budget.params=9k", "compare=['hand']", "train.epochs=1"))
    begun = tmp_path / "run"
    with without_onnx(), monkeypatch.context() as patch:
        patch.setattr(RUN, "check_sizes", lambda *_, **__: None)
        patch.setattr(Sizing, "hand_made", refuse)
        result = start(settings, begun, options=options())
    assert list(result.results) == ["found"]
    assert read(begun, "run.json")["unfit"] == {"hand": "hand fits the budget at no size"}


def test_found_cells_that_fit_at_no_size_are_kept_and_can_be_trained_with_other_limits(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = resolve("pc-darts-gp", sets=(*FREE, "budget.params=2k", "compare=[]"))
    monkeypatch.setattr(RUN, "check_sizes", lambda *_, **__: None)
    with pytest.raises(RunError, match=r"The cells are kept: `edgewise train .*genotype\.json`"):
        start(replace(settings, budget=Budget(params=100)), tmp_path / "run", options=options())
    assert (tmp_path / "run" / "genotype.json").is_file()
    assert read(tmp_path / "run", "run.json")["status"] == "failed"


@pytest.mark.parametrize(
    ("limit", "said"),
    [
        ("budget.params=500", "broken: params"),
        ("budget.macs=1k", "broken: macs"),
        ("budget.ram=100", "broken: ram"),
    ],
)
def test_a_limit_that_no_cells_can_meet_is_refused_before_the_search(
    tmp_path: Path, limit: str, said: str
) -> None:
    with pytest.raises(ConfigError, match="even a network of skips alone fits the budget at no size") as caught:
        start(resolve("pc-darts-gp", sets=(*FREE, limit)), tmp_path / "run", options=options())
    assert said in str(caught.value)
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("name", [name for name, one in SPACES.items() if one.searchable])
def test_the_least_cells_of_a_space_have_no_weights(name: str) -> None:
    cells = least_genotype(space(name))
    if cells is None:
        assert name in ("s1", "s4")
        return
    assert all(figures["parametrised"] == 0 for figures in cells.statistics().values())


def test_size_and_latency_need_onnxruntime_and_that_is_said_before_the_search(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    import sys

    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    for limit in ("budget.size=1MB", "budget.latency_ms=5ms"):
        with pytest.raises(ConfigError, match="size and latency are measured by onnx and onnxruntime"):
            resolve("pc-darts", sets=[limit])
    assert resolve("pc-darts", sets=["budget.params=5k"]).budget.params == 5_000


def test_a_device_in_settings_becomes_its_limits_and_survives_the_recipe_file(tmp_path: Path) -> None:
    settings = resolve("pc-darts", sets=["budget.device=pico", "budget.int8=true"])
    assert settings.budget == for_device("pico", int8=True)
    file = tmp_path / "recipe.toml"
    file.write_text(to_toml(settings))
    assert resolve(str(file)).budget == settings.budget


def test_a_recipe_file_may_state_a_budget(tmp_path: Path) -> None:
    file = tmp_path / "recipe.toml"
    file.write_text('base = "pc-darts"\n[budget]\nparams = "80k"\nram = "64KiB"\n')
    assert resolve(str(file)).budget.limits == {"params": 80_000, "ram": 65_536}


def test_cells_are_fitted_unless_their_number_is_given(tmp_path: Path) -> None:
    assert resolve("pc-darts", sets=["budget.params=5k"]).budget.fit_layers
    assert not resolve("pc-darts", sets=["budget.params=5k", "train.layers=6"]).budget.fit_layers
    file = tmp_path / "recipe.toml"
    file.write_text('base = "pc-darts"\n[budget]\nparams = "80k"\n[train]\nlayers = 6\n')
    assert not resolve(str(file)).budget.fit_layers


@pytest.mark.parametrize(
    ("sets", "said"),
    [
        (["budget.params=5k", "train.channels=8"], "train.channels says how wide the network is"),
        (["budget.params=0"], "budget.params: must be greater than or equal to 1"),
        (["budget.ram=-3"], "budget.ram: must be greater than or equal to 1"),
        (["budget.size=3m"], "unknown suffix 'm'"),
        (["budget.device=pica"], "nearest: pico"),
        (["budget.device=pico", "budget.ram=1GB"], "on Raspberry Pi Pico"),
        (["budget.device=boards.toml:mine"], "boards.toml: can't be read"),
    ],
)
def test_budgets_that_are_wrong_or_contradict_something_are_refused(sets: list[str], said: str) -> None:
    with pytest.raises(ConfigError) as caught:
        resolve("pc-darts", sets=sets)
    assert said in str(caught.value)


def test_a_budget_can_be_given_in_python() -> None:
    assert resolve("pc-darts", budget=Budget(params=7), sets=["budget.ram=8"]).budget.limits == {
        "params": 7,
        "ram": 8,
    }
    explored = resolve_explore("random", score="train:1", space="darts", budget=Budget(params=9_000))
    assert explored.budget.params == 9_000


def test_a_table_of_settings_without_a_budget_stays_as_it_is() -> None:
    assert with_budget({"search": {"epochs": 3}}) == {"search": {"epochs": 3}}
    assert with_budget({"budget": {"int8": True}}, given=["train.channels"]) == {"budget": {"int8": True}}


def test_every_query_of_a_black_box_search_is_trained_within_the_budget(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from edgewise.pipeline import training_score as trainer

    built = []
    build = trainer.build_candidate

    def watched(*arguments: Any, **named: Any) -> Any:
        candidate = build(*arguments, **named)
        built.append(candidate.cost.params)
        return candidate

    monkeypatch.setattr(trainer, "build_candidate", watched)
    settings = resolve_explore(
        "random",
        score="train:1",
        space="darts",
        queries=2,
        sets=["data.train_images=100", "budget.params=6k", "train.layers=3"],
    )
    explored = start_explore(settings, tmp_path / "run", options=options())
    assert len(built) == 2
    assert all(3_000 < params <= 6_000 for params in built)
    assert explored.results["size"]["layers"] == 3
    assert 0.5 < explored.results["size"]["used"]["params"] <= 1


def test_a_table_of_accuracies_takes_no_budget() -> None:
    with pytest.raises(ConfigError, match="which no limit can change"):
        resolve_explore("random", score="table:x.csv", budget=Budget(params=9_000))


@pytest.mark.slow
def test_a_published_cell_is_trained_within_a_limit_on_its_real_file(tmp_path: Path) -> None:
    budget = ("budget.size=90kB", "budget.latency_ms=50ms")
    start(
        resolve("pc-darts-gp", sets=(*FREE, *budget, "train.epochs=1")),
        tmp_path / "run",
        options=options(),
        command="train",
        genotype=published("PC_DARTS_cifar"),
    )
    entry = read(tmp_path / "run", "results.json")["found"]
    assert entry["size"] == (tmp_path / "run" / "network.onnx").stat().st_size <= 90_000
    assert entry["latency"]["median_ms"] <= 50


def test_what_a_run_will_cost_is_measured_at_the_size_that_the_budget_gives(splits: Splits) -> None:
    from edgewise.pipeline.estimate import expected_size, typical_genotype

    cells = typical_genotype("darts")
    assert expected_size(cells, small(), splits, "cifar") is None
    limited = resolve("pc-darts-gp", sets=(*FREE, "budget.params=20k", "budget.latency_ms=5ms"))
    size = expected_size(cells, limited, splits, "cifar")
    assert size is not None
    candidate = build_candidate("found", cells, limited, splits, stem="cifar", seed=0, size=size)
    assert 15_000 < candidate.cost.params <= 20_000
