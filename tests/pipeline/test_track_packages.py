"""Trackers with the packages themselves, skipped where they are not installed; nothing leaves the machine.

Every run is interrupted in the search's second epoch and gone on with: it has to be one run for the tracker too.
"""

from __future__ import annotations

import csv
import importlib.util
import io
import json
import os
import signal
import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from edgewise.config.build import dump
from edgewise.pipeline import Options, resume, start, summary_columns, summary_rows
from edgewise.report.png import paint_cells
from edgewise.runtime.interrupt import Interrupted
from edgewise.spaces import cell_name
from tests.pipeline.small import SEED, EarlyStopping, one_thread, small, trace, without_onnx

SETS = ("search.epochs=2", "search.trace_steps=false", "compare=['random']")


@dataclass
class Told:
    """What a tracker knows of a run.

    Args:
        curves: for each name the values with their epochs, in the order in which they came.
        settings: by dotted name.
        pictures: the files of the cells' pictures, the last one last.
        distributions: for each epoch alpha's values of the normal cells, counted; None where there can be none.
        table: the final table with its heads.
    """

    curves: dict[str, list[tuple[int, float]]]
    settings: dict[str, Any]
    pictures: list[bytes]
    distributions: list[int] | None
    table: list[list[str]]


def interrupted_run(
    name: str, folder: Path, *, sets: tuple[str, ...] = (), between: Callable[[], object] = lambda: None
) -> None:
    """A run that somebody stops in the search's second epoch, and goes on with after something else."""

    def stop(title: str, epoch: int, step: int) -> None:
        if (title, epoch, step) == ("search", 1, 0) and not folder.with_name("stopped").exists():
            folder.with_name("stopped").touch()
            os.kill(os.getpid(), signal.SIGINT)

    watch = EarlyStopping(stop)
    with one_thread(), without_onnx():
        with pytest.raises(Interrupted):
            start(small(*SETS), folder, options=Options(seed=SEED, device="cpu", track=name), progress=watch)
        between()
        resume(folder, sets=sets, progress=watch)
    assert [line for line in watch.lines if "tracker" in line] == []


def assert_all_was_told(told: Told, folder: Path) -> None:
    """Compares what a tracker knows with what the run's folder holds."""
    records = trace(folder)
    assert {record["phase"] for record in records} == {"search", "train"}
    expected: dict[str, list[tuple[int, float]]] = {}
    for record in records:
        place = "/".join(record[key] for key in ("phase", "network") if key in record)
        for key, value in record.items():
            if key != "epoch" and isinstance(value, (int, float)):
                expected.setdefault(f"{place}/{key}", []).append((record["epoch"] + 1, value))
    for name, curve in expected.items():
        assert told.curves[name] == [(epoch, pytest.approx(value)) for epoch, value in curve], name
    results = json.loads((folder / "results.json").read_text())
    for network in ("found", "random"):
        for figure in ("top1", "loss", "params", "macs"):
            [(_, value)] = told.curves[f"test/{network}/{figure}"]
            assert value == pytest.approx(results[network][figure])
    assert set(told.settings) >= {"name", "arch.lr", "channels.k", "search.epochs"}
    assert float(told.settings["search.epochs"]) == 2
    assert told.table == [list(row) for row in (summary_columns(results), *summary_rows(results))]
    cells = json.loads((folder / "genotype.json").read_text())["cells"]
    with Image.open(io.BytesIO(told.pictures[-1])) as picture:
        painted = paint_cells({cell_name(name): cell for name, cell in cells.items()})
        assert np.array_equal(np.asarray(picture.convert("RGB")), painted)
    alphas = [len(np.ravel(record["alpha"]["normal"])) for record in records if "alpha" in record]
    assert told.distributions in (None, alphas)


@pytest.fixture(autouse=True)
def _own_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Packages write where they are."""
    monkeypatch.chdir(tmp_path)


def needs(package: str) -> pytest.MarkDecorator:
    """Skips without importing: where trackio writes is settled by its first import."""
    return pytest.mark.skipif(importlib.util.find_spec(package) is None, reason=f"{package} is not installed")


@pytest.fixture
def mlflow(tmp_path: Path) -> Iterator[Any]:
    package = pytest.importorskip("mlflow")
    before = package.get_tracking_uri()
    package.set_tracking_uri(f"sqlite:///{tmp_path / 'mlflow.db'}")
    yield package
    package.end_run()
    package.set_tracking_uri(before)


def mlflow_run(mlflow: Any) -> Any:
    [run] = mlflow.search_runs(experiment_names=["edgewise"], output_format="list")
    return run


def mlflow_told(mlflow: Any) -> Told:
    client, run = mlflow.MlflowClient(), mlflow_run(mlflow)
    assert (run.info.run_name, run.info.status) == ("run", "FINISHED")
    curves = {
        name: [(value.step, value.value) for value in client.get_metric_history(run.info.run_id, name)]
        for name in run.data.metrics
    }
    paths = sorted(entry.path for entry in client.list_artifacts(run.info.run_id, "cells"))
    files = {
        path: Path(client.download_artifacts(run.info.run_id, path)).read_bytes()
        for path in [*paths, "results.csv"]
    }
    table = list(csv.reader(io.StringIO(files["results.csv"].decode())))
    return Told(curves, run.data.params, [files[path] for path in paths], None, table)


@needs("mlflow")
def test_mlflow_is_told_of_all_in_one_run(tmp_path: Path, mlflow: Any) -> None:
    interrupted_run("mlflow", tmp_path / "run")
    assert_all_was_told(mlflow_told(mlflow), tmp_path / "run")


@needs("mlflow")
def test_settings_that_change_in_a_run_are_tags_for_mlflow(tmp_path: Path, mlflow: Any) -> None:
    interrupted_run("mlflow", tmp_path / "run", sets=("train.lr=0.01",))
    run = mlflow_run(mlflow)
    assert run.data.params["train.lr"] == str(dump(small(*SETS))["train"]["lr"]) != "0.01"
    assert {name: value for name, value in run.data.tags.items() if "mlflow." not in name} == {"train.lr": "0.01"}
    assert run.data.metrics["train/found/loss"] == pytest.approx(trace(tmp_path / "run", "train")[1]["loss"])


@needs("wandb")
def test_weights_and_biases_is_told_of_all_in_one_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"MODE": "offline", "SILENT": "true", "DIR": str(tmp_path)}.items():
        monkeypatch.setenv(f"WANDB_{name}", value)
    interrupted_run("wandb", tmp_path / "run")
    assert_all_was_told(wandb_told(tmp_path / "wandb"), tmp_path / "run")


def wandb_told(folder: Path) -> Told:
    rows, settings, runs, axes = [], {}, set(), {}
    for part in sorted(folder.glob("offline-run-*")):
        for record in wandb_records(next(part.glob("*.wandb"))):
            rows += [
                {
                    "/".join(item.nested_key) or item.key: json.loads(item.value_json)
                    for item in record.history.item
                }
            ]
            settings |= {"/".join(i.nested_key) or i.key: json.loads(i.value_json) for i in record.config.update}
            runs |= {record.run.run_id} - {""}
            axes |= {record.metric.glob_name: record.metric.step_metric} if record.metric.glob_name else {}
    assert len(runs) == 1
    curves: dict[str, list[tuple[int, float]]] = {}
    for row in rows:
        for name, value in row.items():
            axis = next((axes[glob] for glob in axes if name.startswith(glob.removesuffix("*"))), None)
            if isinstance(value, (int, float)) and (axis is None or axis in row):
                curves.setdefault(name, []).append((row.get(axis, 0), value))
    bins = [sum(row["alpha/normal/values"]) for row in rows if "alpha/normal/values" in row]
    files = {path.name: path.read_bytes() for path in folder.glob("offline-run-*/files/media/*/*")}
    pictures = [files[Path(row["cells/path"]).name] for row in rows if "cells/path" in row]
    [table] = [json.loads(files[Path(row["results/path"]).name]) for row in rows if "results/path" in row]
    return Told(curves, settings, pictures, bins, [table["columns"], *table["data"]])


def wandb_records(path: Path) -> Iterator[Any]:
    """The records of an offline run: a log of LevelDB's kind, blocks of 32 KiB, a head of 7 bytes a piece."""
    from wandb.proto import wandb_internal_pb2  # pyright: ignore[reportMissingImports]

    data, at, whole = path.read_bytes(), 7, b""
    while at + 7 <= len(data):
        if (left := 2**15 - at % 2**15) < 7:
            at += left
            continue
        length, kind = struct.unpack("<HB", data[at + 4 : at + 7])
        whole, at = whole + data[at + 7 : at + 7 + length], at + 7 + length
        if kind in (1, 4):
            yield wandb_internal_pb2.Record.FromString(whole)
            whole = b""


@pytest.fixture(scope="module")
def trackio_store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Where trackio writes; it reads that at its import, once a process."""
    store = tmp_path_factory.mktemp("trackio")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TRACKIO_DIR", str(store))
        pytest.importorskip("trackio")
        yield store


@needs("trackio")
def test_trackio_is_told_of_all_in_one_run(tmp_path: Path, trackio_store: Path) -> None:
    interrupted_run("trackio", tmp_path / "run")
    assert_all_was_told(trackio_told(trackio_store, tmp_path / "run"), tmp_path / "run")


@needs("trackio")
def test_trackio_goes_on_with_no_run_of_another_folder(tmp_path: Path, trackio_store: Path) -> None:
    elsewhere = tmp_path / "elsewhere" / "run"
    interrupted_run("trackio", tmp_path / "run", between=lambda: search_only(elsewhere))
    told = trackio_told(trackio_store, elsewhere)
    assert [epoch for epoch, _ in told.curves["search/lr"]] == [1, 2]
    assert not [name for name in told.curves if name.startswith("train")]


def search_only(folder: Path) -> None:
    with one_thread():
        start(small(*SETS), folder, options=Options(seed=SEED, device="cpu", track="trackio"), command="search")


def trackio_told(store: Path, folder: Path) -> Told:
    import sqlite3

    known = json.loads((folder / "run.json").read_text())["tracker_run"]
    with sqlite3.connect(store / "edgewise.db") as database:
        rows = database.execute(
            "select step, metrics from metrics where run_id = ? order by id", (known,)
        ).fetchall()
        configs = database.execute("select config from configs where run_id = ?", (known,)).fetchall()
    sent = [(step, json.loads(text)) for step, text in rows]
    curves: dict[str, list[tuple[int, float]]] = {}
    for step, values in sent:
        for name, value in values.items():
            if isinstance(value, (int, float)):
                curves.setdefault(name, []).append((step, value))
    pictures = [(store / "media" / v["cells"]["file_path"]).read_bytes() for _, v in sent if "cells" in v]
    bins = [sum(v["alpha/normal"]["values"]) for _, v in sent if "alpha/normal" in v]
    tables = [v["results"]["_value"] for _, v in sent if "results" in v]
    table = [[list(rows[0]), *(list(row.values()) for row in rows)] for rows in tables]
    return Told(curves, json.loads(configs[-1][0]), pictures, bins, table[-1] if table else [])
