"""What goes wrong is told before time is spent on it, or with what is still good."""

from __future__ import annotations

import errno
import json
import os
import shutil
import signal
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from edgewise.errors import ConfigError, DataError, DivergedError, NonFiniteError, RunError
from edgewise.pipeline import Options, resume, start
from edgewise.pipeline.record_failure import noting_end
from edgewise.runs.folder import RunFolder
from edgewise.runtime.interrupt import Interrupted
from edgewise.search import SearchTask
from edgewise.spaces import published
from edgewise.train import TrainTask
from tests.pipeline.small import (
    PHASES,
    RUN,
    EarlyStopping,
    assert_same_search,
    one_thread,
    options,
    small,
    snapshot,
    without_onnx,
)


def no_step(*now: object) -> None:
    raise AssertionError("a step was done")


def occupy_with_a_note(folder: Path) -> None:
    folder.mkdir()
    (folder / "note.txt").write_text("mine")


def occupy_with_a_run(status: str) -> Callable[[Path], None]:
    def occupy(folder: Path) -> None:
        folder.mkdir()
        (folder / "run.json").write_text(json.dumps({"format": "edgewise.run/1", "status": status}))

    return occupy


def occupy_with_a_file(folder: Path) -> None:
    folder.write_text("mine")


OCCUPIED = {
    "foreign files": (occupy_with_a_note, r"note\.txt.*--out"),
    "a finished run": (occupy_with_a_run("done"), r"finished run.*--overwrite"),
    "a run that is not finished": (occupy_with_a_run("interrupted"), r"not finished \(interrupted\).*--resume"),
    "a file": (occupy_with_a_file, r"is a file.*--out"),
}


@pytest.mark.parametrize("case", OCCUPIED)
def test_an_occupied_folder_is_refused_and_left_as_it_is(case: str, tmp_path: Path) -> None:
    occupy, message = OCCUPIED[case]
    folder = tmp_path / "run"
    occupy(folder)
    before = snapshot(folder) if folder.is_dir() else folder.read_text()
    with pytest.raises(RunError, match=message):
        start(small(), folder, options=options(), progress=EarlyStopping(step=no_step))
    assert (snapshot(folder) if folder.is_dir() else folder.read_text()) == before


def test_a_folder_that_cannot_be_made_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    with pytest.raises(RunError, match=r"file is a file: .*--out"):
        start(small(), tmp_path / "file" / "run", options=options(), progress=EarlyStopping(step=no_step))


def disk_with(free: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("edgewise.runs.atomic.shutil.disk_usage", lambda path: SimpleNamespace(free=free))


def test_a_disk_without_room_for_the_run_is_reported_before_the_first_step(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    disk_with(50_000_000, monkeypatch)
    with pytest.raises(RunError, match=r"50\.0 MB free, but this run needs 268\.4 MB.*--out"):
        start(small(), tmp_path / "run", options=options(), progress=EarlyStopping(step=no_step))


def test_a_folder_that_cannot_be_written_to_is_reported_before_the_first_step(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(path: Path, bytes_needed: int) -> None:
        raise RunError(f"{path} can't be written to (Read-only file system): choose another folder with --out")

    monkeypatch.setattr("edgewise.runs.atomic.check_space", refuse)
    with pytest.raises(RunError, match="Read-only file system"):
        start(small(), tmp_path / "run", options=options(), progress=EarlyStopping(step=no_step))


@pytest.mark.parametrize("case", [*OCCUPIED, "a full disk"])
def test_a_folder_that_is_not_fit_is_reported_before_images_are_read(
    case: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*args: object, **kwargs: object) -> None:
        raise AssertionError("images were read before the folder was looked at")

    monkeypatch.setattr(RUN, "load", refuse)
    if case == "a full disk":
        disk_with(1000, monkeypatch)
    else:
        OCCUPIED[case][0](tmp_path / "run")
    with pytest.raises(RunError):
        start(small(), tmp_path / "run", options=options())


def test_a_run_that_was_refused_for_lack_of_space_can_be_started_again_in_its_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        disk_with(1000, patch)
        with pytest.raises(RunError):
            start(small(), tmp_path / "run", options=options())
    with pytest.raises(Interrupted):
        start(small(), tmp_path / "run", options=options(), progress=EarlyStopping(step=lambda *now: interrupt()))


def interrupt() -> None:
    os.kill(os.getpid(), signal.SIGINT)


@pytest.mark.parametrize("setting", ["data.source=./no/such/folder", "data.train_images=5"])
def test_data_that_are_not_fit_leave_no_folder_behind(setting: str, tmp_path: Path) -> None:
    with pytest.raises(DataError):
        start(small(setting), tmp_path / "run", options=options())
    assert not (tmp_path / "run").exists()


def test_a_device_that_is_not_there_leaves_no_folder_behind(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cuda:77"):
        start(small(), tmp_path / "run", options=Options(device="cuda:77"))
    assert not (tmp_path / "run").exists()


def test_overwriting_replaces_a_finished_run_whole(whole, tmp_path: Path) -> None:
    folder = shutil.copytree(whole.folder, tmp_path / "run")
    with pytest.raises(Interrupted):
        start(
            small(),
            folder,
            options=options(overwrite=True),
            progress=EarlyStopping(step=lambda *now: interrupt()),
        )
    assert {path.name for path in folder.iterdir()} == {"recipe.toml", "run.json", "trace.jsonl", "checkpoint.pt"}


class FullDisk:
    """Lets the first writes of some files through; then there is no space left."""

    def __init__(self, name: str, writes: int) -> None:
        self._name, self._left = name, writes
        self._replace = os.replace

    def __call__(self, source: Path, target: Path) -> None:
        if Path(target).name == self._name:
            self._left -= 1
            if self._left < 0:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        self._replace(source, target)


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A search whose disk was full for a checkpoint, for the supernet and for the genotype, each time freed."""
    folder = tmp_path_factory.mktemp("filled") / "run"
    # The fourth checkpoint is that at the end of an epoch, whose trace and timings are written already.
    with one_thread():
        for i, (name, writes) in enumerate(
            [("checkpoint.pt", 3), ("supernet.safetensors", 0), ("genotype.json", 0)]
        ):
            message = rf"{name} could not be written: no space left .*resume"
            go = partial(resume, folder)
            if i == 0:
                go = partial(start, small(), folder, options=options(checkpoint_seconds=0.0), command="search")
            with pytest.MonkeyPatch.context() as patch:
                patch.setattr("edgewise.runs.atomic.os.replace", FullDisk(name, writes))
                with pytest.raises(RunError, match=message) as caught:
                    go()
            run = json.loads((folder / "run.json").read_text())
            assert (run["status"], run["error"]) == ("failed", str(caught.value))
        resume(folder)
    return folder


def test_a_search_whose_disk_filled_up_three_times_ends_as_the_one_that_had_room(whole, filled: Path) -> None:
    assert_same_search(filled, whole.folder)
    timings = [json.loads(line)["epoch"] for line in (filled / "timings.jsonl").read_text().splitlines()]
    assert timings == [0, 1, 2]


def test_a_run_that_failed_and_then_ended_well_is_done_and_holds_no_error(filled: Path) -> None:
    run = json.loads((filled / "run.json").read_text())
    assert run["status"] == "done"
    assert not run.get("error")


def test_overwriting_a_run_with_data_that_are_not_fit_leaves_the_run_as_it_was(whole, tmp_path: Path) -> None:
    folder = shutil.copytree(whole.folder, tmp_path / "run")
    before = snapshot(folder)
    with pytest.raises(DataError):
        start(small("data.source=./no/such/folder"), folder, options=options(overwrite=True))
    assert snapshot(folder) == before


def tensors(state: Any) -> list[torch.Tensor]:
    """Every tensor of floating-point numbers in a checkpoint."""
    if isinstance(state, torch.Tensor):
        return [state] if state.is_floating_point() else []
    values = state.values() if isinstance(state, dict) else state if isinstance(state, (list, tuple)) else ()
    return [tensor for value in values for tensor in tensors(value)]


def checkpoint(folder: Path) -> dict[str, Any]:
    return torch.load(folder / "checkpoint.pt", weights_only=True)


def start_and_fail(folder: Path, *sets: str, **given: Any) -> str:
    """Starts a run in which a number becomes infinite or NaN; returns what is said about it."""
    with pytest.raises(NonFiniteError) as caught:
        start(small(*sets), folder, **{"options": options(), **given})
    return str(caught.value)


@pytest.mark.parametrize(
    ("sets", "command", "phase"),
    [
        (["weights.lr=1e30", "search.trace_steps=false"], "search", "search"),
        pytest.param(
            ["weights.lr=1e30", "search.trace_steps=true"],
            "search",
            "search",
        ),
        (["train.lr=1e30"], "train", "training (given)"),
    ],
    ids=["search", "search that traces its steps", "training"],
)
def test_a_number_that_is_not_finite_stops_the_run_with_the_last_good_checkpoint_and_what_to_try(
    sets: list[str], command: str, phase: str, tmp_path: Path
) -> None:
    folder = tmp_path / "run"
    genotype = published("PC_DARTS_cifar") if command == "train" else None
    message = start_and_fail(folder, *sets, command=command, genotype=genotype)
    assert f"the last good checkpoint is epoch 1, step 0 of {phase}" in message
    assert str(folder) in message
    assert ("train.lr" if command == "train" else "weights.lr") in message
    run = json.loads((folder / "run.json").read_text())
    assert (run["status"], run["error"]) == ("failed", message)
    assert all(tensor.isfinite().all() for tensor in tensors(checkpoint(folder)))
    assert not (folder / "trace.jsonl").exists() or "NaN" not in (folder / "trace.jsonl").read_text()


def test_an_error_that_nobody_foresaw_is_noted_and_the_run_goes_on_from_its_checkpoint(
    whole, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "run"

    def breaks(task: SearchTask, epoch: int) -> dict[str, Any]:
        raise ZeroDivisionError("oh")

    with monkeypatch.context() as patch, one_thread():
        patch.setattr(SearchTask, "finish_epoch", breaks)
        with pytest.raises(ZeroDivisionError):
            start(small(), folder, options=options(checkpoint_seconds=0.0), command="search")
    run = json.loads((folder / "run.json").read_text())
    assert (run["status"], run["error"]) == ("failed", "ZeroDivisionError: oh")
    with one_thread():
        resume(folder)
    assert_same_search(folder, whole.folder)


@pytest.mark.parametrize("error", [ZeroDivisionError("oh"), DataError("no image")])
def test_an_error_that_can_not_be_noted_because_the_disk_is_full_is_still_the_one_that_is_told(
    error: Exception, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "run.json").write_text('{"format": "edgewise.run/1", "status": "running"}')
    monkeypatch.setattr("edgewise.runs.atomic.os.replace", FullDisk("run.json", 0))
    with pytest.raises(type(error), match=str(error)), noting_end(RunFolder(tmp_path, None)):
        raise error


def test_a_non_finite_number_is_noticed_within_the_epoch_before_a_checkpoint_would_be_replaced(
    tmp_path: Path,
) -> None:
    folder, seen = tmp_path / "run", []
    message = start_and_fail(
        folder,
        "weights.lr=1e30",
        "search.trace_steps=false",
        "search.batch_size=10",
        options=options(checkpoint_seconds=0.0),
        progress=EarlyStopping(step=lambda *now: seen.append(now)),
    )
    assert "epoch 1 of the search" in message
    assert len(seen) < 10
    assert checkpoint(folder)["mark"]["step"] < len(seen)


def test_the_last_good_checkpoint_holds_only_finite_numbers_even_with_one_after_every_step(tmp_path: Path) -> None:
    sets = ("weights.lr=1e30", "search.trace_steps=false")
    start_and_fail(tmp_path / "run", *sets, options=options(checkpoint_seconds=0.0))
    assert all(tensor.isfinite().all() for tensor in tensors(checkpoint(tmp_path / "run")))


def test_ctrl_c_after_a_non_finite_step_does_not_replace_the_last_good_checkpoint(tmp_path: Path) -> None:
    def step_done(title: str, epoch: int, step: int) -> None:
        if (epoch, step) == (0, 6):
            interrupt()

    sets = ("weights.lr=1e30", "search.trace_steps=false", "search.batch_size=10")
    with pytest.raises(RunError):
        start(small(*sets), tmp_path / "run", options=options(), progress=EarlyStopping(step=step_done))
    assert all(tensor.isfinite().all() for tensor in tensors(checkpoint(tmp_path / "run")))


def test_a_training_that_diverges_ends_no_other_and_is_trained_again_on_resume(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, real = tmp_path / "run", TrainTask.check_finite

    def diverges(task: TrainTask, epoch: int) -> None:
        if task.name == "found" and epoch == 1:
            raise DivergedError("the training (found) diverged: its loss is 3359 in epoch 2")
        real(task, epoch)

    with monkeypatch.context() as patch, one_thread(), without_onnx():
        patch.setattr(TrainTask, "check_finite", diverges)
        result = start(small(), folder, options=options())
    assert list(result.results) == ["random", "hand"]
    assert "its loss is 3359 in epoch 2" in result.failure
    assert f"edgewise run --resume {folder} --set train.lr=" in result.failure
    run = json.loads((folder / "run.json").read_text())
    assert (run["status"], run["error"]) == ("failed", result.failure)
    assert result.failure.split(";")[0] in (folder / "report.html").read_text()
    assert not (folder / "network.safetensors").exists()
    with one_thread(), without_onnx():
        again = resume(folder, sets=["train.lr=0.01"])
    assert (again.failure, set(again.results)) == ("", {"found", "random", "hand"})
    run = json.loads((folder / "run.json").read_text())
    assert (run["status"], "diverged" in run, "error" in run) == ("done", False, False)
    trace = [json.loads(line) for line in (folder / "trace.jsonl").read_text().splitlines()]
    epochs = [(record["network"], record["epoch"]) for record in trace if record["phase"] == "train"]
    assert epochs == [(name, epoch) for name in ("random", "hand", "found") for epoch in range(2)]


def test_a_network_that_is_not_finite_on_test_images_has_diverged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = PHASES.evaluate
    monkeypatch.setattr(PHASES, "evaluate", lambda *a, **k: replace(real(*a, **k), loss=float("nan")))
    with one_thread(), without_onnx():
        result = start(small("compare=['hand']"), tmp_path / "run", options=options())
    assert result.results == {}
    assert result.failure.count("the loss on test images is nan") == 2
