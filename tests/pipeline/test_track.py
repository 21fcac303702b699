"""Trackers: off by default, told of every epoch, and never the reason why a run ends."""

from __future__ import annotations

import importlib.util
import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from edgewise.errors import ConfigError
from edgewise.pipeline import Options, resume, start
from edgewise.pipeline.track import Tracking
from edgewise.pipeline.trackers import send_table
from edgewise.report.png import paint_cells
from edgewise.spaces import cell_name, published
from tests.pipeline.small import SEED, one_thread, small, trace
from tests.pipeline.stand_ins import Recorder, Trackio, install
from tests.pipeline.whole import Whole
from tests.study.factory import Lines

SHORT = ("search.epochs=2", "search.trace_steps=false", "compare=[]")


def search(folder: Path, recorder: Recorder, patch: pytest.MonkeyPatch, lines: Lines | None = None) -> None:
    patch.setattr("edgewise.pipeline.track.check_tracker", lambda name: None)
    patch.setattr("edgewise.pipeline.options.check_tracker", lambda name: None)
    patch.setattr("edgewise.pipeline.track.open_tracker", lambda name, folder: recorder)
    progress: Any = None if lines is None else _Quiet(lines)
    with one_thread():
        options = Options(seed=SEED, device="cpu", track="mlflow")
        start(small(*SHORT), folder, options=options, command="search", progress=progress)


class _Quiet:
    """Lines are kept, phases are silent."""

    def __init__(self, lines: Lines) -> None:
        from edgewise.progress.plain import SilentProgress

        self.say, self.table, self.phase = lines.say, lines.table, SilentProgress().phase


def test_a_tracker_is_told_settings_every_epoch_and_the_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recorder = Recorder()
    search(tmp_path / "run", recorder, monkeypatch)
    kinds = [call for call, _, _ in recorder.calls]
    assert kinds == ["begin", "log", "log", "finish"]
    assert recorder.calls[0][1]["arch.lr"] == 0.02
    for i, record in enumerate(trace(tmp_path / "run", "search")):
        _, values, step = recorder.calls[1 + i]
        assert step == i + 1
        assert values["search/weights_loss"] == record["weights_loss"]
        assert values["search/arch_lr"] == record["arch_lr"]
        flat = [value for row in record["alpha"]["normal"] for value in row]
        assert (values["alpha/normal/lowest"], values["alpha/normal/highest"]) == (min(flat), max(flat))
        assert all(isinstance(value, (int, float)) for value in values.values())


def test_a_tracker_changes_nothing_in_the_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    search(tmp_path / "with", Recorder(), monkeypatch)
    with one_thread():
        start(small(*SHORT), tmp_path / "without", options=Options(seed=SEED, device="cpu"), command="search")
    for name in ("genotype.json", "supernet.safetensors", "recipe.toml", "trace.jsonl"):
        assert (tmp_path / "with" / name).read_bytes() == (tmp_path / "without" / name).read_bytes(), name


@pytest.mark.parametrize("call", ["begin", "log", "finish"])
def test_a_tracker_that_fails_is_named_once_left_alone_and_ends_no_run(
    call: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recorder, lines = Recorder(fails_at=call), Lines()
    search(tmp_path / "run", recorder, monkeypatch, lines)
    assert [kind for kind, _, _ in recorder.calls].count(call) == 1
    assert recorder.calls[-1][0] == call
    assert sum("ConnectionError: the service is gone" in line for line in lines.lines) == 1
    assert (tmp_path / "run" / "report.html").is_file()


def test_final_figures_are_sent_with_the_end(tmp_path: Path) -> None:
    recorder = Recorder()
    entry = {"top1": 0.5, "loss": 1.0, "params": 3, "macs": 4, "test_images": 10, "cells": None}
    Tracking(recorder, Lines()).finish({"found": entry})  # type: ignore[arg-type]
    assert recorder.calls[0][1] == {
        "test/found/top1": 0.5, "test/found/loss": 1.0, "test/found/params": 3, "test/found/macs": 4,
    }  # fmt: skip
    assert recorder.calls[1][0] == "finish"


def test_an_unknown_tracker_and_one_that_is_not_installed_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ConfigError, match="'tensorbord' is unknown: choose one of tensorboard"):
        Options(track="tensorbord")
    monkeypatch.setattr("edgewise.pipeline.track.importlib.util.find_spec", lambda name: None)
    with pytest.raises(ConfigError, match=r"pip install 'edgewise\[track\]'"):
        Options(track="tensorboard")
    with pytest.raises(ConfigError, match="pip install wandb"):
        Options(track="wandb")


def test_runs_have_no_tracker_unless_they_are_asked(whole: Whole) -> None:
    assert Options().track == ""
    assert '"track"' not in (whole.folder / "run.json").read_text()


@pytest.mark.skipif(importlib.util.find_spec("tensorboard") is None, reason="tensorboard is not installed")
def test_tensorboard_holds_the_curves_and_alpha_of_the_trace(tmp_path: Path) -> None:
    from tensorboard.backend.event_processing.event_accumulator import (  # pyright: ignore[reportMissingImports]
        EventAccumulator,
    )

    with one_thread():
        options = Options(seed=SEED, device="cpu", track="tensorboard")
        start(small(*SHORT), tmp_path / "run", options=options, command="search")
        resume(tmp_path / "run")
    events = EventAccumulator(str(tmp_path / "run" / "tensorboard"))
    events.Reload()
    records = trace(tmp_path / "run", "search")
    found = [(event.step, event.value) for event in events.Scalars("search/weights_loss")]
    assert found == [(i + 1, pytest.approx(record["weights_loss"])) for i, record in enumerate(records)]
    histogram = events.Histograms("alpha/normal")[-1].histogram_value
    flat = [value for row in records[-1]["alpha"]["normal"] for value in row]
    assert (histogram.num, histogram.max) == (len(flat), pytest.approx(max(flat)))
    pictures = events.Images("cells")
    assert [event.step for event in pictures] == [i + 1 for i in changes(records)]
    with Image.open(io.BytesIO(pictures[-1].encoded_image_string)) as picture:
        assert np.array_equal(np.asarray(picture), painted(records[-1]["genotype"]))


def changes(records: list[dict[str, Any]]) -> list[int]:
    """The epochs whose cells are others than those of the epoch before; the first is one."""
    cells = [None, *(record["genotype"]["cells"] for record in records)]
    return [i for i in range(len(records)) if cells[i] != cells[i + 1]]


def painted(genotype: dict[str, Any]) -> np.ndarray:
    return paint_cells({cell_name(name): cell for name, cell in genotype["cells"].items()})


ONE, OTHER = published("PC_DARTS_cifar").to_dict(), published("DARTS_V2").to_dict()


def send(tracker: Recorder, *genotypes: dict[str, Any], final: dict[str, Any] | None = None) -> None:
    """Sends epochs with these cells, then the end."""
    tracking = Tracking(tracker, Lines())  # type: ignore[arg-type]
    for epoch, genotype in enumerate(genotypes):
        tracking.epoch({"phase": "search", "epoch": epoch, "genotype": genotype})
    tracking.finish({}, final)


def test_cells_are_pictured_when_they_change_and_at_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    install(monkeypatch)
    tracker = Trackio()
    send(tracker, ONE, ONE, OTHER, OTHER, final=ONE)
    sent = [(values["cells"], step) for call, values, step in tracker.calls if call == "log" and "cells" in values]
    assert [step for _, step in sent] == [1, 3, 4]
    for ((_, picture), _), genotype in zip(sent, (ONE, OTHER, ONE), strict=True):
        assert np.array_equal(picture, painted(genotype))


def test_final_cells_that_were_pictured_are_not_sent_again(monkeypatch: pytest.MonkeyPatch) -> None:
    install(monkeypatch)
    tracker = Trackio()
    send(tracker, ONE, final=ONE)
    assert [(call, list(values or ())) for call, values, _ in tracker.calls] == [
        ("log", []), ("log", ["cells"]), ("finish", [])
    ]  # fmt: skip


def test_a_tracker_without_pictures_gets_none() -> None:
    plain = Recorder()
    send(plain, ONE)
    assert [call for call, _, _ in plain.calls] == ["log", "finish"]


def test_a_string_of_nas_bench_201_is_one_column_of_the_table_in_tensorboard() -> None:
    recorder = Recorder()
    recorder.name = "tensorboard"
    send_table(recorder, "results", ["network", "accuracy"], [["|none~0|+... (given)", "9 %"]])
    ((_, values, _),) = recorder.calls
    assert values["results"].splitlines()[2] == "| \\|none~0\\|+... (given) | 9 % |"


def test_a_picture_that_fails_is_named_once_and_ends_nothing() -> None:
    recorder, lines = Recorder(), Lines()
    recorder.name = "tensorboard"
    tracking = Tracking(recorder, lines)  # type: ignore[arg-type]
    tracking.cells(ONE)
    tracking.cells(OTHER)
    assert sum("the tracker failed and is left alone: AttributeError" in line for line in lines.lines) == 1
