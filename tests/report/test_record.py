from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from edgewise.errors import RunError
from edgewise.report import write_report
from edgewise.report.record import read_record


def edit(path: Path, line: int, change: dict | str) -> None:
    """DrawnHooks a line of a file of records, counted from 1: a text replaces it, None removes a key."""
    lines = path.read_text().splitlines()
    if isinstance(change, str):
        lines[line - 1] = change
    else:
        record = {**json.loads(lines[line - 1]), **change}
        removed = [key for key, value in change.items() if value is None]
        lines[line - 1] = json.dumps({key: value for key, value in record.items() if key not in removed})
    path.write_text("\n".join(lines) + "\n")


def place(path: Path, line: int) -> str:
    return re.escape(f"{path}, line {line}")


def test_a_broken_trace_line_is_named_with_its_file(folder: Path) -> None:
    trace = folder / "trace.jsonl"
    edit(trace, 4, '{"phase": "search", "epo')
    with pytest.raises(RunError, match=place(trace, 4)):
        write_report(folder)
    assert not (folder / "report.html").exists()


@pytest.mark.parametrize(
    ("line", "change", "words"),
    [
        (2, {"weights_loss": None}, "weights_loss missing"),
        (3, {"phase": None}, "phase missing"),
        (5, {"alpha": {"normal": [[1, 2], [3]], "reduce": [[1, 2], [3, 4]]}}, "alpha or beta is no table"),
        (5, {"alpha": {"normal": [[1, 2]], "reduce": [[1, 2]]}}, "the epochs before it"),
        (6, {"beta": {"normal": ["x"], "reduce": [1]}}, "alpha or beta is no table"),
        (7, {"genotype": {"format": "edgewise.genotype/1", "space": "darts", "cells": {}}}, "damaged"),
        (8, {"conflicts": {"direction": "in"}}, "projected, groups missing"),
        (14, {"loss": None}, "loss missing"),
        (4, {"weights_loss": float("nan")}, "weights_loss = nan"),
    ],
)
def test_a_trace_line_that_lacks_something_is_named(folder: Path, line: int, change: dict, words: str) -> None:
    trace = folder / "trace.jsonl"
    edit(trace, line, change)
    with pytest.raises(RunError, match=f"{place(trace, line)}.*{words}"):
        read_record(folder)


def test_a_last_line_that_a_kill_cut_off_does_not_count(folder: Path) -> None:
    trace = folder / "trace.jsonl"
    whole = len(read_record(folder).training["hand"])
    trace.write_text(trace.read_text()[:-20])
    assert len(read_record(folder).training["hand"]) == whole - 1


def test_records_of_single_steps_are_no_epochs(folder: Path) -> None:
    trace = folder / "trace.jsonl"
    trace.write_text('{"phase": "search-step", "epoch": 0, "step": 0}\n' + trace.read_text())
    assert len(read_record(folder).search) == 12


def test_a_damaged_timings_line_is_named(folder: Path) -> None:
    edit(folder / "timings.jsonl", 2, {"seconds": None})
    with pytest.raises(RunError, match=place(folder / "timings.jsonl", 2)):
        read_record(folder)


@pytest.mark.parametrize(
    ("name", "content"),
    [("recipe.toml", "name = ["), ("results.json", '{"found": {}}'), ("genotype.json", "{}"), ("run.json", "{")],
)
def test_a_damaged_file_is_named(folder: Path, name: str, content: str) -> None:
    (folder / name).write_text(content)
    with pytest.raises(RunError, match=re.escape(str(folder / name))):
        read_record(folder)


def test_a_folder_that_is_no_run_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="no edgewise run"):
        write_report(tmp_path)


def test_networks_come_in_the_order_found_random_hand_whatever_the_files_say(folder: Path, results: dict) -> None:
    (folder / "results.json").write_text(json.dumps(dict(reversed(results.items()))))
    record = read_record(folder)
    assert list(record.results) == ["found", "random", "hand"]
    assert list(record.training) == ["found", "random", "hand"]
