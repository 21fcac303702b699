"""A study as a whole: what is finished stays, the rest goes on, and nothing of anybody else is touched."""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path
from typing import Any

import pytest

from edgewise.errors import ConfigError, RunError
from edgewise.nn.engines.native import Build
from edgewise.runtime.interrupt import Interrupted
from edgewise.study import Study, StudyOptions, conduct, read_study
from edgewise.study.runner import _threads
from edgewise.study.tables import make_tables
from tests.study.factory import FakePipeline, Lines, spec

ALL = ["pc-darts/seed0", "pc-darts-gp/seed0", "pc-darts/seed1", "pc-darts-gp/seed1"]


def statuses(study: Study) -> dict[str, str]:
    return {name: state.status for name, state in study.states.items()}


def content(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()
    }


def test_every_run_is_an_ordinary_run_folder(fake: FakePipeline, tmp_path: Path) -> None:
    study = conduct(spec(), tmp_path / "s")
    assert fake.started == ALL
    assert statuses(study) == dict.fromkeys(ALL, "finished")
    run = json.loads((tmp_path / "s" / "pc-darts-gp" / "seed1" / "run.json").read_text())
    assert (run["status"], run["seed"], run["command"]) == ("done", 1, "run")


def test_finished_runs_are_not_run_again(fake: FakePipeline, tmp_path: Path) -> None:
    conduct(spec(), tmp_path)
    before = content(tmp_path)
    fake.started.clear()
    conduct(spec(), tmp_path)
    assert (fake.started, fake.resumed) == ([], [])
    after = content(tmp_path)
    assert {name: text for name, text in after.items() if "study" not in name} == {
        name: text for name, text in before.items() if "study" not in name
    }


def test_a_run_that_was_stopped_is_named_and_goes_on_from_its_checkpoint(
    fake: FakePipeline, tmp_path: Path
) -> None:
    fake.stops.add(("pc-darts", 1))
    with pytest.raises(Interrupted, match="2 of 4 runs are finished"):
        conduct(spec(), tmp_path)
    assert fake.started == ALL[:3]
    lines = Lines()
    study = conduct(spec(), tmp_path, progress=lines)
    assert any("tried again: pc-darts/seed1: stopped" in line and "checkpoint" in line for line in lines.lines)
    assert fake.resumed == ["pc-darts/seed1"]
    assert fake.started == ALL
    assert set(statuses(study).values()) == {"finished"}


def test_a_run_that_was_killed_before_it_had_begun_begins_anew(fake: FakePipeline, tmp_path: Path) -> None:
    folder = tmp_path / "pc-darts" / "seed0"
    folder.mkdir(parents=True)
    (folder / "run.json").write_text('{"format": "edgewise.run/1", "status": "running"}')
    study = conduct(spec(), tmp_path)
    assert (fake.started, fake.resumed) == (ALL, [])
    assert set(statuses(study).values()) == {"finished"}


def test_a_run_that_fails_ends_no_other_and_is_tried_again(
    monkeypatch: pytest.MonkeyPatch, fake: FakePipeline, tmp_path: Path
) -> None:
    fake.fails = {("pc-darts", 0): RunError("the loss is nan"), ("pc-darts-gp", 1): ZeroDivisionError("oh")}
    study = conduct(spec(), tmp_path)
    assert statuses(study) == dict(zip(ALL, ["failed", "finished", "finished", "failed"], strict=True))
    assert study.states[ALL[0]].detail == "the loss is nan"
    assert study.states[ALL[3]].detail.startswith("ZeroDivisionError: oh (traceback in ")
    assert "_go_on" in (tmp_path / "pc-darts-gp" / "seed1.error.txt").read_text()
    fake.fails, lines = {}, Lines()
    assert set(statuses(conduct(spec(), tmp_path, progress=lines)).values()) == {"finished"}
    for name, reason in ((ALL[0], "the loss is nan"), (ALL[3], "ZeroDivisionError: oh")):
        assert any(f"tried again: {name}: failed ({reason})" in line for line in lines.lines), lines.lines
    assert fake.resumed == [ALL[0], ALL[3]]


@pytest.mark.parametrize(
    ("name", "text"),
    [("results.json", "{}"), ("genotype.json", "{"), ("trace.jsonl", "no json\n"), ("run.json", "{")],
)
def test_a_damaged_run_is_named_put_aside_and_run_again(
    name: str, text: str, fake: FakePipeline, tmp_path: Path
) -> None:
    conduct(spec(), tmp_path)
    fake.started.clear()
    (tmp_path / "pc-darts" / "seed1" / name).write_text(text)
    lines = Lines()
    study = conduct(spec(), tmp_path, progress=lines)
    assert any("tried again: pc-darts/seed1: broken" in line and name in line for line in lines.lines)
    assert fake.started == ["pc-darts/seed1"]
    assert (tmp_path / "pc-darts" / "seed1.broken1" / name).read_text() == text
    assert set(statuses(study).values()) == {"finished"}


def test_a_damaged_checkpoint_of_an_unfinished_run_is_not_gone_on_with(fake: FakePipeline, tmp_path: Path) -> None:
    fake.stops.add(("pc-darts", 0))
    with pytest.raises(Interrupted):
        conduct(spec(), tmp_path)
    (tmp_path / ALL[0] / "checkpoint.pt").write_bytes(b"no checkpoint")
    study = conduct(spec(), tmp_path)
    assert (fake.resumed, fake.started) == ([], [ALL[0], *ALL])
    assert set(statuses(study).values()) == {"finished"}


OTHER: dict[str, dict[str, Any]] = {
    "settings": {"base": ["compare=[]", "search.epochs=3", "train.epochs=2", "warm_up.epochs=0"]},
    "command": {"command": "search"},
    "methods": {"methods": ["pc-darts"]},
    "seeds": {"seeds": [0]},
}


@pytest.mark.parametrize("case", OTHER)
def test_the_folder_of_another_study_is_refused_and_left_as_it_is(
    case: str, fake: FakePipeline, tmp_path: Path
) -> None:
    conduct(spec(), tmp_path)
    before = content(tmp_path)
    with pytest.raises(RunError, match="another study"):
        conduct(spec(**OTHER[case]), tmp_path)
    assert content(tmp_path) == before


def test_another_study_is_told_by_its_record_where_no_run_has_begun_yet(
    fake: FakePipeline, tmp_path: Path
) -> None:
    conduct(spec(), tmp_path)
    for method in ("pc-darts", "pc-darts-gp"):
        shutil.rmtree(tmp_path / method)
    with pytest.raises(RunError, match="4 runs have other settings there"):
        conduct(spec(**OTHER["settings"]), tmp_path)
    assert not (tmp_path / "pc-darts").exists()


def test_a_run_of_another_study_in_the_place_of_ours_is_refused_and_left_as_it_is(
    fake: FakePipeline, tmp_path: Path
) -> None:
    conduct(spec(**OTHER["settings"]), tmp_path / "other")
    mine = tmp_path / "mine"
    shutil.copytree(tmp_path / "other" / "pc-darts" / "seed1", mine / "pc-darts" / "seed1")
    before = content(mine)
    with pytest.raises(RunError, match=r"run of another study.*epochs = 3.*planned 'epochs = 2'"):
        conduct(spec(), mine)
    assert content(mine) == before
    shutil.move(mine / "pc-darts" / "seed1", mine / "pc-darts" / "seed0")
    with pytest.raises(RunError, match="seed 1, planned 0"):
        conduct(spec(**OTHER["settings"]), mine)


def test_a_folder_with_something_else_is_refused_and_left_as_it_is(fake: FakePipeline, tmp_path: Path) -> None:
    letters = tmp_path / "pc-darts" / "seed0" / "letter.txt"
    letters.parent.mkdir(parents=True)
    letters.write_text("dear")
    with pytest.raises(RunError, match="no edgewise run"):
        conduct(spec(), tmp_path)
    assert content(tmp_path) == {"pc-darts/seed0/letter.txt": b"dear"}
    single = tmp_path / "single"
    conduct(spec(), tmp_path / "other")
    shutil.copytree(tmp_path / "other" / ALL[0], single)
    with pytest.raises(RunError, match="folder of a single run"):
        conduct(spec(), single)


def test_more_seeds_methods_and_values_may_be_added_to_a_study(fake: FakePipeline, tmp_path: Path) -> None:
    conduct(spec(), tmp_path)
    fake.started.clear()
    conduct(spec(seeds=[0, 1, 2], methods=["darts", "pc-darts", "pc-darts-gp"]), tmp_path)
    assert fake.started == ["darts/seed0", "darts/seed1", "darts/seed2", "pc-darts/seed2", "pc-darts-gp/seed2"]


def test_two_at_once_in_one_folder_are_refused(fake: FakePipeline, tmp_path: Path) -> None:
    tried: list[str] = []

    def again(*args: Any, **more: Any) -> None:
        with pytest.raises(RunError, match="in use"):
            conduct(spec(), tmp_path)
        tried.append("once")

    lines = Lines()
    lines.say = again  # type: ignore[method-assign]
    conduct(spec(), tmp_path, progress=lines)
    assert tried


def test_nothing_is_written_where_the_design_does_not_fit(fake: FakePipeline, tmp_path: Path) -> None:
    with pytest.raises(ConfigError):
        conduct(spec(base=["search.channels=6"]), tmp_path / "new")
    assert not (tmp_path / "new").exists()


def test_the_best_search_is_chosen_by_the_arch_split_and_never_by_the_test(
    fake: FakePipeline, tmp_path: Path
) -> None:
    fake.arch = {("pc-darts", 0): 0.9, ("pc-darts", 1): 0.2, ("pc-darts-gp", 0): 0.1, ("pc-darts-gp", 1): 0.3}
    fake.accuracy = {("pc-darts", 0): 0.1, ("pc-darts", 1): 0.99}
    study = conduct(spec(retrain_best=2), tmp_path)
    assert fake.started[4:] == [
        "pc-darts/best-of-seed0-retrained10000",
        "pc-darts/best-of-seed0-retrained10001",
        "pc-darts-gp/best-of-seed1-retrained10000",
        "pc-darts-gp/best-of-seed1-retrained10001",
    ]
    chosen = (tmp_path / "pc-darts" / "seed0" / "genotype.json").read_text()
    assert (tmp_path / "pc-darts" / "best-of-seed0-retrained10000" / "genotype.json").read_text() == chosen
    run = json.loads((tmp_path / fake.started[4] / "run.json").read_text())
    assert (run["command"], run["seed"]) == ("train", 10000)
    assert {result.cell.method: result.best for result in study.results().cells} == {
        "pc-darts": 0,
        "pc-darts-gp": 1,
    }


def test_retraining_waits_until_all_searches_of_its_cell_are_finished(fake: FakePipeline, tmp_path: Path) -> None:
    fake.fails = {("pc-darts", 0): RunError("nan")}
    conduct(spec(retrain_best=1), tmp_path)
    assert fake.started[4:] == ["pc-darts-gp/best-of-seed0-retrained10000"]


def test_a_finished_study_that_is_read_says_what_it_said_when_it_was_made(
    fake: FakePipeline, tmp_path: Path
) -> None:
    made = conduct(spec(retrain_best=1), tmp_path)
    assert read_study(tmp_path).results() == made.results()
    with pytest.raises(RunError, match="no edgewise study"):
        read_study(tmp_path / "pc-darts")


def test_ctrl_c_begins_no_retraining_even_if_no_run_could_save_itself(
    monkeypatch: pytest.MonkeyPatch, fake: FakePipeline, tmp_path: Path
) -> None:
    conduct(spec(), tmp_path)
    fake.started.clear()

    class Stopped:
        def __init__(self, look: Any) -> None:
            pass

        def run(self, jobs: Any, begin: Any, end: Any) -> bool:
            return True

    monkeypatch.setattr(sys.modules["edgewise.study.runner"], "InProcess", Stopped)
    with pytest.raises(Interrupted, match="4 of 6 runs are finished"):
        conduct(spec(seeds=[0, 1, 2], retrain_best=1), tmp_path)
    assert fake.started == []


def test_a_run_gone_on_with_other_settings_is_kept_and_said(fake: FakePipeline, tmp_path: Path) -> None:
    conduct(spec(), tmp_path)
    folder = tmp_path / "pc-darts" / "seed0"
    recipe = (folder / "recipe.toml").read_text()
    assert "lr = 0.03\n" in recipe
    (folder / "recipe.toml").write_text(recipe.replace("lr = 0.03\n", "lr = 0.5\n"))
    # Changed without a word it is another study's.
    with pytest.raises(RunError, match="another study"):
        conduct(spec(), tmp_path)
    run = json.loads((folder / "run.json").read_text())
    (folder / "run.json").write_text(json.dumps(run | {"changed_settings": ["arch.lr=0.5"]}))
    study = conduct(spec(), tmp_path)
    notes = make_tables(study, study.results()).summary.notes
    assert "pc-darts/seed0 was gone on with other settings (arch.lr=0.5)." in notes


@pytest.mark.parametrize(
    ("workers", "threads", "omp", "found"),
    [(1, None, None, None), (2, None, None, 3), (2, 5, None, 5), (2, None, "4", None)],
)
def test_workers_share_the_cores_unless_threads_are_said(
    workers: int, threads: int | None, omp: str | None, found: int | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("os.cpu_count", lambda: 7)
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    if omp is not None:
        monkeypatch.setenv("OMP_NUM_THREADS", omp)
    assert _threads(StudyOptions(workers=workers, threads=threads)) == found


@pytest.mark.parametrize(("device", "todo", "said"), [("cpu", True, 1), ("cuda", True, 0), ("cpu", False, 0)])
def test_a_study_without_kernels_says_so_once_and_not_where_nothing_needs_them(
    device: str, todo: bool, said: int, fake: FakePipeline, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "edgewise.pipeline.speed_advice.build_once", lambda: Build(None, "there is no C++ compiler")
    )
    if not todo:
        conduct(spec(), tmp_path)
    lines = Lines()
    conduct(spec(), tmp_path, options=StudyOptions(device=device), progress=lines)
    assert sum("there is no C++ compiler" in line for line in lines.lines) == said
