"""Packages outside add parts, recipes, spaces, strategies and scores; run folders say which of them they need."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

HERE = Path(__file__).parent
PACKAGES = sorted(path.parent.name for path in HERE.glob("*/pyproject.toml"))
TINY = [
    f"--set={text}"
    for text in (
        "search.epochs=2",
        "warm_up.epochs=0",
        "search.channels=8",
        "search.layers=3",
        "train.epochs=1",
        "train.layers=3",
        "train.channels=4",
        "train.auxiliary=0",
        "data.train_images=200",
        "selection=none",
    )
]
Command = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of installed packages, with their entry points."""
    where = tmp_path_factory.mktemp("site")
    sources = tmp_path_factory.mktemp("sources")
    for name in PACKAGES:
        shutil.copytree(HERE / name, sources / name)
    install = ["install", "--quiet", "--no-deps", "--no-build-isolation", "--no-index", "--target", str(where)]
    packages = [str(sources / name) for name in PACKAGES]
    subprocess.run(
        [sys.executable, "-m", "pip", *install, *packages], check=True, capture_output=True, timeout=300
    )
    return where


@pytest.fixture(scope="module")
def bare(tmp_path_factory: pytest.TempPathFactory) -> Command:
    """The command line without plug-ins."""
    return _command(tmp_path_factory.mktemp("bare"), None)


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory, site: Path) -> Command:
    """The command line with the three packages installed."""
    return _command(tmp_path_factory.mktemp("installed"), site)


def _command(folder: Path, site: Path | None) -> Command:
    environment = {
        key: value for key, value in os.environ.items() if key not in ("PYTHONPATH", "EDGEWISE_PLUGINS")
    }
    if site is not None:
        environment["PYTHONPATH"] = str(site)

    def run(*arguments: object, fails: bool = False) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            [sys.executable, "-m", "edgewise", *map(str, arguments)],
            cwd=folder,
            env=environment,
            capture_output=True,
            text=True,
            timeout=600,
        )
        assert (done.returncode != 0) == fails, done.stdout + done.stderr
        return done

    return run


@pytest.fixture(scope="module")
def sparse_run(installed: Command, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of the recipe that a plug-in has brought."""
    folder = tmp_path_factory.mktemp("runs") / "sparse"
    installed("run", "--recipe", "sparse-darts", "--out", folder, *TINY)
    return folder


@pytest.fixture(scope="module")
def chain_run(installed: Command, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run in the space, skeleton and primitives that a plug-in has brought."""
    folder = tmp_path_factory.mktemp("runs") / "chain"
    installed("run", "--space", "chain", "--out", folder, *TINY)
    return folder


def test_lists_and_help_name_what_plugins_add(installed: Command, bare: Command) -> None:
    said = installed("plugins").stdout
    assert "edgewise-sparsemax 0.3 (installed) adds part sparsemax, part alpha_spread, recipe sparse-darts" in said
    assert "skeleton chain" in said
    assert "strategy hill-climbing" in said
    assert "sparse-darts  " in installed("recipes", "ls").stdout
    assert "\nchain  " in installed("spaces", "ls").stdout
    assert "chain" in installed("run", "--help").stdout
    assert "sparse-darts" not in bare("recipes", "ls").stdout


def test_a_part_from_outside_has_settings_ranges_refusals_and_citations(installed: Command) -> None:
    shown = installed("recipes", "show", "sparse-darts", "--set", "relaxation.scale=2.0").stdout
    assert '[relaxation]\nscale = 2.0\nkind = "sparsemax"' in shown
    assert "[parts.alpha_spread]\nweight = 0.01" in shown
    without = installed("recipes", "show", "sparse-darts", "--set", "parts.alpha_spread=none").stdout
    assert "alpha_spread" not in without
    other = installed("recipes", "show", "darts-v1", "--set", "parts.alpha_spread.weight=0.5").stdout
    assert "[parts.alpha_spread]\nweight = 0.5" in other
    below = installed("recipes", "show", "sparse-darts", "--set", "parts.alpha_spread.weight=-1", fails=True)
    assert "parts.alpha_spread.weight: must be greater than or equal to 0 (value found: -1)" in below.stderr
    refused = installed("recipes", "show", "sparse-darts", "--set", "gradient.kind=exact", fails=True)
    assert "relaxation sparsemax and a second-order gradient" in refused.stderr
    assert "{martins2016softmax," in installed("cite", "sparse-darts").stdout


def test_a_recipe_file_may_name_a_part_from_outside(installed: Command, bare: Command, tmp_path: Path) -> None:
    file = tmp_path / "mine.toml"
    file.write_text('base = "pc-darts"\nname = "mine"\n[relaxation]\nkind = "sparsemax"\n[parts.alpha_spread]\n')
    assert "a valid recipe (mine)" in installed("check", file).stdout
    said = bare("check", file, fails=True).stderr
    assert "relaxation.kind: unknown part (value found: 'sparsemax')" in said
    assert "parts.alpha_spread: unknown setting" in said


def test_a_run_folder_says_which_plugins_it_needs_and_what_it_does_not_need(
    sparse_run: Path, chain_run: Path
) -> None:
    for folder, name in ((sparse_run, "edgewise-sparsemax"), (chain_run, "edgewise-chain")):
        noted = json.loads((folder / "run.json").read_text())["plugins"]
        assert noted == [{"name": name, "version": "0.3", "given": "installed"}]
        assert (folder / "network.onnx").stat().st_size > 0


@pytest.mark.parametrize("command", [["report"], ["test"], ["run", "--resume"], ["check"]], ids=" ".join)
def test_without_its_plugin_a_run_folder_is_not_called_damaged(
    bare: Command, installed: Command, chain_run: Path, command: list[str]
) -> None:
    said = bare(*command, chain_run, fails=True).stderr
    assert "needs the plug-in edgewise-chain, version 0.3, which is not loaded: install edgewise-chain 0.3" in said
    assert "damaged" not in said
    installed(*command, chain_run)


def test_a_plugin_may_be_given_as_a_file_before_or_behind_the_command(
    bare: Command, sparse_run: Path, tmp_path: Path
) -> None:
    file = HERE / "sparsemax" / "edgewise_sparsemax.py"
    assert "sparse-darts" in bare("recipes", "ls", "--plugin", file).stdout
    assert "sparse-darts" in bare(f"--plugin={file}", "recipes", "ls").stdout
    # The same plug-in in another version: said, not refused.
    done = bare("report", sparse_run, "--plugin", file)
    assert "began with version 0.3 of plug-in edgewise_sparsemax, and version" in done.stderr
    missing = bare("recipes", "ls", "--plugin", tmp_path / "none.py", fails=True)
    assert "none.py: there is no such file" in missing.stderr
    broken = tmp_path / "broken.py"
    broken.write_text("import nothing_of_this_name\n")
    said = bare("recipes", "ls", "--plugin", broken, fails=True).stderr
    assert "broken.py can't be loaded: ModuleNotFoundError: No module named 'nothing_of_this_name'" in said


def test_a_plugin_can_not_take_a_name_that_is_there(bare: Command, tmp_path: Path) -> None:
    file = tmp_path / "taken.py"
    file.write_text(
        "from dataclasses import replace\n"
        "from edgewise.methods import PC_DARTS, RECIPES\n"
        "RECIPES.register('darts-v1', replace(PC_DARTS, name='darts-v1'))\n"
    )
    said = bare("recipes", "ls", "--plugin", file, fails=True).stderr
    assert "recipe 'darts-v1': there is one of that name already" in said


def test_a_stopped_run_with_a_part_from_outside_ends_as_one_that_was_never_stopped(
    installed: Command, site: Path, sparse_run: Path, tmp_path: Path
) -> None:
    script = (
        "import os, sys, edgewise\n"
        "from edgewise.search.task import SearchTask\n"
        "finish = SearchTask.finish_epoch\n"
        "def dies(self, epoch):\n"
        "    if epoch == 1: os._exit(9)\n"
        "    return finish(self, epoch)\n"
        "SearchTask.finish_epoch = dies\n"
        "edgewise.run(out=sys.argv[1], recipe='sparse-darts', sets=sys.argv[2:])\n"
    )
    folder = tmp_path / "run"
    sets = [text.removeprefix("--set=") for text in TINY]
    done = subprocess.run(
        [sys.executable, "-c", script, str(folder), *sets],
        env={**os.environ, "PYTHONPATH": str(site)},
        capture_output=True,
        text=True,
        timeout=600,
    )
    assert done.returncode == 9, done.stderr
    installed("run", "--resume", folder)
    assert (folder / "trace.jsonl").read_bytes() == (sparse_run / "trace.jsonl").read_bytes()
    assert (folder / "genotype.json").read_bytes() == (sparse_run / "genotype.json").read_bytes()


def test_strategy_and_score_from_outside_search_resume_and_report(
    installed: Command, bare: Command, tmp_path: Path
) -> None:
    folder = tmp_path / "climb"
    wanted = ["--strategy", "hill-climbing", "--score", "few-parameters:4", "--space", "darts"]
    installed("explore", *wanted, "--queries", 20, "--set", "strategy.patience=5", "--out", folder)
    results = json.loads((folder / "results.json").read_text())
    assert (results["strategy"], results["queries"]) == ("hill-climbing", 20)
    names = {one["name"] for one in json.loads((folder / "run.json").read_text())["plugins"]}
    assert names == {"edgewise-hill-climbing"}
    said = bare("explore", "--resume", folder, fails=True).stderr
    assert "needs the plug-in edgewise-hill-climbing" in said
    installed("explore", "--resume", folder)
    installed("report", folder)
    wrong = installed("explore", *wanted[:2], "--score", "few-parameters:x", "--out", tmp_path / "x", fails=True)
    assert "CHANNELS is a number (value found: 'x')" in wrong.stderr
    assert "few-parameters:CHANNELS" in wrong.stderr
