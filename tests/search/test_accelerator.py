"""A step on an accelerator never waits for it, finds everything there, and computes what a CPU computes.

There is none: see `tests.pretended`.
"""

from __future__ import annotations

import inspect
import json
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from edgewise.methods import RECIPES
from tests.pretended import POSSIBLE

pytestmark = pytest.mark.skipif(not POSSIBLE, reason="this PyTorch has no backends in Python")

REPOSITORY = Path(__file__).parents[2]
OTHERS = ["memory-low", "clipped-alpha", "nb201", "s4", "images-decoded-on-the-way", "training"]
# What is planted, and what the step is caught at.
PLANTED = {
    "a number is read": "_local_scalar_dense at search/bilevel.py",
    "a copy is waited for": "_to_copy at methods/projection.py",
    "a list becomes a tensor there": "copy_ at search/",
    "a mask picks": "index with a mask at search/bilevel.py",
    "a tensor is left behind": "on the CPU, and others on pretended at search/bilevel.py",
    "a generator is left behind": " at methods/skips.py",
}


@cache
def results(group: str) -> dict[str, dict[str, Any]]:
    """What a process of its own found, by case."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.search.on_accelerator", group],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        timeout=800,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return {found["case"]: found for found in map(json.loads, done.stdout.splitlines())}


@pytest.mark.parametrize("name", RECIPES)
@pytest.mark.parametrize("engine", ["plain", "grouped"])
def test_no_step_of_a_recipe_waits_but_once_for_each_sample_of_a_mixture(engine: str, name: str) -> None:
    found = results(engine)[name]
    assert found["error"] is None
    assert found["copies"] == [[], []]
    relaxation = RECIPES[name].relaxation
    passes = 2 if relaxation.draws else 0
    assert [len(reads) for reads in found["reads"]] == [passes, passes]
    file = f"methods/{Path(inspect.getfile(type(relaxation))).name}"
    assert all(file in read for reads in found["reads"] for read in reads)


@pytest.mark.parametrize("name", OTHERS)
def test_nothing_else_that_takes_steps_waits(name: str) -> None:
    found = results("others")[name]
    assert (found["error"], found["reads"], found["copies"]) == (None, [[], []], [[], []])


@pytest.mark.parametrize("name", RECIPES)
@pytest.mark.parametrize("engine", ["plain", "grouped"])
def test_the_losses_and_accuracies_there_are_those_of_the_cpu(engine: str, name: str) -> None:
    there, here = results(engine)[name]["figures"], results("cpu")[name]["figures"]
    assert len(here) == 4
    assert there == pytest.approx(here, rel=1e-4)


@pytest.mark.parametrize("mistake", PLANTED)
def test_what_waits_or_is_on_the_wrong_side_is_found(mistake: str) -> None:
    found = results("planted")[mistake]
    assert PLANTED[mistake] in json.dumps([found["error"], found["reads"], found["copies"]])


def test_every_case_was_carried_out() -> None:
    assert list(results("plain")) == list(results("grouped")) == list(RECIPES)
    assert list(results("others")) == OTHERS
    assert list(results("planted")) == list(PLANTED)
