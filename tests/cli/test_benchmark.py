"""edgewise benchmark, and --truth of edgewise search."""

from __future__ import annotations

from pathlib import Path

import pytest

from edgewise.spaces.nb201 import from_string
from tests.cli.conftest import Call
from tests.tabular.made_up import ARCHS, rows, write_csv


@pytest.fixture
def table(tmp_path: Path) -> Path:
    return write_csv(tmp_path / "made-up.csv", rows())


def test_a_table_is_summarised_with_the_best_cell_of_each_data_set(call: Call, table: Path) -> None:
    outcome = call("benchmark", table, "--partial")
    assert outcome.code == 0, outcome.err
    lines = outcome.out.splitlines()
    assert lines[0] == f"{table}: 4 architectures of NAS-Bench-201"
    for dataset, best in (("cifar10", "89.50"), ("cifar100", "88.50"), ("imagenet16", "87.50")):
        (line,) = [line for line in lines if line.startswith(f"{dataset} ")]
        assert line.split()[1] == best
        assert line.endswith(ARCHS[0])


def test_a_cell_is_found_by_string_index_file_and_run_folder(call: Call, table: Path, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    folder.mkdir()
    (folder / "genotype.json").write_text(from_string(ARCHS[3]).to_json())
    (folder / "cell.txt").write_text(f"{ARCHS[3]}\n")
    answers = {
        call("benchmark", table, "--partial", "--query", query).out
        for query in (ARCHS[3], "30", folder, folder / "genotype.json", folder / "cell.txt")
    }
    assert len(answers) == 1
    (answer,) = answers
    assert answer.startswith(f"{ARCHS[3]}: index 30, 73,309 parameters, 7,783,053 flops\n")
    (line,) = [line for line in answer.splitlines() if line.startswith("cifar10_test ")]
    assert line.split() == ["cifar10_test", "49.50", "%", "2", "of", "4", "40.00"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "4 of the 15,625 architectures"),
        (["--partial", "--query", "31"], "no index 31"),
        (["--partial", "--query", "resnet"], "NAS-Bench-201"),
        (["--partial", "--query", "missing.json"], "missing.json can't be read"),
        (["--partial", "--query", "PDARTS"], "space darts has no string of NAS-Bench-201"),
        (["--partial", "--query", "|none~0|+|none~0|"], "it has 2 nodes joined by `+`"),
    ],
)
def test_what_can_not_be_answered_is_an_error(arguments: list[str], said: str, call: Call, table: Path) -> None:
    outcome = call("benchmark", table, *arguments)
    assert outcome.code == 1
    assert said in outcome.err
    assert "Traceback" not in outcome.err


def test_truth_is_refused_for_a_search_of_another_space_before_anything_is_written(
    call: Call, table: Path, tmp_path: Path
) -> None:
    outcome = call("search", "--truth", table, "--out", tmp_path / "run")
    assert outcome.code == 1
    assert "this search is of space darts" in outcome.err
    assert not (tmp_path / "run").exists()
