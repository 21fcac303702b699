"""A search of any recipe that goes on from a checkpoint ends bit for bit as the one that nothing stopped."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch

from edgewise.methods import RECIPES, Diagnostics, Recipe
from edgewise.search import SearchTask
from edgewise.search import task as task_module
from tests.search.family import Ended, cheap_eigenvalue, loaded, named, quick_task, run
from tests.search.problem import same

pytestmark = pytest.mark.usefixtures("small_space")

TWINS = ("gdas-gp", "p-darts-gp", "r-darts-ada-gp")
WATCHED = ("r-darts-es", "r-darts-ada", "r-darts-ada-gp")
STAGED = ("p-darts", "p-darts-gp")
PLAIN = [
    name for name in RECIPES if (not name.endswith("-gp") or name in TWINS) and name not in (*WATCHED, *STAGED)
]


def state_of(task: SearchTask) -> dict[str, Any]:
    """Everything that is saved, but for the learning rate and decay that SGD gets anew before every step."""
    state = task.state_dict()
    optimiser = state["search"]["weights_optimizer"]
    groups = [
        {key: value for key, value in group.items() if key not in ("lr", "weight_decay")}
        for group in optimiser["param_groups"]
    ]
    state["search"]["weights_optimizer"] = {**optimiser, "param_groups": groups}
    return state | {"streams": dict(sorted(state["streams"].items()))}


def assert_resumes(recipe: Recipe, whole: Ended, epoch: int, step: int) -> Ended:
    """Goes on from a saved state in a fresh task and compares everything with the run that was not stopped."""
    torch.manual_seed(99)
    task = quick_task(recipe)
    task.load_state_dict(loaded(whole.saves[epoch, step]))
    again = run(task, epoch, step)
    assert again.records == whole.records[epoch:]
    final, expected = state_of(task), state_of(whole.task)
    assert list(final) == list(expected)
    for part in final:
        assert same(final[part], expected[part]), part
    assert task.genotype() == whole.task.genotype()
    assert task.epochs == whole.task.epochs
    return again


@pytest.mark.parametrize("name", PLAIN)
def test_a_recipe_resumed_within_an_epoch_and_between_two_goes_on_bit_for_bit(name: str) -> None:
    recipe = named(name)
    whole = run(quick_task(recipe), save=True)
    assert sorted(whole.saves) == [(0, 0), (0, 1), (1, 0), (1, 1), (2, 0)]
    for epoch, step in ((0, 1), (1, 0)):
        assert_resumes(recipe, whole, epoch, step)


# At the end of a stage; in the frozen epoch of the next one; after it; in the last stage; at the very end.
# Or: before the first roll-back with a state to go back to; right after it; after the second; at the very end.
PLACES = {
    "p-darts": ((2, 0), (2, 1), (3, 1), (4, 1), (6, 0)),
    "p-darts-gp": ((3, 1), (5, 1)),
    "r-darts-ada": ((2, 1), (3, 0), (3, 1), (4, 0), (6, 0)),
    "r-darts-ada-gp": ((2, 1), (4, 1)),
}


@pytest.mark.parametrize("name", STAGED)
def test_stages_resumed_within_each_of_them_and_at_their_ends_go_on_bit_for_bit(name: str) -> None:
    recipe = named(name)
    whole = run(quick_task(recipe), save=True)
    assert [record["stage"] for record in whole.records] == [0, 0, 1, 1, 2, 2]
    for epoch, step in PLACES[name]:
        assert_resumes(recipe, whole, epoch, step)


def test_a_checkpoint_holds_the_stage_and_the_primitives_that_its_edges_kept() -> None:
    recipe = named("p-darts")
    whole = run(quick_task(recipe), save=True)
    states = {place: loaded(data) for place, data in whole.saves.items()}
    assert [states[place]["stage"] for place in ((2, 0), (2, 1), (4, 0), (4, 1))] == [0, 1, 1, 2]
    assert states[2, 0]["kept"] == {"normal": None, "reduce": None}
    assert [states[2, 1]["kept"][cell].sum(1).tolist() for cell in ("normal", "reduce")] == [[5] * 5] * 2
    assert [states[4, 1]["kept"][cell].sum(1).tolist() for cell in ("normal", "reduce")] == [[3] * 5] * 2
    for cell in ("normal", "reduce"):
        assert not (states[4, 1]["kept"][cell] & ~states[2, 1]["kept"][cell]).any()
    task = quick_task(recipe)
    task.load_state_dict(states[4, 1])
    assert (task.search.stage, task.search.supernet.spec.layers) == (2, 5)


@pytest.fixture
def _cheap(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(task_module, "hessian_eigenvalue", cheap_eigenvalue)


@pytest.mark.usefixtures("_cheap")
def test_a_search_that_stops_early_resumed_around_the_stop_ends_bit_for_bit() -> None:
    recipe = named("r-darts-es", epochs=5)
    whole = run(quick_task(recipe), save=True)
    assert [record["decision"] for record in whole.records] == [
        None,
        None,
        {"action": "stop", "detected": 2, "epoch": 1},
    ]
    assert whole.task.genotype().to_dict() == whole.records[1]["genotype"]
    for epoch, step in ((2, 0), (2, 1), (3, 0)):
        again = assert_resumes(recipe, whole, epoch, step)
        assert again.task.early_stopping.stopped == whole.task.early_stopping.stopped
        assert again.task.epochs == 3


@pytest.mark.usefixtures("_cheap")
@pytest.mark.parametrize("name", ["r-darts-ada", "r-darts-ada-gp"])
def test_roll_backs_resumed_before_and_after_them_with_states_pending_end_bit_for_bit(name: str) -> None:
    recipe = named(name, epochs=4)
    whole = run(quick_task(recipe), save=True)
    decisions = [record["decision"] and record["decision"]["action"] for record in whole.records]
    assert decisions == [None, None, "roll back", "roll back", None, None]
    assert [record["schedule_epoch"] for record in whole.records] == [0, 1, 2, 2, 2, 3]
    pending = {place: list(loaded(data)["watch"]["snapshots"]) for place, data in whole.saves.items()}
    assert (pending[1, 1], pending[2, 0], pending[2, 1], pending[3, 0]) == ([], [1], [1], [1])
    for epoch, step in PLACES[name]:
        assert_resumes(recipe, whole, epoch, step)


def test_a_search_with_all_diagnostics_resumed_within_an_epoch_goes_on_bit_for_bit() -> None:
    recipe = replace(named("darts-v1"), diagnostics=Diagnostics(hessian_every=1, gap_every=1, gap_images=6))
    whole = run(quick_task(recipe), save=True)
    assert all(record["hessian"] and record["gap"] for record in whole.records)
    assert_resumes(recipe, whole, 1, 1)
