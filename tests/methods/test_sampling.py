"""Cells drawn from a mixture: operations come with their shares, edges by their strengths."""

from __future__ import annotations

from collections import Counter

import pytest
import torch

from edgewise.methods import SkipLimit, TopEdges, sample_genotype
from edgewise.spaces import DARTS, NB201, validate


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_each_operation_is_drawn_with_its_share_of_the_edge() -> None:
    shares = torch.tensor([0.5, 0.25, 0.125, 0.125, 0.0], dtype=torch.float64).repeat(6, 1)
    draws, chance = 2_000, generator()
    found: Counter[str] = Counter()
    for _ in range(draws):
        cell = sample_genotype(NB201, {"cell": shares}, TopEdges(), chance).cells["cell"]
        found.update(edge.primitive for edge in cell.edges)
    for primitive, share in zip(NB201.primitives, shares[0].tolist(), strict=True):
        # Five standard deviations of a share of 12,000 draws.
        assert found[primitive] / (6 * draws) == pytest.approx(share, abs=5 * (0.25 / (6 * draws)) ** 0.5)


def test_the_edges_of_a_node_are_drawn_by_their_strengths() -> None:
    strengths = torch.full((14, 8), 1e-6, dtype=torch.float64)
    strong = [e for e, (source, _) in enumerate(DARTS.topology.edges) if source < 2]
    strengths[strong] = 1.0
    drawn = sample_genotype(DARTS, {"normal": strengths, "reduce": strengths}, TopEdges(), generator())
    assert {edge.source for edge in drawn.cells["normal"].edges} == {0, 1}


def test_a_draw_is_valid_keeps_the_rule_and_differs_from_the_next() -> None:
    flat, chance = torch.full((14, 8), 1 / 8), generator()
    drawn = [
        sample_genotype(DARTS, {"normal": flat, "reduce": flat}, SkipLimit(at_most=0), chance) for _ in range(20)
    ]
    assert all(validate(one).cells["normal"].skips == 0 for one in drawn)
    assert len({repr(one.cells) for one in drawn}) == 20


def test_the_same_stream_draws_the_same_cells() -> None:
    flat = {"cell": torch.full((6, 5), 1 / 5)}
    first, second = (sample_genotype(NB201, flat, TopEdges(), generator(3)) for _ in range(2))
    assert first == second
