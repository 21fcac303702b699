"""The table of all runs while they go on."""

from __future__ import annotations

from io import StringIO
from pathlib import Path

from edgewise.progress.bars import RichProgress
from edgewise.study import make_cells, plan_runs
from edgewise.study.state import RunState
from edgewise.study.status_table import PlainStatusView, StatusTable
from edgewise.study.status_table_rich import make_status_view
from tests.study.factory import Lines, spec

FINISHED, WAITING, RUNNING = RunState("finished"), RunState("waiting"), RunState("running")


def statuses(root: Path, *states: RunState) -> StatusTable:
    study = spec()
    runs = plan_runs(study, make_cells(study))
    return StatusTable(root, runs, {run.name: state for run, state in zip(runs, states, strict=True)})


def record(root: Path, name: str, epochs: int) -> None:
    (root / name).mkdir(parents=True)
    (root / name / "timings.jsonl").write_text("{}\n" * epochs)


def test_the_table_has_a_row_for_each_method_and_a_column_for_each_seed(tmp_path: Path) -> None:
    record(tmp_path, "pc-darts/seed1", 3)
    found = statuses(tmp_path, FINISHED, RunState("failed", "nan"), RUNNING, WAITING)
    assert found.columns() == ["method", "seed 0", "seed 1"]
    # Three of two search and two training epochs.
    assert found.rows() == [["pc-darts", "done", "75%"], ["pc-darts-gp", "FAILED", "."]]


def test_the_share_counts_epochs_of_all_runs(tmp_path: Path) -> None:
    record(tmp_path, "pc-darts/seed1", 3)
    assert statuses(tmp_path, FINISHED, WAITING, RUNNING, WAITING).share() == (4 + 3) / 16
    assert statuses(tmp_path, *[FINISHED] * 4).share() == 1.0


def test_plain_lines_tell_of_beginnings_ends_and_now_and_then_of_the_middle(tmp_path: Path) -> None:
    lines, now = Lines(), [0.0]
    view = PlainStatusView(statuses(tmp_path, *[WAITING] * 4), lines, clock=lambda: now[0], every=30.0)
    first = view._statuses.runs[0]
    view.note(first, RUNNING)
    record(tmp_path, first.name, 1)
    now[0] = 29.0
    view.refresh()
    assert lines.lines == ["[0/4] pc-darts/seed0: started"]
    now[0] = 30.0
    view.refresh()
    # One of 16 epochs in 30 s leaves 15 times 30 s.
    assert lines.lines[1:] == ["6% of all epochs, 7 min 30 s left; pc-darts/seed0 25%"]
    view.note(first, RunState("failed", "the loss is nan"))
    assert lines.lines[2:] == ["[0/4] pc-darts/seed0: failed: the loss is nan"]
    view.note(first, FINISHED)
    assert lines.lines[3:] == ["[1/4] pc-darts/seed0: finished"]


def test_a_terminal_gets_the_table_and_keeps_what_went_wrong(tmp_path: Path) -> None:
    out = StringIO()
    found = statuses(tmp_path, *[WAITING] * 4)
    view = make_status_view(found, RichProgress(out, width=100))
    view.note(found.runs[0], FINISHED)
    view.note(found.runs[1], RunState("failed", "the [loss] is nan"))
    view.close()
    text = out.getvalue()
    assert "pc-darts-gp/seed0: failed: the [loss] is nan" in text
    assert "1 of 4 runs finished" in text
    assert "FAILED" in text


def test_names_with_brackets_are_no_markup_in_a_terminal(tmp_path: Path) -> None:
    out = StringIO()
    study = spec(methods=["v"], variants=[{"name": "v", "recipe": "darts", "title": "DARTS [11]"}])
    runs = plan_runs(study, make_cells(study))
    make_status_view(
        StatusTable(tmp_path, runs, {run.name: FINISHED for run in runs}), RichProgress(out, width=100)
    ).close()
    assert "DARTS [11]" in out.getvalue()
