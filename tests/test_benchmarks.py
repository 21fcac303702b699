"""Every benchmark runs to its end on a small case and prints a line for each thing that it compares."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks import ground_truth, growth
from benchmarks.common import Sizes
from edgewise.nn.engines.native import library

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[1]
SIZES = ("--batch", "4", "--channels", "8", "--layers", "3", "--image-size", "8")
NUMBER = r"[\d.,]*\d"


def said(*words: str, fails: bool = False) -> str:
    """What a benchmark prints, with one thread."""
    done = subprocess.run(
        [sys.executable, "-m", *words],
        cwd=ROOT,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=600,
    )
    assert (done.returncode != 0) == fails, done.stderr
    return done.stdout + (done.stderr if fails else "")


@pytest.mark.parametrize(
    "more", [(), ("--memory", "low"), ("--space", "nb201"), ("--recipe", "p-darts", "--stage", "1")]
)
def test_the_search_step_is_measured_on_every_engine(more: tuple[str, ...]) -> None:
    text = said("benchmarks.supernet", *SIZES, "--rounds", "1", *more)
    pattern = (
        rf"(\w+) +step median {NUMBER} s .*n 1\), {NUMBER} times .* peak {NUMBER} GB; {NUMBER} operator calls"
    )
    assert re.findall(pattern, text) == ["published", "plain", "grouped", "auto"]


@pytest.mark.skipif(library() is None, reason="no compiler, no kernels")
def test_the_ratio_passes_or_fails_by_what_is_asked() -> None:
    words = ("benchmarks.ratio", *SIZES, "--rounds", "1")
    assert "times as fast as published" in said(*words, "--at-least", "0.01")
    assert "less than 1000 times as fast" in said(*words, "--at-least", "1000", fails=True)


def test_one_process_and_two_are_measured() -> None:
    text = said("benchmarks.processes", *SIZES, "--rounds", "1", "--steps", "1", "--threads", "2")
    assert re.findall(rf"(\d process\w*, \w+) +step median {NUMBER} s", text) == [
        "1 process, kernels",
        "1 process, grouped",
        "1 process, plain",
        "2 processes, grouped",
        "2 processes, plain",
    ]


def test_training_is_measured_each_way() -> None:
    text = said("benchmarks.training", *SIZES, "--rounds", "1", "--channels-last")
    found = re.findall(rf"([\w-]+) +{NUMBER} images/s .* peak {NUMBER} GB; {NUMBER} operator calls", text)
    assert found == ["authors", "plain", "kernels", "bf16", "channels-last"]


def test_batches_are_measured_each_way() -> None:
    text = said("benchmarks.data", "--rounds", "1", "--batches", "1")
    assert re.findall(rf"(\w+) +{NUMBER} images/s", text) == ["copy", "batches", "streamed", "pil"]


def test_the_projections_share_is_measured() -> None:
    text = said("benchmarks.projection", *SIZES, "--steps", "1")
    assert re.findall(rf"share of the step, (\w+): {NUMBER}%", text) == ["projection", "diagnostics"]


def test_steps_and_epochs_are_measured_on_the_device_that_is_there() -> None:
    sizes = ("--batch", "512", *SIZES[2:])
    text = said("benchmarks.accelerator", "--device", "cpu", *sizes, "--rounds", "1", "--data", "digits")
    ways = ["plain", "fast", "fast, bf16"]
    assert re.findall(rf"(.+?) +step median {NUMBER} s", text) == ways
    assert re.findall(rf"(.+?) +an epoch of 1 steps in which alpha learns: {NUMBER} s", text) == ways
    assert re.findall(rf"(.+?) +a search of 50 epochs, 15 of them frozen: {NUMBER} min", text) == ways


def test_growth_is_measured_fitted_and_drawn(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(ROOT)
    # Of steps so small, what is measured is mostly noise: an exponent may be below zero.
    monkeypatch.setattr(growth, "BASE", {**vars(Sizes(8, 8, 3, 16)), "nodes": 2})
    points = {"batch": (4, 8, 16), "channels": (8, 16, 24), "layers": (3, 4, 5), "image_size": (8, 16, 24)}
    monkeypatch.setattr(growth, "FACTORS", {**points, "nodes": (2, 3, 4)})
    growth.main(["--steps", "1", "--threads", "1", "--out", str(tmp_path)])
    pattern = rf"auto +(\w+) +(time|memory) grows with exponent -?{NUMBER} ± {NUMBER}"
    found = re.findall(pattern, capsys.readouterr().out)
    assert found == [(name, kind) for name in growth.FACTORS for kind in ("time", "memory")]
    assert (tmp_path / "growth.html").stat().st_size > 1_000_000
    assert '"auto"' in (tmp_path / "growth.json").read_text()


def test_a_recipe_of_the_family_makes_a_row(tmp_path: Path) -> None:
    words = ("--data", "digits", "--train-images", "256", "--only", "gdas", "--out", str(tmp_path))
    last = said("benchmarks.family", *words).splitlines()[-1]
    assert re.fullmatch(rf"\| `gdas` \| 4 \|.*\| {NUMBER} \| - \|", last)


def test_searches_are_compared_with_the_truth(tmp_path: Path, shared_data: Path) -> None:
    words = ("--data", "digits", "--truth", str(shared_data / "nb201.csv"), "--out", str(tmp_path))
    table = said("benchmarks.ground_truth", *words, "--seeds", "1", "--epochs", "4", "--train-images", "256")
    for recipe in ground_truth.RECIPES:
        accuracies = rf"(\| {NUMBER} ){{4}}"
        assert re.search(rf"\| `{recipe}` {accuracies}\| \d \| {NUMBER} \| 1 \| {NUMBER} \|", table), table
