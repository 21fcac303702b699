"""A whole small run: its folder, its figures, its phases, and when it looks at test images."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F

import edgewise
from edgewise.data import Splits
from edgewise.errors import RunError
from edgewise.export import load_network
from edgewise.pipeline import summary_columns, summary_rows
from edgewise.pipeline.networks import build_candidate, measure_size, network_spec
from edgewise.pipeline.phases import wanted_phases
from edgewise.spaces import SPACES, Genotype
from tests.pipeline.small import FILES, NETWORKS, SEARCH_STEPS, SEED, TRAIN_STEPS, one_thread, small, trace

SEARCH_KEYS = {
    "phase", "epoch", "steps", "arch_steps", "weights_loss", "weights_accuracy", "arch_loss", "arch_accuracy",
    "lr", "arch_lr", "weights_grad_norm", "alpha_grad_norm", "beta_grad_norm", "alpha", "beta", "genotype",
    "skips", "pools", "conflicts", "mixture", "depth", "width", "shares", "schedule_epoch", "stage", "layers",
    "weight_decay", "hessian", "gap", "decision",
}  # fmt: skip
TRAIN_KEYS = {"phase", "network", "epoch", "loss", "accuracy", "lr", "drop_path", "grad_norm"}
RUN_KEYS = {
    "format", "status", "command", "seed", "device", "device_name", "precision", "versions", "threads", "git",
    "data", "stem", "started", "phases",
}  # fmt: skip
DATA_KEYS = {
    "source", "fingerprint", "classes", "images", "image_size", "channels", "normalisation", "notes",
}  # fmt: skip
RESULT_KEYS = {
    "params", "macs", "top1", "loss", "per_class", "confusion", "test_images", "cells", "genotype",
    "train_seconds", "channels", "layers", "ram", "size", "latency", "used",
}  # fmt: skip


def read(folder: Path, name: str) -> Any:
    return json.loads((folder / name).read_text())


def test_a_whole_run_leaves_every_file_and_no_other(whole) -> None:
    assert {path.name for path in whole.folder.iterdir()} == set(FILES)
    assert [name for name in FILES if not (whole.folder / name).stat().st_size] == []


def test_run_json_says_all_that_the_run_followed_from(whole, splits) -> None:
    run = read(whole.folder, "run.json")
    assert set(run) >= RUN_KEYS
    assert set(run["data"]) >= DATA_KEYS
    assert (run["format"], run["status"], run["command"]) == ("edgewise.run/1", "done", "run")
    assert (run["seed"], run["device"], run["precision"], run["threads"]) == (SEED, "cpu", "fp32", 1)
    assert run["stem"] == "cifar"
    assert run["versions"]["torch"] == torch.__version__
    assert run["versions"]["edgewise"] == edgewise.__version__
    assert run["data"]["fingerprint"] == splits.fingerprint
    assert run["data"]["images"] == {"weights": 100, "arch": 100, "test": len(splits.test)}
    assert run["data"]["classes"] == [str(digit) for digit in range(10)]
    assert run["data"]["normalisation"] == {
        "mean": list(splits.normalisation.mean),
        "std": list(splits.normalisation.std),
    }


def test_run_json_holds_time_and_memory_of_every_phase(whole) -> None:
    phases = read(whole.folder, "run.json")["phases"]
    assert list(phases) == ["search", "fit", "train:found", "train:random", "train:hand"]
    assert all(entry["seconds"] > 0 for entry in phases.values())
    assert all(entry["peak_memory_bytes"] > 2**20 for name, entry in phases.items() if name != "fit")


def test_the_seconds_of_a_phase_are_the_sum_of_its_epochs(whole) -> None:
    timings = [json.loads(line) for line in (whole.folder / "timings.jsonl").read_text().splitlines()]
    assert [(t["phase"], t["epoch"]) for t in timings] == [("search", e) for e in range(3)] + [
        (f"train:{name}", e) for name in NETWORKS for e in range(2)
    ]
    for phase, entry in read(whole.folder, "run.json")["phases"].items():
        if phase == "fit":  # no epochs
            continue
        assert entry["seconds"] == pytest.approx(sum(t["seconds"] for t in timings if t["phase"] == phase))
    for name, entry in whole.result.results.items():
        assert entry["train_seconds"] == pytest.approx(
            sum(t["seconds"] for t in timings if t["phase"] == f"train:{name}")
        )


def test_the_trace_holds_each_epoch_of_each_phase_in_order_and_no_times(whole) -> None:
    records = trace(whole.folder)
    found = [(r["phase"], r.get("network"), r["epoch"]) for r in records if r["phase"] != "search-step"]
    assert found == [("search", None, e) for e in range(3)] + [("train", n, e) for n in NETWORKS for e in range(2)]
    assert {frozenset(r) for r in records if r["phase"] == "search"} == {frozenset(SEARCH_KEYS)}
    assert {frozenset(r) for r in records if r["phase"] == "train"} == {frozenset(TRAIN_KEYS)}
    assert "seconds" not in (whole.folder / "trace.jsonl").read_text()


def test_the_trace_holds_each_step_where_that_is_asked_for(whole) -> None:
    steps = trace(whole.folder, "search-step")
    assert [(r["epoch"], r["step"]) for r in steps] == [(e, s) for e in range(3) for s in range(SEARCH_STEPS)]
    assert ["arch_loss" in r for r in steps] == [False] * SEARCH_STEPS + [True] * 2 * SEARCH_STEPS


def test_epochs_in_which_alpha_is_frozen_have_nulls_and_leave_alpha_alone(whole) -> None:
    first, second, third = trace(whole.folder, "search")
    assert (first["arch_steps"], second["arch_steps"], third["arch_steps"]) == (0, SEARCH_STEPS, SEARCH_STEPS)
    nulls = ("arch_loss", "arch_accuracy", "alpha_grad_norm", "beta_grad_norm", "conflicts")
    assert [first[key] for key in nulls] == [None] * 5
    assert None not in [second[key] for key in nulls]
    start = [abs(value) for rows in first["alpha"].values() for row in rows for value in row]
    assert max(start) < 6e-3 < max(abs(v) for rows in second["alpha"].values() for row in rows for v in row)
    assert second["alpha"] != third["alpha"]
    assert second["beta"] != third["beta"]


def test_every_group_of_edges_is_measured_before_and_after_the_projection(whole) -> None:
    conflicts = trace(whole.folder, "search")[-1]["conflicts"]
    assert (conflicts["direction"], conflicts["projected"], conflicts["order"]) == ("in", True, "random")
    groups = conflicts["groups"]
    expected = [(cell, node, node) for cell in ("normal", "reduce") for node in (2, 3, 4, 5)]
    assert [(g["cell"], g["node"], g["edges"]) for g in groups] == expected
    assert all(g["conflict_rate_after"] <= g["conflict_rate_before"] for g in groups if g["node"] == 2)
    assert any(g["cosine_after"] > g["cosine_before"] for g in groups)


def test_the_genotype_of_the_run_is_that_of_the_last_epoch(whole) -> None:
    genotype = Genotype.from_json((whole.folder / "genotype.json").read_text())
    last = trace(whole.folder, "search")[-1]
    assert genotype == whole.result.genotype == Genotype.from_dict(last["genotype"])
    assert last["skips"] == {name: cell.skips for name, cell in genotype.cells.items()}
    assert last["pools"] == {name: cell.pools for name, cell in genotype.cells.items()}


def test_results_describe_each_network_that_was_trained(whole, splits: Splits) -> None:
    results = read(whole.folder, "results.json")
    assert list(results) == list(NETWORKS)
    assert {frozenset(entry) for entry in results.values()} == {frozenset(RESULT_KEYS)}
    for name, entry in results.items():
        size = read(whole.folder, "run.json")["fitted"][name]
        candidate = build_candidate(
            name, whole.result.genotype, small(), splits, stem="cifar", seed=SEED, size=size
        )
        assert (entry["params"], entry["macs"]) == (candidate.cost.params, candidate.cost.macs)
        assert (entry["genotype"] is None) == (name == "hand")
        if candidate.genotype is not None:
            assert Genotype.from_dict(entry["genotype"]) == candidate.genotype
            assert entry["cells"] == candidate.genotype.statistics()
    spec = network_spec(small(), splits, "cifar")
    assert results["found"]["params"] == measure_size(whole.result.genotype, spec)


def test_figures_of_every_network_agree_with_their_confusion_matrix(whole, splits: Splits) -> None:
    count = torch.bincount(splits.test._images.labels, minlength=10)
    for entry in read(whole.folder, "results.json").values():
        confusion = torch.tensor(entry["confusion"])
        assert confusion.sum().item() == entry["test_images"] == len(splits.test)
        assert torch.equal(confusion.sum(1), count)
        assert entry["top1"] == pytest.approx(confusion.trace().item() / len(splits.test), abs=1e-12)
        assert entry["per_class"] == pytest.approx((confusion.diagonal() / confusion.sum(1)).tolist())


def test_results_equal_a_fresh_evaluation_of_the_saved_network(whole, splits: Splits) -> None:
    entry = read(whole.folder, "results.json")["found"]
    network = load_network(whole.folder).network.eval()
    images = splits.test._images
    mean, std = (
        torch.tensor(values)[:, None, None] for values in (splits.normalisation.mean, splits.normalisation.std)
    )
    with one_thread(), torch.no_grad():
        logits = torch.cat([network((part.float() / 255 - mean) / std) for part in images.pixels.split(256)])
    confusion = torch.zeros(10, 10, dtype=torch.int64)
    for true, guess in zip(images.labels.tolist(), logits.argmax(1).tolist(), strict=True):
        confusion[true, guess] += 1
    assert entry["confusion"] == confusion.tolist()
    assert entry["loss"] == pytest.approx(F.cross_entropy(logits, images.labels).item(), rel=1e-5)


def test_test_images_are_opened_once_for_each_network_and_only_after_its_training(whole) -> None:
    expected = [f"search {epoch}" for epoch in range(3)]
    for name in NETWORKS:
        expected += [f"{name} 0", f"{name} 1", "test images"]
    assert whole.events == expected


def test_the_run_says_what_it_is_on_and_what_each_network_reaches(whole) -> None:
    text = "\n".join(whole.lines)
    assert "pc-darts-gp on digits: 10 classes, 8x8x1, 100 images for weights" in text
    assert "cifar stem" in text
    assert "note: 200 of" in text
    for name, entry in whole.result.results.items():
        assert f"{name}: test accuracy {entry['top1']:.2%} on {entry['test_images']} images" in text


def test_the_summary_has_a_row_for_each_network_with_its_figures(whole) -> None:
    rows, heads = summary_rows(whole.result.results), summary_columns(whole.result.results)
    figures = ("parameters", "multiply-adds", "size", "RAM", "latency")
    assert heads == ("network", "C x cells", *figures, "test accuracy", "95 %", "training")
    assert [len(row) for row in rows] == [len(heads)] * 3
    for row, entry in zip(rows, whole.result.results.values(), strict=True):
        assert f"{entry['params']:,} ({entry['used']['params']:.0%})" in row
        assert f"{entry['top1']:.2%} of {entry['test_images']}" in row
        assert f"{entry['macs']:,}" in row
        assert f"{entry['latency']['median_ms']:.3g} ms" in row
    assert rows[0][1] == "4 x 3"
    assert rows[2][1].endswith("a stage")


@pytest.mark.parametrize(
    ("command", "compare", "phases"),
    [
        ("run", ["random", "hand"], ["search", "fit", *(f"train:{n}" for n in NETWORKS), "export", "report"]),
        ("run", ["hand"], ["search", "fit", "train:found", "train:hand", "export", "report"]),
        ("run", [], ["search", "fit", "train:found", "export", "report"]),
        ("search", ["random", "hand"], ["search", "report"]),
    ],
)
def test_a_command_has_its_phases_and_the_comparisons_that_were_asked_for(
    command: str, compare: list[str], phases: list[str]
) -> None:
    assert wanted_phases(command, small(f"compare={json.dumps(compare)}")) == phases


def test_training_a_genotype_neither_searches_nor_leaves_the_found_network_out() -> None:
    phases = wanted_phases("train", small())
    assert phases == ["fit", "train:found", "export", "report"]


def test_an_unknown_command_in_run_json_is_refused_by_name() -> None:
    with pytest.raises(RunError, match="'destroy'"):
        wanted_phases("destroy", small())


def test_the_derived_cells_belong_to_the_space_that_was_searched(whole) -> None:
    assert whole.result.genotype.space == small().space
    assert SPACES[small().space].searchable


def test_each_training_does_the_steps_of_all_training_images() -> None:
    assert TRAIN_STEPS * 50 == 200
