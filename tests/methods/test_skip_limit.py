"""P-DARTS' derivation: at most so many skip connections in the normal cell."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from edgewise.methods import ArchParameters, SkipLimit, Softmax, TopEdges, derive
from edgewise.spaces import DARTS, Cell, Edge, space, validate
from tests.methods.rows import stream

NONE, MAX, AVG, SKIP, SEP3, SEP5, DIL3, DIL5 = range(8)


def four_skips() -> Tensor:
    """Strengths whose cell has skips on edges 0 (.50), 3 (.30), 5 (.40) and 13 (.35); sep_conv elsewhere."""
    strengths = torch.full((14, 8), 0.01)
    for e, skip in {0: 0.50, 3: 0.30, 5: 0.40, 13: 0.35}.items():
        strengths[e, SKIP] = skip
    strengths[1, SEP3] = strengths[2, SEP3] = strengths[6, SEP3] = strengths[9, SEP3] = 0.45
    # Next in line: on edge 3 itself, on another edge into its node, and on another edge into node 5.
    strengths[3, DIL5], strengths[4, MAX], strengths[10, SEP5] = 0.20, 0.25, 0.15
    strengths[13, DIL3] = 0.10
    return strengths


FIRST = (
    Edge(2, 0, "skip_connect"), Edge(2, 1, "sep_conv_3x3"), Edge(3, 0, "sep_conv_3x3"), Edge(3, 1, "skip_connect"),
    Edge(4, 0, "skip_connect"), Edge(4, 1, "sep_conv_3x3"), Edge(5, 0, "sep_conv_3x3"), Edge(5, 4, "skip_connect"),
)  # fmt: skip


def swapped(*changes: tuple[Edge, Edge]) -> tuple[Edge, ...]:
    edges = list(FIRST)
    for old, new in changes:
        edges[edges.index(old)] = new
    return tuple(sorted(edges))


# The weakest skip, on edge 3, goes first, and the cell is derived again: edge 4 is now stronger than edge 3.
THREE_LEFT = (Edge(3, 1, "skip_connect"), Edge(3, 2, "max_pool_3x3"))
# Then the one on edge 13, where edge 10 takes over.
TWO_LEFT = (Edge(5, 4, "skip_connect"), Edge(5, 1, "sep_conv_5x5"))


@pytest.mark.parametrize(
    ("at_most", "expected"),
    [
        (4, FIRST),
        (3, swapped(THREE_LEFT)),
        (2, swapped(THREE_LEFT, TWO_LEFT)),
        (1, swapped(THREE_LEFT, TWO_LEFT, (Edge(4, 0, "skip_connect"), Edge(4, 0, "max_pool_3x3")))),
    ],
)
def test_the_weakest_skip_is_struck_and_the_cell_derived_again_until_few_enough_are_left(at_most, expected):
    strengths = four_skips()
    if at_most == 1:
        strengths[5, MAX] = 0.02
    assert TopEdges().cell(strengths, DARTS).edges == FIRST
    cell = SkipLimit(at_most).cell(strengths, DARTS, "normal")
    assert cell.edges == expected
    assert cell.skips == at_most


def test_two_is_the_limit_unless_said_otherwise():
    assert SkipLimit().at_most == 2
    assert SkipLimit().cell(four_skips(), DARTS).skips == 2


def test_another_skip_that_takes_the_struck_ones_place_counts_too():
    strengths = torch.full((14, 8), 0.01)
    strengths[:, SKIP] = torch.linspace(0.2, 0.5, 14)
    strengths[:, SEP3] = 0.15
    cell = SkipLimit(2).cell(strengths, DARTS)
    # Into the last node, edges 12 and 13 are the strongest skips of all.
    assert [edge for edge in cell.edges if edge.primitive == "skip_connect"] == [
        Edge(5, 3, "skip_connect"), Edge(5, 4, "skip_connect")
    ]  # fmt: skip
    assert {edge.primitive for edge in cell.edges} == {"skip_connect", "sep_conv_3x3"}


def test_the_reduction_cell_keeps_all_its_skips():
    assert SkipLimit(0).cell(four_skips(), DARTS, "reduce").edges == FIRST
    arch = ArchParameters(DARTS, beta=False, generator=stream())
    with torch.no_grad():
        for alpha in arch.alpha.values():
            alpha[:, SKIP] = 3.0
    cells = derive(DARTS, arch, Softmax(), SkipLimit()).cells
    assert (cells["normal"].skips, cells["reduce"].skips) == (2, 8)


@settings(deadline=None)
@given(st.integers(0, 10_000), st.integers(0, 8))
def test_it_keeps_the_limit_and_is_the_plain_rule_within_it(seed, at_most):
    strengths = torch.randn(14, 8, generator=stream(seed)).softmax(1)
    plain, limited = TopEdges().cell(strengths, DARTS), SkipLimit(at_most).cell(strengths, DARTS)
    assert limited.skips <= at_most
    assert (limited == plain) == (plain.skips <= at_most)


def test_strengths_are_not_changed():
    strengths = four_skips()
    SkipLimit(0).cell(strengths, DARTS)
    assert torch.equal(strengths, four_skips())


def with_mask(kept: Tensor, *, limit: int = 2) -> Cell:
    arch = ArchParameters(DARTS, beta=False, generator=stream(1), kept={"normal": kept, "reduce": kept.clone()})
    with torch.no_grad():
        arch.alpha["normal"][:, SKIP] = 2.0
        arch.alpha["normal"][:, MAX] = 5.0
    genotype = derive(DARTS, arch, Softmax(), SkipLimit(limit))
    return validate(genotype).cells["normal"]


def test_a_primitive_that_is_not_kept_does_not_take_a_struck_skips_place():
    kept = torch.zeros(14, 8, dtype=torch.bool)
    kept[:, [SKIP, DIL3]] = True
    cell = with_mask(kept)
    assert cell.skips == 2
    assert {edge.primitive for edge in cell.edges} == {"skip_connect", "dil_conv_3x3"}


def test_an_edge_that_has_nothing_but_a_skip_keeps_it_and_the_search_for_others_ends():
    kept = torch.zeros(14, 8, dtype=torch.bool)
    kept[:, SKIP] = True
    assert with_mask(kept).skips == 8
    kept[[0, 1], DIL5] = True
    cell = with_mask(kept, limit=0)
    assert [edge.primitive for edge in cell.into(2)] == ["dil_conv_5x5"] * 2
    assert cell.skips == 6


@pytest.mark.parametrize("name", ["s1", "s2", "s3", "s4"])
def test_in_the_spaces_of_robust_darts_it_gives_valid_cells(name):
    where = space(name)
    for seed in range(10):
        arch = ArchParameters(where, beta=True, generator=stream(seed))
        with torch.no_grad():
            for value in arch.parameters():
                value.mul_(1000)
        assert validate(derive(where, arch, Softmax(), SkipLimit())).cells["normal"].skips <= 2
