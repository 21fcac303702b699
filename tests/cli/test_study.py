"""`edgewise study`: from the file to the tables, and what is wrong in one message."""

from __future__ import annotations

from pathlib import Path

import pytest

from edgewise.errors import RunError
from tests.cli.conftest import Call
from tests.study.factory import FakePipeline, install

STUDY = """
name = "mine"
methods = ["pc-darts", "pc-darts-gp"]
seeds = [0, 1]
base = ["compare=[]"]
"""


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> FakePipeline:
    """Runs that take no time, in a folder of their own."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.toml").write_text(STUDY)
    return install(monkeypatch, FakePipeline())


def test_a_study_prints_its_tables_and_leaves_its_files(call: Call, fake: FakePipeline, tmp_path: Path) -> None:
    outcome = call("study", "run", "mine.toml")
    assert (outcome.code, outcome.err) == (0, "")
    assert "[4/4] pc-darts-gp/seed1: finished" in outcome.out
    assert "mean over searches: test error, %" in outcome.out
    left = {path.name for path in (tmp_path / "studies" / "mine").iterdir()}
    assert left >= {"study.toml", "study.json", "study.html", "summary.csv", "summary.tex", "runs.csv", "pc-darts"}


def test_the_word_run_may_be_left_away(call: Call, fake: FakePipeline) -> None:
    assert call("study", "mine.toml", "--out", "a", "--seeds", "5").code == 0
    assert fake.started == ["pc-darts/seed5", "pc-darts-gp/seed5"]


def test_a_shipped_study_takes_scale_data_and_sets(call: Call, fake: FakePipeline, tmp_path: Path) -> None:
    (tmp_path / "sets" / "cifar100").mkdir(parents=True)
    arguments = ("--scale", "small", "--data", "sets", "--set", "search.epochs=3", "--retrain-best", "0")
    outcome = call("study", "table-4.1", *arguments)
    assert outcome.code == 0
    assert len(fake.started) == 35
    assert "Published figures beside ours" in outcome.out
    assert "search.epochs 3 instead of 50" in outcome.out
    recipe = (tmp_path / "studies" / "table-4.1-small" / "out-random" / "seed4" / "recipe.toml").read_text()
    assert 'source = "sets/cifar100"' in recipe
    assert 'direction = "out"' in recipe


def test_runs_that_fail_are_named_after_the_tables_and_the_call_fails(call: Call, fake: FakePipeline) -> None:
    fake.fails = {("pc-darts", 1): RunError("the loss is nan")}
    outcome = call("study", "run", "mine.toml")
    assert outcome.code == 1
    assert "1 of 2" in outcome.out
    assert outcome.err.startswith("error: 1 of 4 runs did not finish:\n  pc-darts/seed1 (failed): the loss is nan")


def test_report_sums_a_study_up_anew(call: Call, fake: FakePipeline, tmp_path: Path) -> None:
    call("study", "run", "mine.toml", "--out", "s")
    before = (tmp_path / "s" / "study.html").read_text()
    (tmp_path / "s" / "study.html").unlink()
    assert call("study", "report", "s").code == 0
    assert (tmp_path / "s" / "study.html").read_text() == before


def test_ls_and_show_give_the_shipped_studies(call: Call, fake: FakePipeline, tmp_path: Path) -> None:
    listed = call("study", "ls").out
    assert [line.split()[0] for line in listed.splitlines()] == [
        "table-2.1",
        "table-4.1",
        "table-4.2",
        "table-4.3",
    ]
    (tmp_path / "copy.toml").write_text(call("study", "show", "table-4.1").out)
    assert call("study", "run", "copy.toml", "--scale", "tiny", "--out", "c").code == 0


WRONG = {
    "file that is missing": (["study", "run", "gone.toml"], ["gone.toml"]),
    "unknown study": (["study", "table-9.9"], ["unknown study 'table-9.9'", "table-2.1"]),
    "scale of a study without": (["study", "mine.toml", "--scale", "tiny"], ["no scales", "leave --scale away"]),
    "repeated seeds": (["study", "mine.toml", "--seeds", "1,1"], ["seeds: 1 stands there more than once"]),
    "seeds that are no numbers": (["study", "mine.toml", "--seeds", "a"], ["--seeds a", "0,1,2"]),
    "unknown setting": (["study", "mine.toml", "--set", "search.epoch=1"], ["search.epoch", "nearest: epochs"]),
    "workers and Ray": (["study", "mine.toml", "--workers", "2", "--on", "ray"], ["--workers", "--on"]),
    "address that is none": (["study", "mine.toml", "--on", "rays://x"], ["--on rays://x", "ray://HOST:PORT"]),
    "folder that is no study": (["study", "report", "."], ["no edgewise study"]),
}


@pytest.mark.parametrize("case", WRONG)
def test_what_is_wrong_is_said_once_and_nothing_is_left_behind(
    case: str, call: Call, fake: FakePipeline, tmp_path: Path
) -> None:
    arguments, parts = WRONG[case]
    outcome = call(*arguments)
    assert (outcome.code, outcome.out, outcome.err.count("error:")) == (1, "", 1)
    assert [part for part in parts if part not in outcome.err] == []
    assert [path.name for path in tmp_path.iterdir()] == ["mine.toml"]
    assert fake.started == []
