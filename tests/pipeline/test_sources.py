"""Images and tables of a run are found again from anywhere, and a path is never asked of a hub."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from edgewise.data import DataSettings, absolute_path, as_text, load
from edgewise.errors import RunError
from edgewise.pipeline import resume, start
from edgewise.pipeline.retest import retest
from edgewise.pipeline.sources import path_facts, path_of_run, seen_from, source_of_run
from edgewise.runtime.compute import Compute
from tests.pipeline.small import one_thread, options, small, without_onnx


def photos(root: Path, classes: tuple[bytes, ...] = (b"a", b"b"), count: int = 8) -> Path:
    """Noise in folders named by bytes."""
    rng = np.random.default_rng(0)
    for part in (b"train", b"test"):
        for name in classes:
            folder = os.fsencode(root) + b"/" + part + b"/" + name
            os.makedirs(folder, exist_ok=True)
            for i in range(count):
                pixels = rng.integers(0, 255, (8, 8, 3), dtype=np.uint8)
                Image.fromarray(pixels).save(os.fsdecode(folder + b"/%d.png" % i))
    return root


def test_digits_and_names_on_a_hub_are_no_paths(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert path_facts({"data": "digits", "truth": None}, tmp_path) == {}
    assert absolute_path("cifar10") is None
    assert absolute_path("owner/name") is None


def test_paths_and_patterns_are_kept_absolute_and_from_the_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "d").mkdir()
    (tmp_path / "d" / "x.parquet").touch()
    facts = path_facts({"data": "d/*.parquet", "table": "d/x.parquet"}, Path("runs/r"))
    assert facts["data"] == {"path": f"{tmp_path}/d/*.parquet", "path_from_run": "../../d/*.parquet"}
    assert facts["table"]["path"] == f"{tmp_path}/d/x.parquet"


def test_a_moved_run_finds_what_moved_with_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "old" / "d").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "old")
    run = {"paths": path_facts({"data": "d"}, Path("r"))}
    assert path_of_run("data", "d", run, Path("r")) == "d"
    monkeypatch.chdir(tmp_path)
    assert path_of_run("data", "d", run, Path("old/r")) == str(tmp_path / "old" / "d")
    (tmp_path / "old").rename(tmp_path / "new")
    assert path_of_run("data", "d", run, Path("new/r")) == str(tmp_path / "new" / "d")
    (tmp_path / "new" / "d").rmdir()
    with pytest.raises(RunError, match=rf"{tmp_path}/old/d, {tmp_path}/new/d\): restore it"):
        source_of_run(DataSettings("d"), run, Path("new/r"))
    assert path_of_run("table", "t.csv", run, Path("new/r")) == "t.csv"


def test_another_folder_of_the_same_relative_name_is_not_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("one", "two"):
        (tmp_path / name / "d").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "one")
    run = {"paths": path_facts({"data": "d"}, Path("r"))}
    monkeypatch.chdir(tmp_path / "two")
    assert path_of_run("data", "d", run, tmp_path / "one" / "r") == str(tmp_path / "one" / "d")


def test_runs_of_version_0_1_look_beside_the_run_and_never_on_the_hub(tmp_path: Path) -> None:
    (tmp_path / "d" / "r2").mkdir(parents=True)
    run = {"data": {"notes": []}}
    found = source_of_run(DataSettings("d/r2"), run, tmp_path / "runs" / "x")
    assert found.source == str(tmp_path / "d" / "r2")
    with pytest.raises(RunError, match="not there any more"):
        source_of_run(DataSettings("gone/r2"), run, tmp_path / "runs" / "x")
    hub = {"data": {"notes": ["uoft-cs/cifar10 comes from the Hugging Face hub: ..."]}}
    assert source_of_run(DataSettings("cifar10"), hub, tmp_path).source == "cifar10"
    assert source_of_run(DataSettings("digits"), run, tmp_path).source == "digits"


def test_a_study_looks_from_the_folder_where_it_began(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "d").mkdir()
    monkeypatch.chdir("/")
    settings = DataSettings("d")
    assert seen_from(settings, str(tmp_path)).source == str(tmp_path / "d")
    assert seen_from(settings, "") == settings
    assert seen_from(DataSettings("cifar10"), str(tmp_path)).source == "cifar10"


def test_a_run_begun_with_a_relative_path_is_tested_and_resumed_from_elsewhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    photos(tmp_path / "d" / "r2")
    monkeypatch.chdir(tmp_path)
    sets = (
        "data.source=d/r2",
        "data.train_images=none",
        "search.batch_size=4",
        "train.batch_size=8",
        "compare=[]",
    )
    with one_thread(), without_onnx():
        start(small(*sets, "search.epochs=2", "train.epochs=1"), "r", options=options())
    monkeypatch.chdir("/")
    monkeypatch.setattr("edgewise.data.sources.hub_source", refuse)
    folder = tmp_path / "r"
    result, names = retest(folder, data=None, seed=None, compute=Compute("cpu"))
    assert (result.images, names) == (16, ("a", "b"))
    run = json.loads((folder / "run.json").read_text())
    assert run["data"]["source"] == "d/r2"
    (folder / "run.json").write_text(json.dumps(run | {"status": "interrupted"}))
    with one_thread(), without_onnx():
        assert resume(folder).results["found"]["test_images"] == 16
    (tmp_path / "d").rename(tmp_path / "e")
    with pytest.raises(RunError, match=r"d/r2, which the run began with, is not there any more"):
        retest(folder, data=None, seed=None, compute=Compute("cpu"))


def refuse(settings: DataSettings) -> None:
    raise AssertionError("a path was asked of the hub")


@pytest.mark.skipif(os.name == "nt", reason="names are UTF-16 there")
def test_names_that_are_no_utf_8_are_read_and_stored(tmp_path: Path) -> None:
    root = photos(tmp_path / os.fsdecode(b"a\xff"), classes=(b"x\xfey", b"b"))
    text = as_text(str(root))
    assert text == f"file://{tmp_path}/a%FF"
    assert as_text("d/r2") == "d/r2"
    assert absolute_path(text) == str(root)
    splits = load(DataSettings(text), seed=0)
    assert splits.class_names == ("b", "x\\xfey")
    assert len(splits.test) == 16


@pytest.mark.skipif(os.name == "nt", reason="names are UTF-16 there")
def test_a_run_in_a_folder_whose_name_is_no_utf_8_goes_to_its_end(tmp_path: Path) -> None:
    root = photos(tmp_path / os.fsdecode(b"a\xff"))
    settings = small(
        "data.train_images=none", "search.batch_size=4", "search.epochs=2", "train.epochs=1", "compare=[]"
    )
    settings = replace(settings, data=replace(settings.data, source=as_text(str(root))))
    folder = tmp_path / os.fsdecode(b"r\xfe")
    with one_thread(), without_onnx():
        start(settings, folder, options=options())
    assert (folder / "report.html").read_text().count("%FF") > 0
    assert retest(folder, data=None, seed=None, compute=Compute("cpu"))[0].images == 16
