"""A finished run's network can be tested again, on its own test images or on others."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from edgewise.errors import DataError, RunError
from edgewise.pipeline.retest import retest
from edgewise.runtime.compute import Compute
from tests.pipeline.small import one_thread, snapshot


def test_testing_again_gives_the_figures_of_results_json(whole) -> None:
    with one_thread():
        result, names = retest(whole.folder, data=None, seed=None, compute=Compute("cpu"))
    entry = whole.result.results["found"]
    assert names == tuple(str(digit) for digit in range(10))
    figures = asdict(result)
    assert figures.pop("images") == entry["test_images"]
    assert [list(row) for row in figures.pop("confusion")] == entry["confusion"]
    assert list(figures.pop("per_class")) == entry["per_class"]
    assert figures == {key: entry[key] for key in ("top1", "loss")}


def test_another_seed_cuts_other_test_images_off(whole) -> None:
    with one_thread():
        result, _ = retest(whole.folder, data=None, seed=77, compute=Compute("cpu"))
    assert [list(row) for row in result.confusion] != whole.result.results["found"]["confusion"]


def test_testing_leaves_the_run_folder_as_it_is(whole) -> None:
    before = snapshot(whole.folder)
    retest(whole.folder, data=None, seed=None, compute=Compute("cpu"))
    assert snapshot(whole.folder) == before


def test_images_of_other_classes_are_refused_with_both_lists(whole, tmp_path: Path) -> None:
    for name in ("cat", "dog"):
        (tmp_path / name).mkdir()
        for i in range(6):
            Image.fromarray(np.full((8, 8), 40 * i, np.uint8)).save(tmp_path / name / f"{i}.png")
    with pytest.raises(DataError, match=r"cat, dog.*0, 1, 2"):
        retest(whole.folder, data=str(tmp_path), seed=None, compute=Compute("cpu"))


def test_a_folder_without_a_network_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RunError, match=str(tmp_path)):
        retest(tmp_path, data=None, seed=None, compute=Compute("cpu"))
