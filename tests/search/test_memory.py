"""A search with low memory is the search with normal memory, bit for bit, whatever its recipe does to outputs."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch

from edgewise.search import SearchTask
from tests.pipeline.small import one_thread
from tests.search.family import named, quick_task

# Noise, dropout from the second stage on, drop-path, one operation an edge, both second orders, evaluation mode.
RECIPES = ("pc-darts-gp", "noisy-darts", "p-darts", "r-darts-dp", "gdas", "s-darts-adv")
SECOND_ORDER = ("darts-v2", "darts-v2-fd")


def task_of(name: str, memory: str) -> SearchTask:
    recipe = named(name)
    return quick_task(replace(recipe, search=replace(recipe.search, memory=memory)))  # type: ignore[arg-type]


def ended(task: SearchTask) -> dict[str, Any]:
    for epoch in range(task.epochs):
        for step in range(task.steps):
            task.step(epoch, step)
        task.finish_epoch(epoch)
    return task.state_dict()


def differences(one: Any, two: Any, where: str = "") -> list[str]:
    if isinstance(one, torch.Tensor):
        return [] if torch.equal(one, two) else [where]
    if isinstance(one, dict):
        assert one.keys() == two.keys()
        return [found for key in one for found in differences(one[key], two[key], f"{where}.{key}")]
    if isinstance(one, list | tuple):
        assert len(one) == len(two)
        return [
            found
            for i, (a, b) in enumerate(zip(one, two, strict=True))
            for found in differences(a, b, f"{where}.{i}")
        ]
    return [] if one == two else [where]


@pytest.mark.usefixtures("small_space")
@pytest.mark.parametrize("name", RECIPES)
def test_a_search_ends_with_the_same_weights_alpha_statistics_and_streams(name: str) -> None:
    with one_thread():
        normal, low = (ended(task_of(name, memory)) for memory in ("normal", "low"))
    assert differences(normal, low) == []


@pytest.mark.usefixtures("small_space")
@pytest.mark.parametrize("name", SECOND_ORDER)
def test_a_search_of_second_order_ends_with_the_same_streams_and_weights_within_rounding(name: str) -> None:
    with one_thread():
        normal, low = (ended(task_of(name, memory)) for memory in ("normal", "low"))
    assert differences(normal["streams"], low["streams"]) == []
    for key, value in normal["search"]["arch"].items():
        torch.testing.assert_close(low["search"]["arch"][key], value, rtol=1e-3, atol=1e-5)
    for key, value in normal["search"]["supernet"].items():
        torch.testing.assert_close(low["search"]["supernet"][key], value, rtol=1e-3, atol=1e-5)


@pytest.mark.usefixtures("small_space")
def test_the_setting_reaches_the_supernet() -> None:
    assert task_of("darts-v1", "low").search.supernet.spec.memory == "low"
    assert task_of("darts-v1", "normal").search.supernet.spec.memory == "normal"
