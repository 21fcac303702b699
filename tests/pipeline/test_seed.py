"""The seed decides everything, and what is trained beside the found network decides nothing about it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from edgewise.pipeline import start
from tests.pipeline.small import (
    SEED,
    assert_same_outcome,
    one_thread,
    options,
    small,
    trace,
    without_onnx,
    without_seconds,
)


# The command line's tests compare a run by the console script with this session's, bit for bit, in every suite.
@pytest.mark.slow
def test_two_runs_of_one_seed_are_the_same_bit_for_bit(whole, tmp_path: Path) -> None:
    with one_thread():
        start(small(), tmp_path / "again", options=options(seed=SEED))
    assert_same_outcome(whole.folder, tmp_path / "again")


def test_another_seed_gives_other_images_another_search_and_other_weights(whole, tmp_path: Path) -> None:
    folder = tmp_path / "other"
    with one_thread():
        start(small(), folder, options=options(seed=SEED + 1), command="search")
    assert (folder / "supernet.safetensors").read_bytes() != (whole.folder / "supernet.safetensors").read_bytes()
    records = zip(trace(folder, "search"), trace(whole.folder, "search"), strict=True)
    assert all(one["alpha"] != two["alpha"] for one, two in records)
    runs = [json.loads((path / "run.json").read_text()) for path in (folder, whole.folder)]
    assert runs[0]["data"]["fingerprint"] != runs[1]["data"]["fingerprint"]


def test_without_comparisons_search_and_found_network_are_the_same_bit_for_bit(whole, tmp_path: Path) -> None:
    folder = tmp_path / "alone"
    with one_thread(), without_onnx():
        start(small("compare=[]"), folder, options=options(seed=SEED))
    for name in ("genotype.json", "network.safetensors", "supernet.safetensors"):
        assert (folder / name).read_bytes() == (whole.folder / name).read_bytes()
    alone = without_seconds(json.loads((folder / "results.json").read_text()))
    # Without another network there is no limit, of which the found one would use all.
    assert alone == {"found": without_seconds(whole.result.results)["found"] | {"used": {}}}
    assert trace(folder) == [r for r in trace(whole.folder) if r.get("network", "found") == "found"]
