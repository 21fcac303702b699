"""Help comes at once, for every command, with examples that the command line itself can read."""

from __future__ import annotations

import re
import resource
import shlex
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer

from edgewise.cli.main import app
from edgewise.spaces import SPACES
from tests.cli.conftest import SCRIPT, Call, environment, python

ROOT = Path(__file__).parents[2]


def walk(command: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Every command that is no group, with the words that call it."""
    children = getattr(command, "commands", None)
    if children is None:
        yield path, command
        return
    for name, child in children.items():
        yield from walk(child, (*path, name))


COMMANDS = dict(walk(typer.main.get_command(app)))
EXPECTED = {
    ("run",), ("search",), ("derive",), ("train",), ("test",), ("export",), ("report",), ("check",), ("cite",),
    ("benchmark",), ("explore",),
    ("recipes", "ls"), ("recipes", "show"), ("recipes", "cite"), ("spaces", "ls"),
}  # fmt: skip


def examples(text: str) -> list[list[str]]:
    """The words of every example in backticks, without what the shell would do with the output."""
    found = [shlex.split(code) for code in re.findall(r"`([^`]*)`", text) if code.startswith("edgewise ")]
    return [words[: words.index(">")] if ">" in words else words for words in found]


def parse(words: list[str]) -> tuple[tuple[str, ...], dict[str, Any]]:
    """Reads an example as the command line would, without carrying it out."""
    path = tuple(words[1:3]) if tuple(words[1:3]) in COMMANDS else tuple(words[1:2])
    command = COMMANDS[path]
    with command.make_context(path[-1], words[1 + len(path) :]) as context:
        return path, context.params


def seconds_of_children() -> float:
    """What all finished children of this process have used of the processor: other work does not count."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def test_help_takes_less_than_half_a_second_of_the_processor() -> None:
    times = []
    for _ in range(5):
        before = seconds_of_children()
        subprocess.run([SCRIPT, "--help"], env=environment(), capture_output=True, check=True)
        times.append(seconds_of_children() - before)
    assert 0.0 < min(times) < 0.5


@pytest.mark.parametrize("arguments", [["--help"], ["--version"]])
def test_help_loads_nothing_heavy(arguments: list[str]) -> None:
    code = (
        "import sys\n"
        f"sys.argv = ['edgewise', *{arguments}]\n"
        "from edgewise.cli.main import main\n"
        "try:\n    main()\nexcept SystemExit:\n    pass\n"
        "heavy = ('torch', 'pydantic', 'numpy', 'datasets', 'sklearn', 'PIL', 'onnx', 'plotly')\n"
        "print('loaded:', [name for name in heavy if name in sys.modules])\n"
    )
    assert python(code).endswith("loaded: []\n")


def test_the_commands_are_those_of_the_design() -> None:
    assert set(COMMANDS) >= EXPECTED


@pytest.mark.parametrize("path", COMMANDS, ids=" ".join)
def test_every_command_has_help_with_an_example_of_itself(path: tuple[str, ...], call: Call) -> None:
    outcome = call(*path, "--help")
    assert outcome.code == 0
    assert re.search(rf"^.{{0,12}}edgewise {' '.join(path)}\b", outcome.out.split("Options")[-1], re.MULTILINE)
    assert re.search(rf"Usage: .*edgewise {' '.join(path)} \[OPTIONS\]", outcome.out)


@pytest.mark.parametrize("path", COMMANDS, ids=" ".join)
def test_the_examples_of_a_command_are_calls_that_it_understands(path: tuple[str, ...]) -> None:
    found = examples(COMMANDS[path].epilog)
    assert found
    assert {parse(words)[0] for words in found} == {path}


def test_an_example_with_an_option_that_does_not_exist_would_be_noticed() -> None:
    with pytest.raises(Exception, match="--sed"):
        parse(shlex.split("edgewise run --sed 3"))


@pytest.mark.parametrize("path", [("run",), ("search",), ("train",)], ids=" ".join)
def test_commands_that_make_a_run_have_the_options_of_the_design(path: tuple[str, ...]) -> None:
    options = {option for parameter in COMMANDS[path].params for option in parameter.opts}
    assert options >= {"--data", "--recipe", "--preset", "--set", "--seed", "--device", "--precision", "--out"}


@pytest.mark.parametrize("path", [("run",), ("search",)], ids=" ".join)
def test_the_help_names_the_spaces_that_can_be_searched_and_no_other(path: tuple[str, ...], call: Call) -> None:
    words = " ".join(call(*path, "--help").out.replace("│", " ").split())
    named = re.search(r"One of ([^;]*); see edgewise spaces ls", words)
    assert named is not None
    assert named[1].split(", ") == [space.name for space in SPACES.values() if space.searchable]


def test_help_of_a_run_loads_no_torch() -> None:
    code = (
        "import sys\n"
        "sys.argv = ['edgewise', 'run', '--help']\n"
        "from edgewise.cli.main import main\n"
        "try:\n    main()\nexcept SystemExit:\n    pass\n"
        "print('loaded:', [name for name in ('torch', 'numpy') if name in sys.modules])\n"
    )
    assert python(code).endswith("loaded: []\n")


def test_help_of_the_root_loads_no_spaces() -> None:
    code = (
        "import sys\n"
        "sys.argv = ['edgewise', '--help']\n"
        "from edgewise.cli.main import main\n"
        "try:\n    main()\nexcept SystemExit:\n    pass\n"
        "print('loaded:', [name for name in ('edgewise.spaces', 'edgewise.methods') if name in sys.modules])\n"
    )
    assert python(code).endswith("loaded: []\n")


@pytest.mark.parametrize("name", ["README.md", "CONTRIBUTING.md"])
def test_every_edgewise_command_of_the_documents_is_understood(name: str) -> None:
    for line in re.findall(r"^    (?:.*&& )?(edgewise .*)$", (ROOT / name).read_text(), re.MULTILINE):
        words = shlex.split(line, comments=True)
        words = words[: words.index(">")] if ">" in words else words
        assert words[1] == "--help" or parse(words)[0] in COMMANDS


def test_without_arguments_the_commands_are_listed(call: Call) -> None:
    out = call().out
    assert all(path[0] in out for path in EXPECTED)
