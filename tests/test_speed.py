"""What one step may cost outside the arithmetic: operator calls, and waiting for the device."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import replace

import pytest
import torch

from edgewise.data import Batch
from edgewise.methods import RECIPES, ArchParameters
from edgewise.nn import EngineName, SupernetSpec, build_supernet
from edgewise.nn.engines.native import library
from edgewise.runtime.compute import Compute
from edgewise.runtime.random import Streams, seeded
from edgewise.search import BilevelSearch
from edgewise.spaces import DARTS
from tests.train.test_task import SETTINGS, make_task, network

# Names of operators that only look at a tensor in another way, or make room for one.
VIEWS = frozenset(
    f"aten::{name}"
    for name in (
        *("view", "reshape", "as_strided", "slice", "select", "expand"),
        *("permute", "transpose", "detach", "alias", "unsqueeze", "squeeze"),
        *("empty", "resize", "set_", "t", "chunk", "split"),
        *("narrow", "lift", "item", "empty_like", "_local_scalar_dense", "unbind"),
    )
)


def operators(action: Callable[[], object]) -> Counter[str]:
    with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU]) as profile:
        action()
    return Counter({event.key: event.count for event in profile.key_averages() if event.key.startswith("aten::")})


def search(name: str, *, channels: int, layers: int, engine: EngineName) -> BilevelSearch:
    recipe = RECIPES[name]
    sizes = replace(recipe.search, channels=channels, layers=layers, engine=engine)
    recipe = replace(recipe, search=sizes, warm_up=None)
    streams = Streams(0)
    with seeded(0):
        spec = SupernetSpec(channels=channels, layers=layers, classes=10, k=recipe.k)
        supernet = build_supernet(DARTS, spec)
    arch = ArchParameters(DARTS, beta=recipe.edge_normalisation is not None, generator=streams.generator("arch"))
    return BilevelSearch(recipe, supernet, arch, streams, Compute("cpu"))


def batch() -> Batch:
    generator = torch.Generator().manual_seed(0)
    return Batch(torch.randn(4, 3, 8, 8, generator=generator), torch.arange(4), torch.arange(4))


def step(found: BilevelSearch) -> None:
    found.arch_step(batch())
    found.weights_step(batch(), 0.1)


@pytest.mark.skipif(library() is None, reason="no C++ compiler: the kernels are not there")
def test_a_search_step_at_its_real_size_is_a_few_thousand_operator_calls() -> None:
    found = search("pc-darts", channels=16, layers=8, engine="auto")
    step(found)
    made = operators(lambda: step(found))
    touching = {name: count for name, count in made.items() if name not in VIEWS}
    assert sum(touching.values()) < 8_000, Counter(touching).most_common(8)
    assert made["aten::copy_"] + made["aten::clone"] < 1_200


@pytest.mark.parametrize("engine", ["plain", "auto"])
@pytest.mark.parametrize("name", ["darts-v1", "pc-darts-gp"])
def test_a_search_step_does_not_wait_for_the_device(
    name: str, engine: EngineName, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = search(name, channels=8, layers=3, engine=engine)
    step(found)
    # Adam keeps the number of its step in the host's memory, and reads it there.
    monkeypatch.setattr(found.arch_optimizer, "step", lambda: None)
    made = operators(lambda: step(found))
    assert made["aten::convolution"] > 0
    assert (made["aten::_local_scalar_dense"], made["aten::nonzero"]) == (0, 0)


def test_a_training_step_does_not_wait_for_the_device() -> None:
    task = make_task(network(auxiliary=True), replace(SETTINGS, auxiliary=0.4))
    task.step(1, 0)
    made = operators(lambda: task.step(1, 1))
    assert made["aten::convolution"] > 0
    assert (made["aten::_local_scalar_dense"], made["aten::nonzero"]) == (0, 0)
