"""The commands and the functions of Python are made of one dataclass of options."""

from __future__ import annotations

import inspect
from dataclasses import fields
from pathlib import Path

import pytest
import typer
from typer.main import get_command

import edgewise
from edgewise.cli.main import app
from edgewise.cli.options import RUN_OPTIONS
from edgewise.errors import ConfigError
from edgewise.methods import PC_DARTS
from edgewise.pipeline import RunOptions
from edgewise.spaces import SPACES, CellSpace, Topology

FIELDS = {field.name: field.default for field in fields(RunOptions)}
# Limits have options of their own; what is shown in a terminal follows from the terminal.
ELSEWHERE = {"budget", "progress"}
# Typer knows no empty sequence and no empty text; a folder gets a name, and estimates are for people.
OWN = {"out", "estimate", "sets", "compare", "track"}


def test_every_field_has_its_option_and_every_option_its_field() -> None:
    assert set(RUN_OPTIONS) == set(FIELDS) - ELSEWHERE


@pytest.mark.parametrize("name", [name for name in RUN_OPTIONS if name not in OWN])
def test_an_option_and_its_field_have_the_same_default(name: str) -> None:
    default = RUN_OPTIONS[name][1]
    assert getattr(default, "value", default) == FIELDS[name]


@pytest.mark.parametrize(
    "function", [edgewise.run, edgewise.run_search, edgewise.run_training, edgewise.run_selection]
)
def test_a_function_has_all_options_and_describes_them(function) -> None:
    names = list(inspect.signature(function).parameters)
    assert names[-len(FIELDS) :] == list(FIELDS)
    assert all(f"    {name}: " in function.__doc__ for name in FIELDS)
    with pytest.raises(TypeError, match="out"):
        function(*["x"] * (len(names) - len(FIELDS)))


@pytest.mark.parametrize("command", ["run", "search", "train", "select"])
def test_a_command_has_the_options_that_concern_it(command: str) -> None:
    group = get_command(app)
    assert isinstance(group, typer.core.TyperGroup)
    names = {parameter.name for parameter in group.commands[command].params}
    missing = set(RUN_OPTIONS) - names
    assert missing <= {"space", "memory", "truth", "compare", "estimate"}


def test_what_is_said_twice_is_refused(tmp_path: Path) -> None:
    for option, setting in (
        ("space", "space=s1"),
        ("memory", "search.memory=low"),
        ("image_size", "data.image_size=8"),
    ):
        value = {"space": "s2", "memory": "low", "image_size": 16}[option]
        options = RunOptions(out=tmp_path, sets=[setting], **{option: value})
        with pytest.raises(ConfigError, match=rf"--{option.replace('_', '-')} and --set .* say the same thing"):
            options.settings()


def test_objects_do_as_names_do(tmp_path: Path) -> None:
    name = "of-python-alone"
    cells = CellSpace(name, Topology.dense(2, 2), SPACES["darts"].primitives)
    try:
        by_object = RunOptions(out=tmp_path, recipe=PC_DARTS, space=cells, preset="small").settings()
        assert by_object == RunOptions(out=tmp_path, recipe="pc-darts", space=name, preset="small").settings()
    finally:
        del SPACES[name]
