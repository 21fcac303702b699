"""What each tracker is told in its own way, with stand-ins; test_track_packages.py asks the real packages."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgewise.pipeline.settings import Settings
from edgewise.pipeline.track import Tracking, open_tracking
from edgewise.pipeline.trackers import open_tracker
from edgewise.progress.plain import SilentProgress
from edgewise.report.png import paint_cells
from edgewise.runs.folder import RunFolder
from edgewise.spaces import cell_name, published
from tests.pipeline.small import small
from tests.pipeline.stand_ins import MLflow, Recorder, Trackio, WandB, install
from tests.study.factory import Lines

ONE, OTHER = published("PC_DARTS_cifar").to_dict(), published("DARTS_V2").to_dict()
ENTRY = {
    **{"top1": 0.5, "loss": 1.0, "params": 3_000, "macs": 4_000_000, "test_images": 10, "cells": None},
    **{"channels": 6, "layers": 5, "ram": 2_000, "size": 40_000, "train_seconds": 7.0, "used": {"params": 0.75}},
    "latency": {"median_ms": 1.5, "p10": 1.0, "p90": 2.0, "n": 100, "threads": 1},
}
HEADS = [
    *("network", "C x cells", "parameters", "multiply-adds", "size", "RAM", "latency"),
    *("test accuracy", "95 %", "training"),
]
ROW = [
    *("found by the search", "6 x 5", "3,000 (75%)", "4.00 M", "40.0 kB", "2.0 kB", "1.5 ms"),
    *("50.00% of 10", "23.7-76.3", "7 s"),
]


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    importlib.import_module("accelerate.tracking")  # it looks for the packages that are stood in for
    return install(monkeypatch)


def tell(tracker: Any) -> None:
    """Sends a run: three epochs of a search with two pictures, two trainings of two epochs, the end."""
    lines = Lines()
    tracking = Tracking(tracker, lines)  # type: ignore[arg-type]
    tracking.begin({"seed": 1})
    for epoch, genotype in enumerate((ONE, ONE, OTHER)):
        alpha = {"normal": [[0.0, epoch], [1.0, 2.0]]}
        record = {"phase": "search", "epoch": epoch, "lr": epoch / 2, "alpha": alpha, "genotype": genotype}
        tracking.epoch(record)
    for network in ("found", "random"):
        for epoch in range(2):
            tracking.epoch({"phase": "train", "network": network, "epoch": epoch, "loss": epoch / 4})
    tracking.finish({"found": ENTRY}, OTHER)
    assert lines.lines == []


def painted(genotype: dict[str, Any]) -> np.ndarray:
    return paint_cells({cell_name(name): cell for name, cell in genotype["cells"].items()})


def test_weights_and_biases_drops_no_epoch_and_has_each_phases_epochs_as_axis(sent: dict[str, Any]) -> None:
    tracker = WandB()
    tell(tracker)
    curve = [(row["search/epoch"], row["search/lr"]) for row in tracker.rows if "search/lr" in row]
    assert curve == [(1, 0.0), (2, 0.5), (3, 1.0)]
    for network in ("found", "random"):
        place = f"train/{network}"
        rows = [row for row in tracker.rows if f"{place}/loss" in row]
        assert [(row[f"{place}/epoch"], row[f"{place}/loss"]) for row in rows] == [(1, 0.0), (2, 0.25)]
    drawn = [(row["search/epoch"], row["alpha/normal"]) for row in tracker.rows if "alpha/normal" in row]
    assert drawn == [(epoch + 1, ("histogram", [0.0, epoch, 1.0, 2.0])) for epoch in range(3)]
    pictures = [(row["search/epoch"], row["cells"]) for row in tracker.rows if "cells" in row]
    assert [epoch for epoch, _ in pictures] == [1, 3]
    for (_, (kind, picture)), genotype in zip(pictures, (ONE, OTHER), strict=True):
        assert kind == "image"
        assert np.array_equal(picture, painted(genotype))
    assert tracker.rows[-1] == {"results": [HEADS, ROW]}


def test_the_final_figures_hold_size_memory_and_latency(sent: dict[str, Any]) -> None:
    tracker = Recorder()
    tell(tracker)
    figures = next(values for call, values, _ in tracker.calls if call == "log" and "test/found/top1" in values)
    assert figures == {
        **{"test/found/top1": 0.5, "test/found/loss": 1.0, "test/found/params": 3_000},
        **{"test/found/macs": 4_000_000, "test/found/size": 40_000, "test/found/ram": 2_000},
        "test/found/latency_ms": 1.5,
    }


def test_axes_are_given_to_weights_and_biases_when_it_is_opened(
    tmp_path: Path, sent: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    with folder(tmp_path) as run:
        axes = opened("wandb", WandB, run, monkeypatch).axes
    assert axes["search/*"] == axes["alpha/*"] == axes["cells"] == "search/epoch"
    assert {name: axes[f"train/{name}/*"] for name in ("found", "random", "hand")} == {
        name: f"train/{name}/epoch" for name in ("found", "random", "hand")
    }


def test_mlflow_gets_a_file_for_each_picture_and_the_table_as_a_file(sent: dict[str, Any]) -> None:
    tell(MLflow())
    assert set(sent) == {"cells/epoch-0001.png", "cells/epoch-0003.png", "results.csv"}
    assert np.array_equal(sent["cells/epoch-0003.png"], painted(OTHER))
    assert sent["results.csv"] == (
        "network,C x cells,parameters,multiply-adds,size,RAM,latency,test accuracy,95 %,training\n"
        'found by the search,6 x 5,"3,000 (75%)",4.00 M,40.0 kB,2.0 kB,1.5 ms,50.00% of 10,23.7-76.3,7 s\n'
    )


def test_mlflow_is_told_changed_settings_as_tags_since_it_refuses_them(sent: dict[str, Any]) -> None:
    tracker, lines = MLflow(params={"arch.lr": "0.1", "seed": "1"}), Lines()
    Tracking(tracker, lines).begin({"arch": {"lr": 0.2}, "seed": 1, "new": "x"})  # type: ignore[arg-type]
    assert (lines.lines, tracker.params, sent) == (
        [], {"arch.lr": "0.1", "seed": "1", "new": "x"}, {"arch.lr": "0.2"}
    )  # fmt: skip


def test_trackio_gets_images_histograms_and_tables_of_its_own_kinds(sent: dict[str, Any]) -> None:
    tracker = Trackio()
    tell(tracker)
    logged = [(values, step) for call, values, step in tracker.calls if call == "log"]
    drawn = [(values["alpha/normal"], step) for values, step in logged if "alpha/normal" in values]
    assert drawn == [(("histogram", [0.0, epoch, 1.0, 2.0]), epoch + 1) for epoch in range(3)]
    pictures = [(values["cells"], step) for values, step in logged if "cells" in values]
    assert [(picture[0], step) for picture, step in pictures] == [("image", 1), ("image", 3)]
    assert np.array_equal(pictures[1][0][1], painted(OTHER))
    kind, table = logged[-1][0]["results"]
    assert (kind, list(table.columns), table.to_numpy().tolist()) == ("table", HEADS, [ROW])


def folder(path: Path) -> RunFolder:
    return RunFolder.create(path / "photos")


def opened(name: str, kind: type[Recorder], run: RunFolder, patch: pytest.MonkeyPatch) -> Any:
    patch.setattr("accelerate.tracking.LOGGER_TYPE_TO_CLASS", {name: kind})
    return open_tracker(name, run)


def test_a_run_that_is_gone_on_with_goes_on_in_the_trackers_run(
    tmp_path: Path, sent: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    with folder(tmp_path) as run:
        first = opened("wandb", WandB, run, monkeypatch)
        assert first.asked == {"project": "edgewise", "name": "photos", "id": "made", "resume": None}
        assert run.read_run()["tracker_run"] == "made"
        run.update_run({"tracker_run": "its own"})
        second = opened("wandb", WandB, run, monkeypatch)
        assert (second.asked["id"], second.asked["resume"]) == ("its own", "allow")
    with folder(tmp_path / "mlflow") as run:
        first = opened("mlflow", MLflow, run, monkeypatch)
        assert first.asked == {"experiment": "edgewise", "run_name": "photos", "run_id": None}
        assert opened("mlflow", MLflow, run, monkeypatch).asked["run_id"] == "made"


def test_trackio_goes_on_with_its_run_unless_another_of_that_name_is_later(
    tmp_path: Path, sent: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    with folder(tmp_path) as run, folder(tmp_path / "elsewhere") as other:
        assert opened("trackio", Trackio, run, monkeypatch).tracker.id == "run 0"
        assert opened("trackio", Trackio, run, monkeypatch).tracker.id == "run 0"
        assert opened("trackio", Trackio, other, monkeypatch).tracker.id == "run 1"
        assert opened("trackio", Trackio, run, monkeypatch).tracker.id == "run 2"
        assert [f.read_run()["tracker_run"] for f in (run, other)] == ["run 2", "run 1"]


def test_cells_at_the_end_of_a_run_gone_on_with_belong_to_the_searchs_last_epoch(
    tmp_path: Path, sent: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("edgewise.pipeline.track.check_tracker", lambda name: None)
    monkeypatch.setattr("edgewise.pipeline.track.open_tracker", lambda name, folder: MLflow())
    settings: Settings = small()
    with folder(tmp_path) as run:
        for epoch in range(2):
            run.append_trace({"phase": "search", "epoch": epoch, "genotype": ONE})
        run.write_json("genotype.json", ONE)
        with open_tracking("mlflow", run, settings, SilentProgress()) as tracking:
            tracking.epoch({"phase": "train", "network": "found", "epoch": 6, "loss": 1.0})
    assert [name for name in sent if name.startswith("cells")] == ["cells/epoch-0002.png"]


@pytest.mark.parametrize(("given", "called"), [({"given": "PDARTS"}, "PDARTS (given)"), ({}, "given cells")])
def test_the_table_does_not_call_found_what_a_run_was_given(
    given: dict[str, str], called: str, tmp_path: Path, sent: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("edgewise.pipeline.track.check_tracker", lambda name: None)
    monkeypatch.setattr("edgewise.pipeline.track.open_tracker", lambda name, folder: MLflow())
    with folder(tmp_path) as run:
        run.update_run({"command": "train", **given})
        run.write_json("results.json", {"found": ENTRY})
        with open_tracking("mlflow", run, small(), SilentProgress()):
            pass
    assert sent["results.csv"].splitlines()[1].startswith(f"{called},")


SELECTION: dict[str, Any] = {
    "candidates": [
        {"name": name, "kind": kind, "genotype": None, "channels": 6, "layers": 5, "params": params, "macs": 7}
        for name, kind, params in (("last", "last", 10), ("random 1", "random", 20))
    ],
    "figures": {"last": {"loss": 2.0}, "random 1": {"loss": 1.0, "accuracy": 0.75}},
    "winner": "random 1",
    "order": ["random 1"],
    "out": {"last": {"rung": 0, "place": 2, "reason": "place 2 of 2"}},
    "epochs": {"last": 1, "random 1": 2},
    "images": {"last": 100, "random 1": 200},
    "seconds": {"last": 3.0, "random 1": 6.0},
}


def test_a_tracker_gets_the_figures_and_the_table_of_a_selection(sent: dict[str, Any]) -> None:
    tracker, lines = WandB(), Lines()
    tracking = Tracking(tracker, lines)  # type: ignore[arg-type]
    for epoch in range(2):
        record = {"phase": "select", "network": "random 1", "rung": epoch, "epoch": epoch, "loss": 2.0 - epoch}
        tracking.epoch(record | ({"arch_accuracy": 0.75, "order": ["random 1"]} if epoch else {}))
    tracking.finish({}, None, selection=SELECTION)
    assert lines.lines == []
    place = "select/random 1"
    curve = [(row[f"{place}/epoch"], row[f"{place}/loss"]) for row in tracker.rows if f"{place}/loss" in row]
    assert curve == [(1, 2.0), (2, 1.0)]
    assert tracker.rows[1][f"{place}/arch_accuracy"] == 0.75
    assert tracker.axes[f"{place}/*"] == f"{place}/epoch"
    values = next(row for row in tracker.rows if "selection/last/place" in row)
    assert values == {
        **{"selection/random 1/place": 1, "selection/random 1/params": 20, "selection/random 1/macs": 7},
        **{"selection/random 1/epochs": 2, "selection/random 1/seconds": 6.0},
        **{"selection/random 1/loss": 1.0, "selection/random 1/accuracy": 0.75},
        **{"selection/last/place": 2, "selection/last/params": 10, "selection/last/macs": 7},
        **{"selection/last/epochs": 1, "selection/last/seconds": 3.0, "selection/last/loss": 2.0},
    }
    heads, *rows = tracker.rows[-1]["selection"]
    assert heads[:2] == ["place", "candidate"]
    assert [row[:2] for row in rows] == [["1", "random 1"], ["2", "the search's cells"]]
