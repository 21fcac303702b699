"""Plug-ins: loaded once and by the user alone, noted where they are used, asked for where they are missing."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

import edgewise.pipeline  # noqa: F401  (its tables)
from edgewise import plugins
from edgewise.errors import ConfigError, RunError
from edgewise.plugins import (
    ENVIRONMENT,
    load_installed,
    load_plugin,
    plugins_of,
    require_plugins,
    require_plugins_of,
)
from edgewise.registry import Registry

CODE = """
from dataclasses import replace
from edgewise.methods import PC_DARTS, RECIPES
__version__ = "1.5"
RECIPES.register("of-a-plugin", replace(PC_DARTS, name="of-a-plugin"))
"""


@pytest.fixture(autouse=True)
def undone(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Takes back what a test has registered."""
    monkeypatch.setenv(ENVIRONMENT, "")
    monkeypatch.setattr(plugins, "_loaded", {})
    before = [(table, dict(table)) for table in Registry.tables]
    yield
    for table, items in before:
        table.clear()
        table.update(items)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "mine.py"
    path.write_text(CODE)
    return path


def test_a_file_is_loaded_once_and_says_what_it_adds(file: Path) -> None:
    plugin = load_plugin(file)
    assert (plugin.name, plugin.version, plugin.given) == ("mine", "1.5", str(file))
    assert plugin.adds == (("recipe", "of-a-plugin"),)
    file.write_text("raise ValueError")
    assert load_plugin(file) is plugin


def test_what_runs_in_other_processes_loads_what_was_given_here(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    load_plugin(file)
    assert os.environ[ENVIRONMENT] == str(file.resolve())
    monkeypatch.setattr(plugins, "_loaded", {})
    next(table for table in Registry.tables if table.kind == "recipe").pop("of-a-plugin")
    assert [plugin.name for plugin in load_installed() if plugin.given != "installed"] == ["mine"]


def test_a_version_that_nobody_states_is_the_beginning_of_the_files_digest(tmp_path: Path) -> None:
    versions = set()
    for i in range(2):
        (tmp_path / f"own{i}.py").write_text(f"VALUE = {i}\n")
        versions.add(load_plugin(tmp_path / f"own{i}.py").version)
    assert len(versions) == 2
    assert all(len(version) == 12 for version in versions)


def test_a_plugin_is_noted_where_something_of_it_stands_in_the_settings(file: Path) -> None:
    load_plugin(file)
    noted = [{"name": "mine", "version": "1.5", "given": str(file)}]
    assert plugins_of({"a": {"kind": "of-a-plugin"}}) == noted
    assert plugins_of({"of-a-plugin": {}}) == noted
    assert plugins_of({"a": ["x", "of-a-plugin:3"]}) == noted
    assert plugins_of({"a": {"kind": "of-another"}, "b": 3, "c": None}) == []


def test_a_folder_whose_plugin_is_missing_says_which_and_how_to_give_it(file: Path, tmp_path: Path) -> None:
    noted = [
        {"name": "mine", "version": "1.5", "given": "mine.py"},
        {"name": "b", "version": "2", "given": "installed"},
    ]
    with pytest.raises(RunError, match=r"plug-in mine, version 1\.5, and 1 more, .* add --plugin mine\.py"):
        require_plugins(noted, "run")
    load_plugin(file)
    with pytest.raises(RunError, match=r"needs the plug-in b, version 2, which is not loaded: install b 2"):
        require_plugins(noted, "run")
    (tmp_path / "run.json").write_text(json.dumps({"plugins": noted[:1]}))
    require_plugins_of(tmp_path)
    require_plugins_of(tmp_path / "nowhere")
    (tmp_path / "run.json").write_text("no JSON")
    require_plugins_of(tmp_path)
    (tmp_path / "run.json").write_text('{"plugins": 3}')
    require_plugins_of(tmp_path)


def test_a_folder_never_loads_what_it_names(file: Path) -> None:
    with pytest.raises(RunError, match="not loaded"):
        require_plugins([{"name": "mine", "version": "1.5", "given": str(file)}], "run")
    assert plugins.loaded_plugins() == () or all(one.given == "installed" for one in plugins.loaded_plugins())


def test_another_version_is_said_and_goes_on(file: Path, caplog: pytest.LogCaptureFixture) -> None:
    load_plugin(file)
    require_plugins([{"name": "mine", "version": "1.4", "given": "mine.py"}], "run-of-1.4")
    assert "run-of-1.4 began with version 1.4 of plug-in mine, and version 1.5 is loaded" in caplog.text


def test_a_package_and_its_module_are_the_same_plugin(tmp_path: Path) -> None:
    (tmp_path / "edgewise_own.py").write_text("__version__ = '1'\n")
    load_plugin(tmp_path / "edgewise_own.py")
    require_plugins([{"name": "edgewise-own", "version": "1", "given": "installed"}], "run")


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("1 / 0\n", r"broken\.py can't be loaded: ZeroDivisionError: division by zero"),
        ("import edgewise_nothing_here\n", "No module named 'edgewise_nothing_here'"),
        ("from edgewise.methods import *\nRECIPES.register('gdas', DARTS_V1)\n", "recipe 'gdas': there is one"),
    ],
)
def test_a_plugin_that_fails_is_named_with_its_reason(code: str, said: str, tmp_path: Path) -> None:
    (tmp_path / "broken.py").write_text(code)
    with pytest.raises(ConfigError, match=said):
        load_plugin(tmp_path / "broken.py")
    with pytest.raises(ConfigError, match=said):
        load_plugin(tmp_path / "broken.py")


def test_a_module_that_is_not_there_is_an_error() -> None:
    with pytest.raises(ConfigError, match="plug-in edgewise_nowhere can't be loaded: ModuleNotFoundError"):
        load_plugin("edgewise_nowhere")
    with pytest.raises(ConfigError, match="there is no such file"):
        load_plugin("nowhere.py")
