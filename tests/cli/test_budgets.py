"""Several budgets on the command line: values with commas, and the network that is taken."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from edgewise.cli.budget_options import budget_settings
from edgewise.errors import ConfigError
from tests.cli.conftest import Call, script
from tests.pipeline.small import SETS

# A budget finds the number of channels out.
FITTED = [part for text in SETS if "train.channels" not in text for part in ("--set", text)]
FAST = ("--set", "search.epochs=2", "--set", "train.epochs=1", "--compare", "none", "--device", "cpu")


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"max_params": "20k"}, ["budget.params=20k"]),
        ({"max_params": "20k", "int8": True}, ["budget.params=20k", "budget.int8=true"]),
        ({"max_params": "20k, 60k"}, ['budgets=[{params = "20k"}, {params = "60k"}]']),
        (
            {"max_params": "20k,60k", "max_ram": "64KiB", "int8": True},
            [
                'budgets=[{params = "20k", ram = "64KiB", int8 = true}, '
                '{params = "60k", ram = "64KiB", int8 = true}]'
            ],
        ),
        (
            {"max_params": "20k,60k", "max_ram": "16KiB,64KiB"},
            ['budgets=[{params = "20k", ram = "16KiB"}, {params = "60k", ram = "64KiB"}]'],
        ),
        ({"for": "a,boards.toml:b"}, ['budgets=[{device = "a"}, {device = "boards.toml:b"}]']),
    ],
)
def test_values_with_commas_make_a_budget_each(given: dict[str, object], expected: list[str]) -> None:
    assert budget_settings(given, several=True) == expected


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"max_params": "20,000"}, r"--max-params: 20,000 may be one number or several: write one as 20000"),
        ({"max_params": "20k,"}, "--max-params: "),
        ({"max_params": "20k,many"}, "--max-params: is no amount"),
        ({"max_params": "20k,60k", "max_ram": "1kB,2kB,3kB"}, r"--max-params 2, --max-ram 3"),
    ],
)
def test_values_that_make_no_budgets_are_refused(given: dict[str, object], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        budget_settings(given, several=True)


@pytest.mark.parametrize("command", [("fit", "DARTS_V2"), ("train", "DARTS_V2", "--data", "digits")])
def test_commands_that_make_one_network_take_one_value(call: Call, command: tuple[str, ...]) -> None:
    outcome = call(*command, "--max-params", "20k,60k")
    assert outcome.code != 0
    assert "--max-params: takes one value here (value found: 20k,60k)" in outcome.err


def test_a_run_with_several_budgets_ends_with_the_front_and_one_is_exported(tmp_path: Path) -> None:
    outcome = script("run", *FITTED, *FAST, "--max-params", "9k,14k", "--out", "run", cwd=tmp_path)
    assert outcome.code == 0, outcome.err
    lines = outcome.out.splitlines()
    head = next(i for i, line in enumerate(lines) if line.startswith("budget  "))
    assert [line.split()[0] for line in lines[head + 2 : head + 4]] == ["9k", "14k"]
    assert sum(line.startswith("Tested once") for line in lines) == 2
    none = script("export", "run", cwd=tmp_path)
    assert none.code != 0
    assert "pick one of 9k, 14k or knee" in none.err
    taken = script("export", "run", "--pick", "9k", "--out", "taken.onnx", cwd=tmp_path)
    assert taken.code == 0, taken.err
    results = json.loads((tmp_path / "run" / "budgets" / "9k" / "results.json").read_text())
    assert f"{results['found']['params']:,} parameters" in taken.out
    again = script("run", "--resume", "run", cwd=tmp_path)
    assert again.code == 0
    assert [line for line in again.out.splitlines() if line.startswith(("9k ", "14k "))] == lines[
        head + 2 : head + 4
    ]
