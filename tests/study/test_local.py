"""Runs in processes of their own: side by side, tried again when they die, asked to stop once."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from edgewise.pipeline import start
from edgewise.study import StudyOptions, conduct
from edgewise.study.local import InProcess, Processes
from edgewise.study.spec import spec_from_table
from edgewise.study.worker import Job, Outcome
from tests.pipeline.small import SEED, SETS, assert_same_search, one_thread, options, small
from tests.study.jobs import job, work


def test_processes_end_fail_and_die_each_on_its_own(tmp_path: Path) -> None:
    names = ["always-dies", "dies-once", "fails", "works"]
    begun: list[str] = []
    ended: list[tuple[str, Outcome]] = []
    processes = Processes(4, lambda: None, retries=1, work=work, begin_by="fork")
    stopped = processes.run(
        [job(name, tmp_path) for name in names],
        lambda job: begun.append(job.name),
        lambda job, outcome: ended.append((job.name, outcome)),
    )
    assert not stopped
    last = dict(ended)
    assert {name: outcome.status for name, outcome in last.items()} == {
        "always-dies": "died", "dies-once": "finished", "fails": "failed", "works": "finished",
    }  # fmt: skip
    assert "signal 9" in last["always-dies"].error
    assert last["fails"].error == "it says why"
    tries = {name: len((tmp_path / f"{name}.tries").read_text()) for name in names}
    assert tries == {"always-dies": 2, "dies-once": 2, "fails": 1, "works": 1}
    assert sorted(begun) == sorted(["always-dies"] * 2 + ["dies-once"] * 2 + ["fails", "works"])


def test_ctrl_c_asks_the_running_run_once_and_begins_no_other(tmp_path: Path) -> None:
    ended: list[tuple[str, str]] = []

    def look() -> None:
        if (tmp_path / "waits.waiting").exists() and not ended:
            (tmp_path / "waits.waiting").unlink()
            os.kill(os.getpid(), signal.SIGINT)

    stopped = Processes(1, look, work=work, begin_by="fork").run(
        [job("waits", tmp_path), job("works", tmp_path)],
        lambda job: None,
        lambda job, outcome: ended.append((job.name, outcome.status)),
    )
    assert stopped
    assert ended == [("waits", "interrupted")]
    assert (tmp_path / "waits.asked").read_text() == "1"
    assert not (tmp_path / "works.tries").exists()


def test_a_run_that_is_interrupted_in_this_process_is_the_last_one(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[str] = []

    def interrupted(job: Job, progress: object) -> Outcome:
        seen.append(job.name)
        return Outcome("interrupted")

    monkeypatch.setattr("edgewise.study.local.carry_out", interrupted)
    InProcess(lambda: None).run([job("a", Path()), job("b", Path())], lambda job: None, lambda job, outcome: None)
    assert seen == ["a"]


def test_a_run_of_a_study_is_that_of_the_pipeline_bit_for_bit(tmp_path: Path) -> None:
    table = {"name": "one", "methods": ["pc-darts-gp"], "seeds": [SEED], "command": "search", "base": list(SETS)}
    with one_thread():
        conduct(spec_from_table(table, Path()), tmp_path / "study", options=StudyOptions(device="cpu"))
        start(small(), tmp_path / "run", options=options(), command="search")
    assert_same_search(tmp_path / "run", tmp_path / "study" / "pc-darts-gp" / f"seed{SEED}")


@pytest.mark.slow
def test_two_workers_leave_behind_what_one_does_bit_for_bit(tmp_path: Path) -> None:
    table = {
        "name": "two", "methods": ["pc-darts", "pc-darts-gp"], "seeds": [SEED], "command": "search",
        "base": list(SETS),
    }  # fmt: skip
    spec = spec_from_table(table, Path())
    with one_thread():
        conduct(spec, tmp_path / "one", options=StudyOptions(device="cpu", threads=1))
        conduct(spec, tmp_path / "two", options=StudyOptions(device="cpu", threads=1, workers=2))
    for method in spec.methods:
        assert_same_search(tmp_path / "one" / method / f"seed{SEED}", tmp_path / "two" / method / f"seed{SEED}")
