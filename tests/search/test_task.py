"""A search as a task: its trace, its checkpoint, and what it does with numbers that are not finite."""

from __future__ import annotations

import copy
import io
import json
from dataclasses import replace
from typing import Any

import pytest
import torch

from edgewise.data import Images
from edgewise.errors import NonFiniteError
from edgewise.methods import (
    DARTS_V1,
    PC_DARTS,
    PC_DARTS_GP,
    ArchParameters,
    Projection,
    Recipe,
    WarmUp,
    derive,
)
from edgewise.runs.checkpoint import load_checkpoint, save_checkpoint
from edgewise.search import SearchTask
from edgewise.spaces import DARTS, Genotype
from tests.search.problem import make_images, make_splits, make_task, same, snapshot, tiny

KEYS = [
    "phase",
    "epoch",
    "steps",
    "arch_steps",
    "weights_loss",
    "weights_accuracy",
    "arch_loss",
    "arch_accuracy",
    "lr",
    "arch_lr",
    "weights_grad_norm",
    "alpha_grad_norm",
    "beta_grad_norm",
    "alpha",
    "mixture",
    "beta",
    "genotype",
    "skips",
    "pools",
    "depth",
    "width",
    "shares",
    "conflicts",
    "schedule_epoch",
    "stage",
    "layers",
    "weight_decay",
    "hessian",
    "gap",
    "decision",
]
GROUP = {
    "cell",
    "node",
    "edges",
    "steps",
    "conflict_rate_before",
    "conflict_rate_after",
    "cosine_before",
    "cosine_after",
    "cosines",
}


def small(recipe: Recipe = PC_DARTS_GP) -> Recipe:
    return replace(tiny(recipe), space="small")


def run_epoch(task: SearchTask, epoch: int = 0) -> dict[str, Any]:
    for step in range(task.steps):
        task.step(epoch, step)
    task.check_finite(epoch)
    return task.finish_epoch(epoch)


def test_an_epoch_of_the_darts_space_leaves_a_record_of_the_promised_form() -> None:
    task = make_task(tiny())
    reports = []
    step = task.search.step

    def noted(batches, epoch):
        reports.append(step(batches, epoch))
        return reports[-1]

    task.search.step = noted  # type: ignore[method-assign]
    record = run_epoch(task, 1)
    assert list(record) == KEYS
    assert json.loads(json.dumps(record, allow_nan=False)) == record
    assert (record["phase"], record["epoch"], record["steps"], record["arch_steps"]) == ("search", 1, 3, 3)

    def mean(values: list[torch.Tensor]) -> Any:
        return pytest.approx(sum(v.item() for v in values) / len(values), rel=1e-12)

    assert record["weights_loss"] == mean([r.loss for r in reports])
    assert record["weights_accuracy"] == mean([r.accuracy for r in reports])
    assert record["weights_grad_norm"] == mean([r.grad_norm for r in reports])
    assert record["arch_loss"] == mean([r.arch.loss for r in reports])
    assert record["arch_accuracy"] == mean([r.arch.accuracy for r in reports])
    assert record["alpha_grad_norm"] == mean([r.arch.alpha_norm for r in reports])
    assert record["beta_grad_norm"] == mean([r.arch.beta_norm for r in reports])
    assert (record["lr"], record["arch_lr"]) == (reports[0].lr, 6e-4)
    alpha = {name: torch.tensor(rows) for name, rows in record["alpha"].items()}
    assert {name: tuple(rows.shape) for name, rows in alpha.items()} == {"normal": (14, 8), "reduce": (14, 8)}
    assert {name: len(row) for name, row in record["beta"].items()} == {"normal": 14, "reduce": 14}
    assert same(snapshot(task.search.arch)["alpha.reduce"], alpha["reduce"])
    conflicts = record["conflicts"]
    assert {key: conflicts[key] for key in ("direction", "projected", "order")} == {
        "direction": "in",
        "projected": True,
        "order": "random",
    }
    assert [(g["cell"], g["node"], g["edges"], g["steps"]) for g in conflicts["groups"]] == [
        (cell, node, node, 3) for cell in ("normal", "reduce") for node in (2, 3, 4, 5)
    ]
    assert all(set(group) == GROUP for group in conflicts["groups"])


def test_the_records_genotype_is_the_one_derived_from_the_records_alpha_and_beta() -> None:
    recipe = replace(tiny(), arch=replace(tiny().arch, lr=0.3))
    record = run_epoch(make_task(recipe))
    arch = ArchParameters(DARTS, beta=True, generator=torch.Generator())
    arch.load_state_dict(
        {f"{kind}.{cell}": torch.tensor(rows) for kind in ("alpha", "beta") for cell, rows in record[kind].items()}
    )
    found = Genotype.from_dict(record["genotype"])
    expected = derive(DARTS, arch, recipe.relaxation, recipe.derivation)
    assert found.cells == expected.cells
    assert found.source == "edgewise pc-darts-gp, seed 5"
    for name, cell in expected.cells.items():
        primitives = [edge.primitive for edge in cell.edges]
        assert record["skips"][name] == primitives.count("skip_connect")
        assert record["pools"][name] == sum("pool" in primitive for primitive in primitives)


@pytest.mark.usefixtures("small_space")
def test_none_is_never_derived_however_strong_it_is() -> None:
    task = make_task(small())
    with torch.no_grad():
        for alpha in task.search.arch.alpha.values():
            alpha[:, 0] = 9.0
    primitives = [e.primitive for cell in task.genotype().cells.values() for e in cell.edges]
    assert len(primitives) == 8
    assert "none" not in primitives


@pytest.mark.usefixtures("small_space")
def test_beta_decides_which_edges_are_derived() -> None:
    task = make_task(small())
    with torch.no_grad():
        for beta in task.search.arch.beta.values():
            beta.copy_(torch.tensor([0.0, 0.0, 0.0, 2.0, 4.0]))
    for cell in task.genotype().cells.values():
        assert {e.source for e in cell.edges if e.target == 3} == {1, 2}


@pytest.mark.usefixtures("small_space")
def test_while_alpha_is_frozen_the_arch_figures_and_conflicts_are_absent() -> None:
    task = make_task(replace(small(), warm_up=WarmUp(epochs=1)))
    record = run_epoch(task)
    absent = ["arch_loss", "arch_accuracy", "alpha_grad_norm", "beta_grad_norm", "conflicts"]
    assert [record[key] for key in absent] == [None] * 5
    assert record["arch_steps"] == 0
    assert set(record["alpha"]) == {"normal", "reduce"}
    record = run_epoch(task, 1)
    assert record["arch_steps"] == 3
    assert None not in [record[key] for key in absent]


@pytest.mark.usefixtures("small_space")
def test_without_beta_the_record_has_neither_beta_nor_its_gradient() -> None:
    record = run_epoch(make_task(small(DARTS_V1)))
    assert record["beta"] is None
    assert record["beta_grad_norm"] is None
    assert record["alpha_grad_norm"] > 0


@pytest.mark.usefixtures("small_space")
@pytest.mark.parametrize(("direction", "pairs"), [("in", [2]), ("out", [0, 1])])
def test_two_edges_that_share_a_node_conflict_at_times_and_never_after_the_projection(direction, pairs) -> None:
    task = make_task(replace(small(), projection=Projection(direction)))
    groups = [g for epoch in range(3) for g in run_epoch(task, epoch)["conflicts"]["groups"]]
    of_two = [g for g in groups if g["edges"] == 2]
    assert [g["node"] for g in of_two] == pairs * 2 * 3
    assert any(g["conflict_rate_before"] > 0 for g in of_two)
    assert all(g["conflict_rate_after"] == 0 for g in of_two)
    for g in groups:
        assert g["cosine_after"] >= g["cosine_before"] - 1e-9 or g["edges"] > 2
        assert 0 <= g["conflict_rate_after"] <= 1


@pytest.mark.usefixtures("small_space")
def test_conflicts_are_recorded_for_a_recipe_without_projection_too() -> None:
    conflicts = run_epoch(make_task(small(PC_DARTS)))["conflicts"]
    assert (conflicts["direction"], conflicts["projected"], conflicts["order"]) == ("in", False, None)
    for group in conflicts["groups"]:
        assert group["conflict_rate_before"] == group["conflict_rate_after"]
        assert group["cosine_before"] == group["cosine_after"] != 0.0


@pytest.mark.usefixtures("small_space")
def test_an_epoch_reads_every_weights_image_once_and_none_of_the_arch_images() -> None:
    task = make_task(small())
    seen: list[int] = []
    plain = task.batches.weights.next

    def noted():
        batch = plain()
        seen.extend(batch.index.tolist())
        return batch

    task.batches.weights.next = noted  # type: ignore[method-assign]
    run_epoch(task)
    assert sorted(seen) == list(range(12))


@pytest.mark.usefixtures("small_space")
def test_each_stream_of_batches_comes_from_its_own_split() -> None:
    splits = make_splits()
    task = make_task(small(), splits)
    assert torch.equal(task.batches.weights._images.pixels, splits.weights.pixels)
    assert torch.equal(task.batches.arch._images.pixels, splits.arch.pixels)


@pytest.mark.usefixtures("small_space")
def test_images_that_fill_no_batch_are_left_for_another_epoch() -> None:
    task = make_task(small(), make_splits(weights=14, arch=15))
    assert task.steps == 3
    for stream in (task.batches.weights, task.batches.arch):
        assert [len(stream.next()) for _ in range(7)] == [4] * 7


@pytest.mark.usefixtures("small_space")
def test_a_split_smaller_than_a_batch_is_one_batch() -> None:
    task = make_task(small(), make_splits(weights=3, arch=3))
    assert task.steps == 1
    assert run_epoch(task)["steps"] == 1


@pytest.mark.usefixtures("small_space")
def test_a_search_never_opens_the_test_images() -> None:
    splits = make_splits()
    task = make_task(small(), splits)
    run_epoch(task)
    task.genotype()
    assert splits.test.opened == 0


@pytest.mark.usefixtures("small_space")
def test_other_test_images_change_nothing_in_a_search() -> None:
    records = []
    for test in (
        make_images(9, 3),
        Images(torch.full((2, 3, 8, 8), 255, dtype=torch.uint8), torch.zeros(2).long()),
    ):
        task = make_task(small(), make_splits(test=test))
        records.append((run_epoch(task), snapshot(task.search.supernet)))
    assert same(records[0], records[1])


@pytest.mark.usefixtures("small_space")
def test_the_user_sees_the_arch_splits_figures_once_there_are_any() -> None:
    task = make_task(replace(small(), warm_up=WarmUp(epochs=1)))
    task.step(0, 0)
    assert list(task.figures()) == ["loss", "accuracy"]
    task.finish_epoch(0)
    task.step(1, 0)
    assert list(task.figures()) == ["loss", "accuracy", "arch loss", "arch accuracy"]


@pytest.mark.usefixtures("small_space")
def test_step_records_are_made_only_where_they_are_asked_for() -> None:
    assert make_task(small()).step(0, 0) is None
    recipe = replace(small(), search=replace(small().search, trace_steps=True), warm_up=WarmUp(epochs=1))
    task = make_task(recipe)
    frozen, free = task.step(0, 2), task.step(1, 0)
    assert frozen is not None
    assert free is not None
    assert (frozen["phase"], frozen["epoch"], frozen["step"]) == ("search-step", 0, 2)
    assert set(free) - set(frozen) == {
        "arch_loss",
        "arch_accuracy",
        "alpha_grad_norm",
        "conflicts_before",
        "conflicts_after",
    }
    assert json.loads(json.dumps(free, allow_nan=False)) == free


def finish(task: SearchTask, epoch: int, step: int) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """Runs the rest of two epochs; returns the records and the final state."""
    records = []
    for e in range(epoch, 2):
        for s in range(step if e == epoch else 0, task.steps):
            task.step(e, s)
        records.append(task.finish_epoch(e))
    return records, task.state_dict()


@pytest.mark.usefixtures("small_space")
@pytest.mark.parametrize("recipe", [DARTS_V1, PC_DARTS, PC_DARTS_GP], ids=lambda r: r.name)
@pytest.mark.parametrize(("epoch", "step"), [(0, 2), (1, 1)])
def test_a_search_resumed_within_an_epoch_goes_on_bit_for_bit(tmp_path, recipe, epoch, step) -> None:
    recipe = replace(small(recipe), warm_up=WarmUp(epochs=1) if step == 1 else None)
    task = make_task(recipe)
    for e in range(epoch + 1):
        for s in range(step if e == epoch else task.steps):
            task.step(e, s)
        if e < epoch:
            task.finish_epoch(e)
    save_checkpoint(tmp_path / "c.pt", task.state_dict())
    whole = finish(task, epoch, step)
    torch.manual_seed(99)
    state = load_checkpoint(tmp_path / "c.pt")
    assert state is not None
    resumed = make_task(recipe)
    resumed.load_state_dict(state)
    records, final = finish(resumed, epoch, step)
    assert records == whole[0]
    assert same(final["search"]["supernet"], whole[1]["search"]["supernet"])
    assert same(final, whole[1])


@pytest.mark.usefixtures("small_space")
def test_a_checkpoint_holds_alpha_beta_both_optimisers_and_every_stream() -> None:
    task = make_task(small())
    task.step(0, 0)
    buffer = io.BytesIO()
    torch.save(task.state_dict(), buffer)
    buffer.seek(0)
    state = torch.load(buffer, weights_only=True)
    other = make_task(small(), seed=77)
    other.load_state_dict(state)
    assert same(snapshot(other.search.arch), snapshot(task.search.arch))
    assert same(snapshot(other.search.supernet), snapshot(task.search.supernet))
    assert set(state["streams"]) == {
        "arch",
        "projection",
        "batches.weights",
        "batches.arch",
        "batches.diagnostics",
    }
    assert other.search.arch_optimizer.state_dict()["state"][0]["step"] == 1
    momentum = other.search.weights_optimizer.state_dict()["state"]
    assert any(entry.get("momentum_buffer") is not None for entry in momentum.values())
    expected = copy.deepcopy(task.search._projector_stream.get_state())
    assert torch.equal(other.search._projector_stream.get_state(), expected)


@pytest.mark.usefixtures("small_space")
@pytest.mark.parametrize(
    ("stream", "named"), [("weights", "weights loss is nan"), ("arch", "(arch loss|weights loss) is nan")]
)
def test_a_loss_that_is_not_finite_is_named_with_its_epoch(stream, named) -> None:
    task = make_task(small())
    batches = getattr(task.batches, stream)
    plain = batches.next

    def poisoned():
        batch = plain()
        batch.x.fill_(float("nan"))
        return batch

    batches.next = poisoned
    task.step(2, 0)
    with pytest.raises(NonFiniteError, match=rf"^{named} in epoch 3 of the search$"):
        task.check_finite(2)


@pytest.mark.usefixtures("small_space")
@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_an_alpha_that_is_not_finite_is_named_with_its_edges(value) -> None:
    task = make_task(small())
    task.step(0, 0)
    with torch.no_grad():
        task.search.arch.alpha["reduce"][3, 1:3] = value
        task.search.arch.alpha["reduce"][1, 7] = value
    with pytest.raises(
        NonFiniteError,
        match=r"alpha of the reduction cell has 3 non-finite entries of 40 in epoch 5 \(edges 1, 3\)",
    ):
        task.check_finite(4)


@pytest.mark.usefixtures("small_space")
def test_a_beta_that_is_not_finite_is_named_with_its_edges() -> None:
    task = make_task(small())
    task.step(0, 0)
    with torch.no_grad():
        task.search.arch.beta["normal"][2] = float("nan")
    with pytest.raises(NonFiniteError, match=r"beta of the normal cell has 1 non-finite .* \(edges 2\)"):
        task.check_finite(0)


@pytest.mark.usefixtures("small_space")
def test_a_healthy_search_raises_nothing() -> None:
    task = make_task(replace(small(), warm_up=WarmUp(epochs=1)))
    for epoch in (0, 1):
        task.step(epoch, 0)
        task.check_finite(epoch)
        assert task.finish_epoch(epoch)["steps"] == 1


@pytest.mark.usefixtures("small_space")
def test_a_search_in_bf16_differs_from_one_in_fp32_by_rounding_and_keeps_its_parameters_in_fp32() -> None:
    whole, half = make_task(small()), make_task(small(), precision="bf16")
    first, second = run_epoch(whole), run_epoch(half)
    for key in ("weights_loss", "arch_loss"):
        assert first[key] != second[key]
        assert second[key] == pytest.approx(first[key], rel=0.03)
    assert {p.dtype for p in (*half.search.supernet.parameters(), *half.search.arch.parameters())} == {
        torch.float32
    }


@pytest.mark.usefixtures("small_space")
@pytest.mark.parametrize("recipe", [DARTS_V1, PC_DARTS_GP], ids=lambda r: r.name)
def test_an_arch_gradient_that_overflows_under_the_loss_scaler_does_not_stop_the_search(recipe) -> None:
    task = make_task(small(recipe))
    task.search.compute._accelerator.scaler = torch.amp.GradScaler("cpu")
    factors = iter([float("inf"), 1.0])
    task.search.arch.alpha["normal"].register_hook(lambda gradient: gradient * next(factors))
    start = snapshot(task.search.arch)
    task.step(0, 0)
    assert same(snapshot(task.search.arch), start)
    task.step(0, 1)
    assert not same(snapshot(task.search.arch), start)
    task.check_finite(0)
    json.dumps(task.finish_epoch(0), allow_nan=False)
