"""Parts that can't be combined are refused before anything begins: one clear error and nothing left behind."""

from __future__ import annotations

import ast
import inspect
import textwrap
from pathlib import Path
from typing import Any

import pytest

from edgewise.errors import ConfigError
from edgewise.methods import PARTS
from edgewise.pipeline import RunOptions, Settings, resolve
from edgewise.spaces import SPACES
from tests.cli.conftest import SMALL, Call

# What stands first in the message, and a call for each way to come to it.
PAIRS = {
    "relaxation gumbel_hard and a second-order gradient": [
        ["gdas", "gradient.kind=exact"],
        ["gdas-gp", "gradient.kind=finite_difference"],
        ["darts-v2", "relaxation.kind=gumbel_hard"],
    ],
    "relaxation gumbel_hard and perturbation": [
        ["gdas", "perturbation.kind=random_smoothing"],
        ["s-darts-adv", "relaxation.kind=gumbel_hard"],
    ],
    "relaxation dirichlet and gradient finite_difference": [
        ["drnas-simple", "gradient.kind=finite_difference"],
        ["darts-v2-fd", "relaxation.kind=dirichlet"],
    ],
    "gradient finite_difference and random outputs": [
        ["darts-v2-fd", "noise.factor=0.1"],
        ["darts-v2-fd", "skip_dropout.rates=[0.3]"],
        ["r-darts-dp", "gradient.kind=finite_difference"],
    ],
    "stages and stop": [["p-darts", "stop.kind=hessian_stop"], ["r-darts-es", "stages.kind=stages"]],
    "adaptation without stop": [["darts", "adaptation.times=3.0"], ["r-darts-ada", "stop=none"]],
    "adaptation and weight_decay_ramp": [["r-darts-ada", "weight_decay_ramp.kind=weight_decay_ramp"]],
    "adaptation and weights.weight_decay = 0": [["r-darts-ada", "weights.weight_decay=0.0"]],
}
OTHERS = {
    "space 'amoeba' can't be searched": [["darts", "space=amoeba"]],
    "warm_up.epochs = 12 leaves no epoch": [["pc-darts", "warm_up.epochs=12", "search.epochs=12"]],
    "warm_up.epochs = 4 leaves no epoch of a stage": [["p-darts", "warm_up.epochs=4", "search.epochs=12"]],
    "3 stages need at least as many epochs": [["p-darts", "search.epochs=2"]],
    "noise acts on skip_connect, and space s4 has none": [["noisy-darts", "space=s4"]],
    "skip_dropout acts on skip_connect, and space s4 has none": [["p-darts", "space=s4"]],
    "stages.primitives[0] = 6": [["p-darts", "stages.primitives=[6, 5, 3]"]],
    "skip_dropout.rates has 3 entries for 1 stage": [["p-darts", "stages=none"]],
    "search.channels = 9": [["pc-darts", "search.channels=9"]],
    "train.channels = 1: a factorised reduction": [["darts", "train.channels=1"]],
    "weights.lr_min = 0.2": [["darts", "weights.lr=0.1", "weights.lr_min=0.2"]],
}
SEARCHABLE = [name for name, space in SPACES.items() if space.searchable]
CALLS = [(said, words) for table in (PAIRS, OTHERS) for said, calls in table.items() for words in calls]


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Runs that begin by mistake must not begin in the repository."""
    monkeypatch.chdir(tmp_path)


def sets(words: list[str]) -> list[str]:
    return [part for word in words for part in ("--set", word)]


@pytest.mark.parametrize(("said", "words"), CALLS, ids=lambda part: part if isinstance(part, str) else part[0])
@pytest.mark.parametrize("command", ["run", "search"])
def test_a_refused_combination_is_one_error_and_leaves_nothing_behind(
    command: str, said: str, words: list[str], call: Call, tmp_path: Path
) -> None:
    name, *changes = words
    outcome = call(command, "--recipe", name, *sets(changes), "--out", "new")
    assert (outcome.code, outcome.out) == (1, "")
    assert outcome.err.startswith("error: recipe ")
    assert outcome.err.count("error:") == 1
    assert said in outcome.err
    assert "Traceback" not in outcome.err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("said", PAIRS)
def test_a_refused_pair_says_what_to_drop_or_take(said: str, call: Call) -> None:
    for name, *changes in PAIRS[said]:
        err = call("run", "--recipe", name, *sets(changes)).err
        line = next(line for line in err.splitlines() if said in line)
        assert any(word in line for word in ("=none", ".kind=", "above 0"))


def sentences() -> list[str]:
    """The longest fixed text of every sentence in which a part refuses something."""
    found = []
    for part in PARTS.values():
        if "refusals" not in vars(part):
            continue
        tree = ast.parse(textwrap.dedent(inspect.getsource(part.refusals)))
        documented = {id(tree.body[0].body[0].value)}  # type: ignore[attr-defined]
        inner = {id(value) for node in ast.walk(tree) if isinstance(node, ast.JoinedStr) for value in node.values}
        for node in ast.walk(tree):
            texts = []
            if isinstance(node, ast.JoinedStr):
                texts = [value.value for value in node.values if isinstance(value, ast.Constant)]
            elif isinstance(node, ast.Constant) and id(node) not in documented | inner:
                texts = [node.value] if isinstance(node.value, str) else []
            longest = max(texts, key=len, default="")
            if len(longest) > 20:
                found.append(longest)
    return found


def test_every_sentence_in_which_a_part_refuses_something_has_a_call_here() -> None:
    said = []
    for _, (name, *changes) in CALLS:
        with pytest.raises(ConfigError) as error:
            resolve(name, sets=changes)
        said.append(str(error.value))
    known = sentences()
    assert len(known) >= 10
    assert [text for text in known if not any(text in one for one in said)] == []


def test_every_fault_of_a_call_is_named_on_a_line_of_its_own(call: Call) -> None:
    err = call("run", "--recipe", "gdas", *sets(["gradient.kind=exact", "space=amoeba", "train.channels=1"])).err
    first, *lines = err.splitlines()
    assert first == "error: recipe gdas: 3 problems:"
    assert [line.split()[0] for line in lines] == ["space", "relaxation", "train.channels"]


@pytest.mark.parametrize("space", SEARCHABLE)
def test_space_is_the_same_as_setting_it(space: str, call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    from edgewise.cli import runs

    def options(given: dict[str, Any]) -> Settings:
        return RunOptions(out="", **given).settings()

    begun = []
    monkeypatch.setattr(runs, "_begin", lambda given, *_, **__: begun.append(options(given)))
    for command in ("run", "search"):
        assert call(command, "--recipe", "darts", "--space", space).code == 0
        assert call(command, "--recipe", "darts", "--set", f"space={space}").code == 0
    assert len(begun) == 4
    assert all(settings == begun[0] for settings in begun)
    assert begun[0].space == space


@pytest.mark.parametrize("space", ["amoeba", "s5"])
def test_a_space_that_cannot_be_searched_is_refused_with_those_that_can(
    space: str, call: Call, tmp_path: Path
) -> None:
    outcome = call("search", "--space", space)
    assert outcome.code == 1
    assert f"space '{space}' can't be searched: choose one of {', '.join(SEARCHABLE)}" in outcome.err
    assert list(tmp_path.iterdir()) == []


def test_a_space_that_is_said_twice_is_refused(call: Call) -> None:
    outcome = call("run", "--space", "s1", "--set", "space=s2")
    assert outcome.code == 1
    assert "--space and --set space" in outcome.err


def test_a_resumed_run_refuses_another_space(call: Call) -> None:
    outcome = call("run", "--resume", "gone", "--space", "s1")
    assert outcome.code == 1
    assert "leave --space away" in outcome.err


def test_a_search_of_a_robust_space_finds_cells_of_that_space(call: Call, tmp_path: Path) -> None:
    small = [
        *SMALL,
        *sets(["data.train_images=64", "search.epochs=1", "warm_up=none", "search.trace_steps=false"]),
    ]
    outcome = call("search", "--recipe", "pc-darts-gp", "--space", "s1", *small, "--device", "cpu", "--out", "s1")
    assert outcome.code == 0, outcome.err
    checked = call("check", tmp_path / "s1" / "genotype.json")
    assert "a valid genotype of space s1" in checked.out
