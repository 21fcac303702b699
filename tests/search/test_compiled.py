"""A compiled supernet searches as an uncompiled one does; second derivatives and given weights stay uncompiled."""

from __future__ import annotations

import copy
from dataclasses import replace

import pytest
import torch
from torch import Tensor

from edgewise.methods import RECIPES, Recipe
from edgewise.nn import EngineName, Mixture, SupernetSpec, build_supernet
from edgewise.runtime.compiling import Compiled
from edgewise.runtime.compute import Compute
from edgewise.runtime.random import seeded
from edgewise.search import BilevelSearch
from edgewise.search.diagnostics import hessian_eigenvalue
from edgewise.spaces import NB201
from edgewise.spaces.space import CellSpace
from edgewise.spaces.topology import Topology
from tests.backend import Backend, use_backend
from tests.search.problem import make_batch, make_search, tiny

# Few operations: what takes time here is to trace them.
FEW = CellSpace("few", Topology.dense(2, 1), ("none", "max_pool_3x3", "skip_connect", "dil_conv_3x3"))


@pytest.fixture
def graphs(monkeypatch: pytest.MonkeyPatch) -> Backend:
    """What dynamo found, run without a compiler, as on a device where searches are compiled."""
    return use_backend(monkeypatch)


def on(engine: EngineName, recipe: Recipe) -> Recipe:
    recipe = tiny(recipe)
    return replace(recipe, search=replace(recipe.search, engine=engine))


def search(recipe: Recipe, *, compiled: bool, patch: pytest.MonkeyPatch) -> BilevelSearch:
    with patch.context() as context:
        context.setattr(Compute, "compiles_searches", compiled)
        return make_search(recipe, space=FEW)


def after_two_steps(found: BilevelSearch) -> dict[str, Tensor]:
    for seed in (1, 2):
        found.arch_step(make_batch(seed), weights_batch=make_batch(seed + 10), lr=0.1)
        found.weights_step(make_batch(seed + 10), 0.1)
    return {**found.supernet.state_dict(), **found.arch.state_dict()}


@pytest.mark.parametrize("engine", ["plain", "grouped"])
@pytest.mark.parametrize("name", ["pc-darts-gp", "darts-v2-fd"])
def test_a_compiled_search_ends_where_an_uncompiled_one_ends(
    name: str, engine: EngineName, graphs: Backend, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe = on(engine, RECIPES[name])
    one, two = (after_two_steps(search(recipe, compiled=c, patch=monkeypatch)) for c in (False, True))
    assert list(one) == list(two)
    for key, tensor in one.items():
        torch.testing.assert_close(two[key], tensor, rtol=1e-9, atol=1e-11)
    assert 1 <= graphs.graphs <= 2, "the supernet is one graph, with and without gradients of the weights"


def test_grouped_cells_of_nas_bench_201_are_one_graph_with_the_same_logits(graphs: Backend) -> None:
    with seeded(0):
        supernet = build_supernet(NB201, SupernetSpec(8, 3, 5, k=2)).double()
    mixture = {"cell": Mixture(torch.rand(6, 5, dtype=torch.float64))}
    x = make_batch(1).x
    supernet.use_engine("grouped")
    expected = copy.deepcopy(supernet)(x, mixture, None)
    supernet.prepare()
    compiled = Compiled(supernet.forward, torch.device("cpu"))
    torch.testing.assert_close(compiled(x, mixture, None), expected, rtol=1e-9, atol=1e-11)
    assert (graphs.graphs, compiled.failed) == (1, False)


@pytest.mark.parametrize("name", ["gdas", "noisy-darts", "p-darts", "r-darts-dp"])
def test_a_search_that_draws_in_its_passes_is_not_compiled(
    name: str, graphs: Backend, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe = on("grouped", RECIPES[name])
    one, two = (after_two_steps(search(recipe, compiled=c, patch=monkeypatch)) for c in (False, True))
    assert all(torch.equal(one[key], two[key]) for key in one)
    assert graphs.graphs == 0


def test_what_can_be_compiled_in_part_alone_runs_as_it_is_and_records_once(
    graphs: Backend, caplog: pytest.LogCaptureFixture
) -> None:
    total = torch.zeros(1)

    def function(x: Tensor) -> Tensor:
        total.add_(1)
        torch._dynamo.graph_break()
        return x + total

    compiled = Compiled(function, torch.device("cpu"))
    assert [compiled(torch.zeros(1)).item() for _ in range(2)] == [1.0, 2.0]
    assert (graphs.graphs, compiled.failed) == (0, True)
    assert "compiling failed" in caplog.text


def test_the_hessian_of_a_compiled_search_is_that_of_an_uncompiled_one(
    graphs: Backend, monkeypatch: pytest.MonkeyPatch
) -> None:
    values = []
    for compiled in (False, True):
        found = search(tiny(RECIPES["darts-v1"]), compiled=compiled, patch=monkeypatch)
        values.append(hessian_eigenvalue(found, make_batch(1), torch.Generator().manual_seed(0))["eigenvalue"])
    assert values[0] == values[1]
    assert graphs.graphs == 0
