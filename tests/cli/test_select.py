"""`edgewise select`: which of given networks is best for these images."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from edgewise.spaces import read_genotype
from tests.cli.conftest import Call, script
from tests.pipeline.small import SETS

# A budget finds the number of channels out.
FITTED = [part for text in SETS if "train.channels" not in text for part in ("--set", text)]
HALVING = ("--set", "selection.rungs=2", "--set", "selection.epochs=2")


@pytest.fixture(scope="module")
def chosen(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    cwd = tmp_path_factory.mktemp("select")
    given = ("DARTS_V2", "PC_DARTS_cifar", "DARTS_V1", "resnet8")
    limits = ("--max-params", "9k", "--device", "cpu", "--out", "run")
    outcome = script("select", *given, *FITTED, *HALVING, *limits, cwd=cwd)
    assert outcome.code == 0, outcome.err
    return cwd / "run", outcome.out


def test_the_best_is_said_with_a_row_for_each(chosen: tuple[Path, str]) -> None:
    folder, out = chosen
    selection = json.loads((folder / "selection.json").read_text())
    lines = out.splitlines()
    head = next(i for i, line in enumerate(lines) if line.startswith("place "))
    assert len([line for line in lines[head + 2 :] if line[:1].isdigit()]) == 4
    assert "at most parameters 9,000" in lines[head - 1]
    assert max(one["params"] for one in selection["candidates"]) <= 9_000
    given = {"DARTS_V2", "PC_DARTS_cifar", "DARTS_V1", "resnet8"}
    assert {one["name"] for one in selection["candidates"]} == given


def test_nothing_is_tested_and_nothing_trained_to_its_end(chosen: tuple[Path, str]) -> None:
    folder = chosen[0]
    assert not (folder / "results.json").exists()
    assert not (folder / "network.safetensors").exists()
    assert (folder / "report.html").exists()
    phases = {json.loads(line)["phase"] for line in (folder / "trace.jsonl").read_text().splitlines()}
    assert phases == {"select"}


def test_cells_that_won_can_be_trained_from_the_folder(chosen: tuple[Path, str]) -> None:
    folder = chosen[0]
    selection = json.loads((folder / "selection.json").read_text())
    winner = next(one for one in selection["candidates"] if one["name"] == selection["winner"])
    assert read_genotype(folder).to_dict()["cells"] == winner["genotype"]["cells"]


def test_a_hand_made_network_that_won_leaves_no_cells(call: Call, tmp_path: Path) -> None:
    limits = ("--max-params", "9k", "--device", "cpu", "--out", tmp_path / "run")
    outcome = call("select", "resnet8", "inverted", *FITTED, *HALVING, *limits)
    assert outcome.code == 0, outcome.err
    assert json.loads((tmp_path / "run" / "selection.json").read_text())["winner"] in ("resnet8", "inverted")
    assert not (tmp_path / "run" / "genotype.json").exists()


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (("DARTS_V2",), "give two networks or more"),
        (("DARTS_V2", "DARTS_V2"), "DARTS_V2: given more than once"),
        (("DARTS_V2", "no-such"), "no-such"),
        (("resnet8", "inverted"), "state a limit, such as --max-params 80k"),
        (("DARTS_V2", "resnet8", "--max-params", "10"), "no candidate fits the budget"),
        (("DARTS_V2", "resnet8", "--set", "selection.rungs=20"), "selection.rungs = 20"),
    ],
)
def test_what_can_not_be_chosen_from_is_refused(
    given: tuple[str, ...], said: str, call: Call, tmp_path: Path
) -> None:
    outcome = call("select", *FITTED, *given, "--out", tmp_path / "run")
    assert outcome.code == 1
    assert said in outcome.err
    assert "Traceback" not in outcome.err
