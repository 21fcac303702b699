"""Every recipe of the table searches to its end."""

from __future__ import annotations

import json

import pytest

from edgewise.methods import RECIPES
from edgewise.spaces import Genotype
from tests.search.family import named, quick_task, run
from tests.search.problem import SMALL, same, snapshot

pytestmark = pytest.mark.usefixtures("small_space")


@pytest.mark.parametrize("name", list(RECIPES))
def test_a_recipe_searches_to_its_end_moves_alpha_and_weights_and_leaves_valid_cells(name: str) -> None:
    task = quick_task(named(name))
    arch, weights = snapshot(task.search.arch), snapshot(task.search.supernet)
    ended = run(task)
    assert json.loads(json.dumps(ended.records, allow_nan=False)) == ended.records
    assert [record["epoch"] for record in ended.records] == list(range(len(ended.records)))
    assert any(record["arch_steps"] for record in ended.records)
    assert not same(snapshot(task.search.arch), arch)
    assert not same(snapshot(task.search.supernet), weights)
    genotype = Genotype.from_dict(task.genotype().to_dict(), where="the search")
    for cell in genotype.cells.values():
        for node in SMALL.concat:
            assert len(cell.into(node)) == SMALL.edges_per_node
        assert {edge.primitive for edge in cell.edges} <= set(SMALL.primitives) - {"none"}
