"""A run that was stopped in between goes on as if nothing had happened; a changed one is refused."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import signal
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from edgewise.errors import ConfigError, RunError
from edgewise.pipeline import resolve, resume, start
from edgewise.pipeline.phases import Context
from edgewise.runtime.interrupt import Interrupted
from tests.pipeline.small import (
    PHASES,
    RUN,
    SETS,
    EarlyStopping,
    assert_same_outcome,
    assert_same_search,
    one_thread,
    options,
    small,
    snapshot,
    trace,
    unfinished,
    without_onnx,
)


class Crash(Exception):
    """Ends a run as a power cut does: nothing of edgewise catches it."""


def crash_at(title: str, epoch: int, step: int) -> EarlyStopping:
    def step_done(*now: object) -> None:
        if now == (title, epoch, step):
            raise Crash

    return EarlyStopping(step=step_done)


def crash_on_line(beginning: str) -> EarlyStopping:
    def line(text: str) -> None:
        if text.startswith(beginning):
            raise Crash

    return EarlyStopping(line=line)


# The step is done, its trace line is written, the checkpoint is not; or a phase's files are half there.
MOMENTS = {
    "search before the first checkpoint within an epoch": lambda: crash_at("search", 0, 0),
    "search while frozen": lambda: crash_at("search", 0, 1),
    "search at the end of an epoch": lambda: crash_at("search", 1, 2),
    "search in its last epoch": lambda: crash_at("search", 2, 1),
    "after the genotype is written": lambda: crash_on_line("normal cell"),
    "training of the found network": lambda: crash_at("training (found)", 1, 1),
    "after the test of the found network": lambda: crash_on_line("found: test accuracy"),
    "training of the random network": lambda: crash_at("training (random)", 0, 2),
    "training of the hand-made network at its end": lambda: crash_at("training (hand)", 1, 3),
    "after the export": lambda: crash_on_line("network.onnx"),
}


@pytest.fixture(scope="module")
def crashed_once_at_every_moment(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One run that crashed at each of the moments in turn, with a checkpoint after every step."""
    folder = tmp_path_factory.mktemp("crashed") / "run"
    moments = list(MOMENTS.values())
    with one_thread(), without_onnx():
        with pytest.raises(Crash):
            start(small(), folder, options=options(checkpoint_seconds=0.0), progress=moments[0]())
        for moment in moments[1:]:
            with pytest.raises(Crash):
                resume(folder, progress=moment())
        resume(folder)
    return folder


def test_a_run_that_crashed_at_ten_moments_ends_as_the_run_that_never_did(
    whole, crashed_once_at_every_moment: Path
) -> None:
    assert_same_outcome(whole.folder, crashed_once_at_every_moment)


def test_a_run_that_crashed_ends_with_the_same_files_and_status(whole, crashed_once_at_every_moment: Path) -> None:
    assert set(snapshot(crashed_once_at_every_moment)) == set(snapshot(whole.folder))
    run = json.loads((crashed_once_at_every_moment / "run.json").read_text())
    assert run["status"] == "done"
    present = {key for key, value in run.items() if value is not None}
    assert present == {
        key for key, value in json.loads((whole.folder / "run.json").read_text()).items() if value is not None
    }


def test_timings_of_a_run_that_crashed_hold_every_epoch_once(whole, crashed_once_at_every_moment: Path) -> None:
    def epochs(folder: Path) -> list[tuple[str, int]]:
        lines = (folder / "timings.jsonl").read_text().splitlines()
        return [(t["phase"], t["epoch"]) for t in map(json.loads, lines)]

    assert epochs(crashed_once_at_every_moment) == epochs(whole.folder)


def test_without_a_checkpoint_in_the_epoch_a_resumed_run_goes_back_to_its_start(whole, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    seen: list[object] = []
    with one_thread():
        with pytest.raises(Crash):
            start(small(), folder, options=options(), command="search", progress=crash_at("search", 1, 1))
        with pytest.raises(Crash):
            resume(
                folder,
                progress=EarlyStopping(step=lambda *now: seen.append(now), line=crash_on_line("normal cell").say),
            )
    assert seen == [("search", e, s) for e in (1, 2) for s in range(3)]
    assert (whole.folder / "trace.jsonl").read_bytes().startswith((folder / "trace.jsonl").read_bytes())


def test_a_run_can_go_on_with_another_memory_mode_and_ends_the_same(whole, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    with one_thread():
        with pytest.raises(Crash):
            start(small(), folder, options=options(), command="search", progress=crash_at("search", 1, 2))
        with pytest.raises(Crash):
            resume(folder, sets=["search.memory=low"], progress=crash_at("search", 2, 2))
        assert 'memory = "low"' in (folder / "recipe.toml").read_text()
        resume(folder, sets=["search.memory=normal"])
    assert_same_search(folder, whole.folder)


def stop_at(title: str, epoch: int, step: int) -> EarlyStopping:
    def step_done(*now: object) -> None:
        if now == (title, epoch, step):
            os.kill(os.getpid(), signal.SIGINT)

    return EarlyStopping(step=step_done)


def test_ctrl_c_saves_within_the_epoch_says_how_to_go_on_and_loses_no_step(whole, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    seen: list[object] = []
    with one_thread():
        with pytest.raises(Interrupted) as caught:
            start(small(), folder, options=options(), command="search", progress=stop_at("search", 1, 1))
        message = str(caught.value)
        assert "epoch 2 of 3, after step 2 of 3" in message
        assert f"edgewise run --resume {folder}" in message
        assert json.loads((folder / "run.json").read_text())["status"] == "interrupted"
        with pytest.raises(Interrupted, match=r"epoch 3 of 3, after step 1 of 3"):
            resume(folder, progress=stop_at("search", 2, 0))
        resume(folder, progress=EarlyStopping(step=lambda *now: seen.append(now)))
    assert seen == [("search", 2, 1), ("search", 2, 2)]
    assert_same_search(folder, whole.folder)


def test_the_command_that_goes_on_can_be_pasted_into_a_shell_whatever_the_folder_is_called(tmp_path: Path) -> None:
    folder = tmp_path / "my run"
    with pytest.raises(Interrupted) as caught:
        start(small(), folder, options=options(), progress=stop_at("search", 0, 0))
    command = re.search(r"`([^`]*)`", str(caught.value))
    assert command is not None
    assert shlex.split(command[1]) == ["edgewise", "run", "--resume", str(folder)]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_handlers_of_signals_are_what_they_were_after_a_run(whole, number: int, tmp_path: Path) -> None:
    before = signal.getsignal(number)
    resume(unfinished(whole.folder, tmp_path / "run"))
    assert signal.getsignal(number) is before


def test_resuming_a_finished_run_does_no_step_and_changes_no_result(whole, tmp_path: Path) -> None:
    folder = shutil.copytree(whole.folder, tmp_path / "run")
    before, seen = snapshot(folder), []
    result = resume(folder, progress=EarlyStopping(step=lambda *now: seen.append(now)))
    assert seen == []
    after = snapshot(folder)
    assert set(after) == set(before)
    changed = {name for name in before if after[name] != before[name]}
    assert changed <= {"run.json", "report.html"}
    assert (result.results, result.genotype) == (whole.result.results, whole.result.genotype)


def test_resuming_a_finished_run_changes_no_file_at_all(whole, tmp_path: Path) -> None:
    folder = shutil.copytree(whole.folder, tmp_path / "run")
    run = json.loads((folder / "run.json").read_text())
    (folder / "run.json").write_text(json.dumps(run | {"finished": "2020-01-01T00:00:00+00:00"}))
    resume(folder)
    assert json.loads((folder / "run.json").read_text())["finished"] == "2020-01-01T00:00:00+00:00"


def test_resuming_opens_no_test_images_of_a_network_that_was_tested(
    whole, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from edgewise.data import SealedImages

    def refuse(self: SealedImages) -> None:
        raise AssertionError("test images were opened again")

    monkeypatch.setattr(SealedImages, "open", refuse)
    resume(unfinished(whole.folder, tmp_path / "run"))


def images(folder: Path, *, shift: int = 0) -> Path:
    """An image folder of two classes that noise tells apart."""
    rng = np.random.default_rng(0)
    for c, name in enumerate(("dark", "light")):
        (folder / name).mkdir(parents=True, exist_ok=True)
        for i in range(12):
            pixels = rng.integers(0, 120, (8, 8), dtype=np.uint8) + np.uint8(100 * c)
            pixels[0, 0] += np.uint8(shift * (i == 5))
            Image.fromarray(pixels).save(folder / name / f"{i}.png")
    return folder


@pytest.fixture
def interrupted(tmp_path: Path) -> tuple[Path, Path]:
    """A search on an image folder that was stopped in its first epoch, and the folder of its images."""
    data = images(tmp_path / "images")
    sets = [text for text in SETS if not text.startswith("data.")]
    settings = resolve("pc-darts-gp", data=str(data), sets=[*sets, "search.batch_size=4"])
    with pytest.raises(Interrupted):
        start(settings, tmp_path / "run", options=options(), command="search", progress=stop_at("search", 0, 0))
    return tmp_path / "run", data


def test_a_run_whose_images_changed_by_one_pixel_is_not_gone_on_with(interrupted: tuple[Path, Path]) -> None:
    folder, data = interrupted
    before = snapshot(folder)
    images(data, shift=1)
    with pytest.raises(RunError, match=r"fingerprint [0-9a-f]{12}, recorded [0-9a-f]{12}") as caught:
        resume(folder)
    assert str(data) in str(caught.value)
    assert "new run" in str(caught.value)
    assert snapshot(folder) == before


def test_a_run_on_an_image_folder_goes_on_when_its_images_are_the_same(interrupted: tuple[Path, Path]) -> None:
    folder, data = interrupted
    images(data)
    resume(folder)
    assert json.loads((folder / "run.json").read_text())["status"] == "done"


def test_a_run_that_another_process_goes_on_with_is_refused(interrupted: tuple[Path, Path]) -> None:
    from edgewise.runs.folder import RunFolder

    with RunFolder.open(interrupted[0], lock=True), pytest.raises(RunError, match="in use"):
        resume(interrupted[0])


def test_a_folder_that_is_no_run_is_not_gone_on_with(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="no such run folder"):
        resume(tmp_path / "gone")
    (tmp_path / "note.txt").write_text("mine")
    with pytest.raises(RunError, match="is no edgewise run"):
        resume(tmp_path)
    assert (tmp_path / "note.txt").read_text() == "mine"


def test_a_run_that_never_began_is_refused_with_what_to_do(tmp_path: Path) -> None:
    from edgewise.runs.folder import RunFolder

    RunFolder.create(tmp_path / "run").close()
    with pytest.raises(RunError, match="start it anew"):
        resume(tmp_path / "run")


def test_resuming_keeps_the_checkpoint_interval_unless_another_is_asked_for(
    whole, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = unfinished(whole.folder, tmp_path / "run")
    seen: list[float] = []

    def note(phase: str, context: Context) -> None:
        if phase == "report":
            seen.append(context.loop.checkpoint_seconds)

    monkeypatch.setattr(RUN, "run_phase", note)
    resume(folder)
    resume(folder, checkpoint_seconds=7.0)
    resume(folder)
    assert seen == [60.0, 7.0, 7.0]


def test_a_run_that_is_killed_while_its_report_is_written_writes_it_when_it_goes_on(
    whole, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = unfinished(whole.folder, tmp_path / "run", without=["report.html"])
    with monkeypatch.context() as patch:
        patch.setattr(PHASES, "write_report", crash)
        with pytest.raises(Crash):
            resume(folder)
    resume(folder)
    assert (folder / "report.html").is_file()


def test_a_run_that_is_killed_just_after_its_export_still_notes_how_far_it_agrees_with_pytorch(
    whole, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = unfinished(whole.folder, tmp_path / "run", without=["network.onnx"])
    with without_onnx():
        export = PHASES.export_onnx
        with monkeypatch.context() as patch:
            patch.setattr(PHASES, "export_onnx", lambda *args: crash(export(*args)))
            with pytest.raises(Crash):
                resume(folder)
        assert (folder / "network.onnx").is_file()
        resume(folder)
    assert json.loads((folder / "run.json").read_text())["onnx"]["max_difference"] == 0.0


def crash(*args: object) -> None:
    raise Crash


def test_a_lower_learning_rate_can_be_given_to_a_run_that_goes_on_and_is_used_and_recorded(
    interrupted: tuple[Path, Path],
) -> None:
    folder, _ = interrupted
    resume(folder, sets=["weights.lr=0.004", "arch.lr=0.005"])
    records = trace(folder, "search")
    # A cosine over three epochs: 1, 3/4 and 1/4 of the start.
    assert [record["lr"] for record in records] == pytest.approx([0.004, 0.003, 0.001])
    assert [record["arch_lr"] for record in records] == [0.005] * 3
    settings = resolve(str(folder / "recipe.toml"))
    assert (settings.weights.lr, settings.arch.lr) == (0.004, 0.005)
    assert json.loads((folder / "run.json").read_text())["changed_settings"] == [
        "weights.lr=0.004",
        "arch.lr=0.005",
    ]


@pytest.mark.parametrize("setting", ["search.epochs=9", "data.source=digits", "projection=none", "train.epochs=3"])
def test_what_a_checkpoint_cannot_bear_is_not_changed_within_a_run(
    setting: str, interrupted: tuple[Path, Path]
) -> None:
    before = snapshot(interrupted[0])
    with pytest.raises(ConfigError, match=setting):
        resume(interrupted[0], sets=["weights.lr=0.01", setting])
    assert snapshot(interrupted[0]) == before


def test_new_settings_for_a_finished_run_are_refused_and_change_nothing(whole, tmp_path: Path) -> None:
    folder = shutil.copytree(whole.folder, tmp_path / "run")
    before = snapshot(folder)
    with pytest.raises(ConfigError, match="is a finished run"):
        resume(folder, sets=["weights.lr=0.01"])
    assert snapshot(folder) == before


@pytest.mark.parametrize(("more", "said"), [(0, False), (1, True)])
def test_a_run_that_goes_on_with_another_number_of_threads_says_so(
    whole, more: int, said: bool, tmp_path: Path
) -> None:
    folder = unfinished(whole.folder, tmp_path / "run", without=["report.html"])
    run = json.loads((folder / "run.json").read_text())
    with one_thread():
        (folder / "run.json").write_text(json.dumps(run | {"threads": 1 + more}))
        watch = EarlyStopping()
        resume(folder, progress=watch)
    assert any("not bit for bit" in line for line in watch.lines) is said
