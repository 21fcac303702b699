"""A run folder is made, opened, refused and cleared by rules that lose nobody's files."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
import torch

from edgewise.errors import NonFiniteError, RunError
from edgewise.runs import folder as names
from edgewise.runs.folder import RunFolder


def finished(path: Path) -> None:
    with RunFolder.create(path) as run:
        run.save_checkpoint({"epoch": 1})
        run.append_trace({"epoch": 0})
        run.write_text(names.REPORT, "<html>")
        run.update_run({"status": "done"})


def test_a_new_run_is_marked_from_the_start_and_leaves_no_other_file(tmp_path: Path) -> None:
    with RunFolder.create(tmp_path / "a" / "b") as run:
        assert run.status == "running"
        assert run.read_run() == {"format": "edgewise.run/1", "status": "running"}
    assert [entry.name for entry in (tmp_path / "a" / "b").iterdir()] == ["run.json"]


def test_an_empty_folder_and_what_a_killed_start_left_are_taken(tmp_path: Path) -> None:
    (tmp_path / ".lock").write_text("{}")
    (tmp_path / ".run.json.123.tmp").write_text("{")
    RunFolder.create(tmp_path).close()
    assert [entry.name for entry in tmp_path.iterdir()] == ["run.json"]


def test_what_tensorboard_drew_of_a_run_goes_with_the_run(tmp_path: Path) -> None:
    with RunFolder.create(tmp_path):
        (tmp_path / "tensorboard").mkdir()
        (tmp_path / "tensorboard" / "events").touch()
    with RunFolder.create(tmp_path, overwrite=True):
        assert not (tmp_path / "tensorboard").exists()


@pytest.mark.parametrize("overwrite", [False, True])
def test_a_folder_with_foreign_files_is_refused_and_left_alone(tmp_path: Path, overwrite: bool) -> None:
    (tmp_path / "thesis.tex").write_text("mine")
    with pytest.raises(RunError, match=r"not empty and no edgewise run \(it holds thesis\.tex\)"):
        RunFolder.create(tmp_path, overwrite=overwrite)
    assert [entry.name for entry in tmp_path.iterdir()] == ["thesis.tex"]


def test_a_file_is_no_folder(tmp_path: Path) -> None:
    (tmp_path / "x").write_text("")
    with pytest.raises(RunError, match="x is a file: choose another"):
        RunFolder.create(tmp_path / "x")
    with pytest.raises(RunError, match="can't be made"):
        RunFolder.create(tmp_path / "x" / "y")
    with pytest.raises(RunError, match="no such run folder"):
        RunFolder.open(tmp_path / "x")


def test_a_finished_run_is_overwritten_only_when_told(tmp_path: Path) -> None:
    finished(tmp_path)
    with pytest.raises(
        RunError, match="holds a finished run: choose a new folder with --out, or pass --overwrite"
    ):
        RunFolder.create(tmp_path)
    with RunFolder.open(tmp_path) as run:
        assert run.load_checkpoint() == {"epoch": 1}
    (tmp_path / "notes.txt").write_text("mine")
    with RunFolder.create(tmp_path, overwrite=True) as run:
        assert run.status == "running"
        assert run.load_checkpoint() is None
        assert run.read_trace() == []
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["notes.txt", "run.json"]


def test_an_unfinished_run_points_to_resume(tmp_path: Path) -> None:
    RunFolder.create(tmp_path).close()
    with pytest.raises(RunError, match=r"not finished \(running\): go on with it by --resume"):
        RunFolder.create(tmp_path)


def test_a_folder_in_use_can_be_read_but_not_gone_on_with(tmp_path: Path) -> None:
    with RunFolder.create(tmp_path) as run:
        run.append_trace({"epoch": 0})
        assert RunFolder.open(tmp_path).read_trace() == [{"epoch": 0}]
        with pytest.raises(RunError, match="in use"):
            RunFolder.open(tmp_path, lock=True)
        with pytest.raises(RunError, match="in use"):
            RunFolder.create(tmp_path, overwrite=True)
        assert run.read_trace() == [{"epoch": 0}]
    RunFolder.open(tmp_path, lock=True).close()


def test_a_refused_folder_is_not_left_locked(tmp_path: Path) -> None:
    (tmp_path / "x").write_text("")
    for _ in range(2):
        with pytest.raises(RunError, match="no edgewise run"):
            RunFolder.create(tmp_path)
        with pytest.raises(RunError, match=r"no edgewise run: it has no run\.json"):
            RunFolder.open(tmp_path, lock=True)


def test_another_format_is_refused(tmp_path: Path) -> None:
    (tmp_path / "run.json").write_text('{"format": "edgewise.run/9"}')
    with pytest.raises(RunError, match=r"format is 'edgewise.run/9', this version reads 'edgewise.run/1'"):
        RunFolder.open(tmp_path)


def test_files_come_back_as_written_and_names_stay_inside_the_folder(tmp_path: Path) -> None:
    with RunFolder.create(tmp_path) as run:
        run.write_text("recipe.toml", "a = 'ü'\r\n")
        run.write_json("notes.json", {"top1": 0.1 + 0.2, "name": "ü", "none": None})
        assert run.read_text("recipe.toml") == "a = 'ü'\r\n"
        assert run.read_json("notes.json") == {"top1": 0.1 + 0.2, "name": "ü", "none": None}
        for name in ("../x", "a/b", "", "..", "."):
            with pytest.raises(RunError, match="is no name of a file"):
                run.write_text(name, "x")


def test_numbers_that_are_not_finite_never_reach_a_json_file(tmp_path: Path) -> None:
    with RunFolder.create(tmp_path) as run:
        run.write_json("results.json", {"found": {"top1": 0.5}})
        with pytest.raises(NonFiniteError, match=r"results\.json: found\.loss = nan"):
            run.write_json("results.json", {"found": {"loss": math.nan}})
        assert run.read_json("results.json") == {"found": {"top1": 0.5}}


def test_missing_and_damaged_files_are_told(tmp_path: Path) -> None:
    with RunFolder.create(tmp_path) as run:
        with pytest.raises(RunError, match=r"results\.json is missing: this run has not come that far"):
            run.read_json("results.json")
        (tmp_path / "results.json").write_text('{"a": ')
        with pytest.raises(RunError, match=r"results\.json is damaged \(.*line 1 column 7"):
            run.read_json("results.json")
        (tmp_path / "results.json").write_bytes(b"\xff")
        with pytest.raises(RunError, match=r"results\.json: can't be read"):
            run.read_json("results.json")


def test_updates_of_the_run_go_table_by_table(tmp_path: Path) -> None:
    with RunFolder.create(tmp_path) as run:
        run.update_run({"phases": {"search": {"seconds": 1.5}}})
        run.update_run({"phases": {"train:found": {"seconds": 2.5}}, "status": "interrupted"})
        assert run.read_run()["phases"] == {"search": {"seconds": 1.5}, "train:found": {"seconds": 2.5}}
        assert run.status == "interrupted"


def test_trace_and_timings_are_two_files(tmp_path: Path) -> None:
    with RunFolder.create(tmp_path) as run:
        run.append_trace({"epoch": 0})
        run.append_trace({"epoch": 1})
        run.append_timing({"seconds": 1.0})
        run.truncate_trace(1)
        run.append_timing({"seconds": 2.0})
        assert run.read_trace() == [{"epoch": 0}]
        run.truncate_timings(1)
        assert run.read_timings() == [{"seconds": 1.0}]
        assert run.read_trace() == [{"epoch": 0}]


def test_space_is_checked_in_the_runs_folder(tmp_path: Path) -> None:
    with RunFolder.create(tmp_path) as run:
        run.check_space(1)
        with pytest.raises(RunError, match=r"MB free, but this run needs 1,000,000,000,000\.0 MB"):
            run.check_space(10**18)


def test_a_checkpoint_keeps_its_tensors(tmp_path: Path) -> None:
    with RunFolder.create(tmp_path) as run:
        run.save_checkpoint({"alpha": torch.tensor([0.1, 0.2], dtype=torch.float64)})
        back = run.load_checkpoint()
    assert back is not None
    assert torch.equal(back["alpha"], torch.tensor([0.1, 0.2], dtype=torch.float64))


def test_a_check_of_a_new_folder_changes_nothing_and_refuses_what_create_would_refuse(tmp_path: Path) -> None:
    RunFolder.check_new(tmp_path / "a" / "b", 1)
    assert not (tmp_path / "a").exists()
    (tmp_path / ".run.json.123.tmp").write_text("{")
    RunFolder.check_new(tmp_path, 1)
    finished(tmp_path / "run")
    before = sorted(entry.name for entry in (tmp_path / "run").iterdir())
    RunFolder.check_new(tmp_path / "run", 1, overwrite=True)
    assert sorted(entry.name for entry in (tmp_path / "run").iterdir()) == before
    with pytest.raises(RunError, match="holds a finished run"):
        RunFolder.check_new(tmp_path / "run", 1)
    with pytest.raises(RunError, match="choose another folder"):
        RunFolder.check_new(tmp_path / ".run.json.123.tmp" / "run", 1)
    with pytest.raises(RunError, match="free"):
        RunFolder.check_new(tmp_path / "new", 2**60)
