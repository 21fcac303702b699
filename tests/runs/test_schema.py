"""What stands in the JSON files of a run folder is checked by type, and told by place."""

from __future__ import annotations

from typing import Any

import pytest

from edgewise.runs.schema import RESUMED, Run, fault

RUN = {
    "format": "edgewise.run/1",
    "status": "done",
    "command": "run",
    "seed": 3,
    "device": "cpu",
    "precision": "fp32",
    "checkpoint_seconds": 60.0,
    "threads": 1,
    "stem": "cifar",
    "data": {"source": "digits", "fingerprint": "f", "classes": ["0", "1"], "images": {"test": 3}},
    "paths": {"data": {"path": "/x", "path_from_run": "../x"}},
    "phases": {"search": {"seconds": 1, "peak_memory_bytes": 5}},
    "truth": None,
}
ENTRY = {
    **{"params": 5, "macs": 6, "cells": None, "genotype": None, "top1": 0.5, "loss": 1.0, "test_images": 4},
    **{"per_class": [0.5, None], "confusion": [[1, 0], [0, 1]], "train_seconds": 3.5},
}


def test_files_as_runs_write_them_have_no_fault() -> None:
    assert fault("run.json", RUN) == ""
    assert fault("results.json", {"found": ENTRY}) == ""
    assert (
        fault("results.json", {"strategy": "random", "queries": 3, "distinct": 2, "score": 0.5, "query": 1}) == ""
    )


def test_what_newer_versions_add_is_no_fault() -> None:
    assert fault("run.json", RUN | {"something": [1, {"new": None}]}) == ""
    assert fault("results.json", {"found": ENTRY | {"something": "new"}}) == ""


@pytest.mark.parametrize(
    ("change", "place"),
    [
        ({"seed": "3"}, "seed"),
        ({"seed": True}, "seed"),
        ({"status": 3}, "status"),
        ({"threads": 1.5}, "threads"),
        ({"checkpoint_seconds": "soon"}, "checkpoint_seconds"),
        ({"data": []}, "data"),
        ({"data": {"classes": "01"}}, "data.classes"),
        ({"data": {"classes": ["0", 1]}}, "data.classes.1"),
        ({"data": {"images": {"test": "3"}}}, "data.images.test"),
        ({"paths": {"data": {"path": "/x"}}}, "paths.data.path_from_run"),
        ({"phases": {"search": 3}}, "phases.search"),
        ({"diverged": {"found": 3}}, "diverged.found"),
        ({"budget": {"int8": "yes"}}, "budget.int8"),
        ({"fitted": {"found": {"layers": 2.5}}}, "fitted.found.layers"),
    ],
)
def test_a_value_of_another_type_is_told_with_its_place_and_itself(change: dict[str, Any], place: str) -> None:
    said = fault("run.json", RUN | change)
    assert said.startswith(f"{place}: ")
    assert "value found:" in said


@pytest.mark.parametrize(
    ("change", "place"),
    [
        ({"top1": "0.5"}, "found.top1"),
        ({"params": 5.5}, "found.params"),
        ({"per_class": 3}, "found.per_class"),
        ({"confusion": [[1, "0"]]}, "found.confusion.0.1"),
        ({"cells": {"normal": {"skips": 1}}}, "found.cells.normal.pools"),
        ({"latency": {"median_ms": 1.0}}, "found.latency.p10"),
        ({"used": {"params": None}}, "found.used.params"),
    ],
)
def test_a_damaged_result_is_told_with_its_network(change: dict[str, Any], place: str) -> None:
    assert fault("results.json", {"found": ENTRY | change}).startswith(f"{place}: ")


@pytest.mark.parametrize("content", [3, [], "text", None])
@pytest.mark.parametrize("name", ["run.json", "results.json"])
def test_a_file_that_holds_no_object_is_a_fault(name: str, content: Any) -> None:
    assert fault(name, content) != ""


def test_a_long_value_is_cut() -> None:
    assert len(fault("run.json", RUN | {"seed": "9" * 10_000})) < 300


def test_other_files_are_not_looked_at() -> None:
    assert fault("genotype.json", 3) == ""


def test_what_a_run_needs_to_be_resumed_is_among_what_is_known_of_it() -> None:
    assert set(RESUMED) <= set(Run.__annotations__)
    assert set(RESUMED) <= set(RUN)
