"""The stop rule at work: what it takes, what a roll-back restores, and when it rests."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from edgewise.methods import DARTS_V1, R_DARTS_ADA, R_DARTS_ES, Adaptation, HessianStop, Recipe
from edgewise.search import SearchTask
from edgewise.search import task as task_module
from edgewise.search.early_stopping import EarlyStopping
from tests.search.family import EAGER, Ended, quick_task, run, small
from tests.search.problem import same

pytestmark = pytest.mark.usefixtures("small_space")


@pytest.fixture(scope="session")
def series(shared_data: Path) -> dict[str, dict[str, Any]]:
    """Eigenvalues of real searches, with the reference's decisions."""
    path = shared_data.parent / "oracles" / "robustdarts_ev.json"
    if not path.is_file():
        pytest.skip(f"no eigenvalue series at {path}")
    return json.loads(path.read_text())


def follow(watch: EarlyStopping, values: Iterator[tuple[int, float]]) -> dict[str, Any] | None:
    """The first decision on a series of (epoch, eigenvalue), and that the rule asked for each of them."""
    for epoch, value in values:
        assert watch.due(epoch)
        decision = watch.decide(epoch, value, {"epoch": epoch}, state=dict, at_limit=False)
        if decision is not None:
            return decision
    return None


def test_real_series_of_eigenvalues_are_decided_as_by_the_reference(series: dict[str, dict[str, Any]]) -> None:
    stopped = 0
    for name, one in series.items():
        watch = EarlyStopping(R_DARTS_ES)
        decision = follow(watch, zip(one["epochs"], one["ev"], strict=True))
        if one["detected_at"] is None:
            assert (decision, watch.stopped) == (None, None), name
            continue
        stopped += 1
        assert decision == {"action": "stop", "detected": one["detected_at"], "epoch": one["stop_epoch"]}, name
        assert watch.stopped == {**decision, "genotype": {"epoch": one["stop_epoch"]}}
    assert 0 < stopped < len(series)


def test_a_rise_by_hand_stops_with_the_cells_of_twelve_epochs_before() -> None:
    watch = EarlyStopping(R_DARTS_ES)
    flat = [(epoch, 1.0) for epoch in range(0, 22, 2)]
    assert follow(watch, iter(flat)) is None
    # Epoch 22: mean of (1, 1, 1, 1, 2.6) = 1.32 against the mean at epoch 14, 1.
    assert follow(watch, iter([(22, 2.6)])) == {"action": "stop", "detected": 22, "epoch": 10}
    assert watch.stopped is not None
    assert watch.stopped["genotype"] == {"epoch": 10}
    assert follow(EarlyStopping(R_DARTS_ES), iter([*flat, (22, 2.4)])) is None
    # Epoch 22: 1.6 against 1, although it is only 1.18 times the average before it.
    slow = [*flat[:8], (16, 1.3), (18, 1.6), (20, 1.9), (22, 2.2)]
    assert follow(EarlyStopping(R_DARTS_ES), iter(slow)) == {"action": "stop", "detected": 22, "epoch": 10}
    assert follow(EarlyStopping(R_DARTS_ES), iter([*flat[:-1], (20, 2.6)])) is None


def scripted(monkeypatch: pytest.MonkeyPatch, values: Sequence[float]) -> None:
    """Puts these eigenvalues, in turn, in the place of those of the search; 1 after the last."""
    left = iter(values)

    def eigenvalue(*_: Any) -> dict[str, float]:
        return {"eigenvalue": next(left, 1.0), "residual": 0.0, "products": 1}

    monkeypatch.setattr(task_module, "hessian_eigenvalue", eigenvalue)


RULE = HessianStop(every=1, window=1, delta=1, factor=1.5, start=1)


def adapted(*, most: float = 0.03, epochs: int = 4) -> Recipe:
    return replace(small(DARTS_V1, epochs=epochs), stop=RULE, adaptation=Adaptation(times=10.0, most=most))


def test_a_search_that_stops_returns_the_cells_of_the_epoch_before_the_rise(monkeypatch) -> None:
    scripted(monkeypatch, [1.0, 1.0, 1.0, 9.0])
    recipe = replace(small(DARTS_V1, epochs=6), stop=RULE, arch=replace(DARTS_V1.arch, lr=0.3))
    task = quick_task(recipe)
    ended = run(task)
    assert [r["decision"] for r in ended.records] == [
        None,
        None,
        None,
        {"action": "stop", "detected": 3, "epoch": 2},
    ]
    assert task.epochs == 4
    assert task.genotype().to_dict() == ended.records[2]["genotype"]
    assert ended.records[2]["genotype"] != ended.records[3]["genotype"]


def at_ends(task: SearchTask) -> tuple[Ended, dict[int, dict[str, Any]]]:
    """Runs a task; also its search's state before the first step of each epoch."""
    states: dict[int, dict[str, Any]] = {}

    def before(epoch: int, step: int) -> None:
        if step == 0:
            states[epoch] = copy.deepcopy(task.search.state_dict())

    return run(task, before=before), states


def test_a_roll_back_restores_weights_alpha_and_both_optimisers_and_raises_the_weight_decay(monkeypatch) -> None:
    scripted(monkeypatch, [1.0, 1.0, 9.0])
    ended, states = at_ends(quick_task(adapted()))
    assert ended.records[2]["decision"] == {"action": "roll back", "detected": 2, "epoch": 1}
    # Epoch 3 starts from where epoch 2 did, with ten times the weight decay.
    again = states[3] | {"weight_decay_factor": 1.0}
    for part in ("weights_optimizer", "arch_optimizer"):
        assert same(again[part]["state"], states[2][part]["state"])
        assert len(again[part]["state"]) > 0
    for part in ("supernet", "arch"):
        assert same(again[part], states[2][part])
    assert (states[2]["weight_decay_factor"], states[3]["weight_decay_factor"]) == (1.0, 10.0)
    assert [r["schedule_epoch"] for r in ended.records] == [0, 1, 2, 2, 3]
    assert [r["weight_decay"] for r in ended.records] == pytest.approx([3e-4] * 3 + [3e-3] * 2)
    assert ended.records[2]["lr"] == ended.records[3]["lr"]
    # The second try sees other batches.
    assert ended.records[2]["weights_loss"] != ended.records[3]["weights_loss"]


def test_the_weight_decay_is_capped_and_the_rule_rests_once_it_is_there(monkeypatch) -> None:
    scripted(monkeypatch, [1.0, 1.0, 9.0, 99.0, 999.0])
    ended, _ = at_ends(quick_task(adapted(most=0.002)))
    assert [r["decision"] is not None for r in ended.records] == [False, False, True, False, False]
    assert [r["weight_decay"] for r in ended.records] == pytest.approx([3e-4] * 3 + [2e-3] * 2)
    assert ended.task.early_stopping.snapshots == {}


def test_the_rule_rests_although_three_ten_thousandths_times_ten_fall_short_of_three_thousandths(
    monkeypatch,
) -> None:
    assert 3e-4 * 10 < 0.003
    scripted(monkeypatch, [1.0, 1.0, 9.0, 99.0])
    ended, _ = at_ends(quick_task(adapted(most=0.003)))
    assert [r["decision"] is not None for r in ended.records] == [False, False, True, False, False]


def test_eigenvalues_and_cells_after_the_epoch_that_was_gone_back_to_are_forgotten(monkeypatch) -> None:
    scripted(monkeypatch, [1.0, 2.0, 2.5, 9.0, 3.5, 4.0])
    recipe = adapted(epochs=5)
    ended, _ = at_ends(quick_task(recipe))
    # 9 against 2.5 fires; afterwards 3.5 is held against 2.5, not against 9, and 4 against 3.5.
    actions = [r["decision"] and r["decision"]["epoch"] for r in ended.records]
    assert actions == [None, None, None, 2, None, None]
    assert ended.task.early_stopping.eigenvalues == [1.0, 2.0, 2.5, 3.5, 4.0]
    assert sorted(ended.task.early_stopping.genotypes) == [0, 1, 2, 3, 4]


def test_a_second_rise_soon_after_a_roll_back_goes_back_to_the_same_epoch() -> None:
    watch = EarlyStopping(R_DARTS_ADA)
    states: dict[int, dict[str, Any]] = {}

    def take(epoch: int, value: float) -> dict[str, Any] | None:
        states[epoch] = {"at": torch.tensor(epoch)}
        return watch.decide(epoch, value, {}, state=lambda: states[epoch], at_limit=False)

    decision = None
    for epoch in range(0, 32, 2):
        decision = take(epoch, 1.0)
        assert decision is None
    assert take(32, 9.0) == {"action": "roll back", "detected": 32, "epoch": 20}
    assert watch.roll_back(32, 20) == {"at": torch.tensor(20)}
    # The rule would now take epoch 10, whose state is not kept any more.
    assert take(22, 9.0) == {"action": "roll back", "detected": 22, "epoch": 20}
    state = watch.roll_back(22, 20)
    assert state == {"at": torch.tensor(20)}
    assert watch.shift == 14
    assert len(watch.eigenvalues) == 11


def test_a_state_that_was_gone_back_to_is_not_moved_by_the_search_that_goes_on(monkeypatch) -> None:
    scripted(monkeypatch, [1.0, 1.0, 9.0, 99.0])
    ended, states = at_ends(quick_task(adapted()))
    assert [r["decision"] is not None for r in ended.records] == [False, False, True, True, False, False]
    for part in ("supernet", "arch"):
        assert same(states[4][part], states[2][part])
    for part in ("weights_optimizer", "arch_optimizer"):
        assert same(states[4][part]["state"], states[2][part]["state"])


def test_only_states_that_a_roll_back_can_still_go_to_are_kept(monkeypatch) -> None:
    scripted(monkeypatch, [1.0] * 9)
    task = quick_task(replace(adapted(epochs=5), stop=replace(RULE, delta=2)))
    kept: list[list[int]] = []

    def before(epoch: int, step: int) -> None:
        if step == 0:
            kept.append(sorted(task.early_stopping.snapshots))

    run(task, before=before)
    assert kept == [[], [], [1], [1, 2], [1, 2, 3]]


def test_a_search_that_only_stops_keeps_no_states() -> None:
    task = quick_task(replace(small(DARTS_V1), stop=EAGER))
    task.step(0, 0)
    task.step(0, 1)
    task.finish_epoch(0)
    task.step(1, 0)
    task.finish_epoch(1)
    assert task.early_stopping.snapshots == {}
    assert sorted(task.early_stopping.genotypes) == [0, 1]


def test_the_last_epoch_is_measured_and_stops_nothing(monkeypatch) -> None:
    scripted(monkeypatch, [1.0, 1.0, 1.0, 9.0])
    task = quick_task(replace(small(DARTS_V1, epochs=4), stop=RULE))
    records = run(task).records
    assert [record["decision"] for record in records] == [None] * 4
    assert records[-1]["hessian"]["eigenvalue"] == 9.0
    assert task.early_stopping.stopped is None
