"""S1 to S4 of RobustDARTS: what each edge may carry, how many cells there are, what is refused and drawn."""

from __future__ import annotations

import random
from collections import Counter
from itertools import combinations
from math import prod

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgewise.errors import GenotypeError
from edgewise.spaces import DARTS, Cell, CellSpace, Edge, Genotype, Topology, random_genotype, space, validate
from edgewise.spaces.validation import cell_faults
from tests.spaces.strategies import steady

NAMES = ["s1", "s2", "s3", "s4"]
S1 = space("s1")
EDGES = [(source, target) for target in (2, 3, 4, 5) for source in range(target)]

# Zela et al. 2020, S1: the two primitives of each edge of a cell, in the order of EDGES.
NORMAL = [
    {"skip_connect", "dil_conv_3x3"}, {"skip_connect", "dil_conv_5x5"}, {"skip_connect", "dil_conv_5x5"},
    {"skip_connect", "sep_conv_3x3"}, {"skip_connect", "dil_conv_3x3"}, {"max_pool_3x3", "skip_connect"},
    {"skip_connect", "sep_conv_3x3"}, {"skip_connect", "sep_conv_3x3"}, {"skip_connect", "dil_conv_3x3"},
    {"skip_connect", "sep_conv_3x3"}, {"max_pool_3x3", "skip_connect"}, {"skip_connect", "dil_conv_3x3"},
    {"dil_conv_3x3", "dil_conv_5x5"}, {"dil_conv_3x3", "dil_conv_5x5"},
]  # fmt: skip
REDUCE = [
    {"max_pool_3x3", "avg_pool_3x3"}, {"max_pool_3x3", "dil_conv_3x3"}, {"max_pool_3x3", "avg_pool_3x3"},
    {"max_pool_3x3", "avg_pool_3x3"}, {"skip_connect", "dil_conv_5x5"}, {"max_pool_3x3", "avg_pool_3x3"},
    {"max_pool_3x3", "sep_conv_3x3"}, {"skip_connect", "dil_conv_3x3"}, {"skip_connect", "dil_conv_5x5"},
    {"max_pool_3x3", "avg_pool_3x3"}, {"max_pool_3x3", "avg_pool_3x3"}, {"skip_connect", "dil_conv_5x5"},
    {"skip_connect", "dil_conv_5x5"}, {"skip_connect", "dil_conv_5x5"},
]  # fmt: skip


def enumerated(where: CellSpace, cell_type: str) -> int:
    """Every cell, counted one by one."""
    total = 1
    for node in where.concat:
        into = [e for e, (_, target) in enumerate(where.topology.edges) if target == node]
        total *= sum(
            prod(len(set(where.on_edge(cell_type, e)) - {"none"}) for e in kept)
            for kept in combinations(into, where.edges_per_node)
        )
    return total


def s1_genotype(change: tuple[str, int, str] | None = None) -> Genotype:
    """A cell pair of S1: the first two edges into each node with the first primitive of each; one changed."""
    cells = {}
    for name in S1.cell_types:
        edges = []
        for node in S1.concat:
            for e in S1.topology.into(node)[:2]:
                primitive = S1.on_edge(name, e)[0]
                if change is not None and change[:2] == (name, e):
                    primitive = change[2]
                edges.append(Edge(node, S1.topology.edges[e][0], primitive))
        cells[name] = Cell(2, 4, tuple(edges), S1.concat)
    return Genotype("s1", cells)


@pytest.mark.parametrize("name", NAMES)
def test_each_has_the_edges_and_cells_of_darts(name):
    assert space(name).topology == DARTS.topology
    assert (space(name).cell_types, space(name).edges_per_node) == (("normal", "reduce"), 2)
    assert space(name).searchable


@pytest.mark.parametrize(("cell_type", "expected"), [("normal", NORMAL), ("reduce", REDUCE)])
def test_s1_has_two_primitives_an_edge_each_edge_its_own(cell_type, expected):
    assert list(S1.topology.edges) == EDGES
    found = [S1.on_edge(cell_type, e) for e in range(14)]
    assert [set(pair) for pair in found] == expected
    assert all(len(pair) == 2 for pair in found)


@pytest.mark.parametrize("cell_type", ["normal", "reduce"])
def test_an_edges_primitives_stand_in_the_order_of_alphas_columns(cell_type):
    for e in range(14):
        columns = [S1.primitives.index(p) for p in S1.on_edge(cell_type, e)]
        assert columns == sorted(columns)


@pytest.mark.parametrize(
    ("name", "primitives"),
    [
        ("s2", ("skip_connect", "sep_conv_3x3")),
        ("s3", ("none", "skip_connect", "sep_conv_3x3")),
        ("s4", ("noise", "sep_conv_3x3")),
    ],
)
def test_the_others_have_the_same_few_primitives_on_every_edge(name, primitives):
    where = space(name)
    assert where.primitives == primitives
    assert {where.on_edge(cell, e) for cell in where.cell_types for e in range(14)} == {primitives}


def test_every_primitive_of_s1_is_used_by_some_edge():
    used = {p for name in S1.cell_types for e in range(14) for p in S1.on_edge(name, e)}
    assert used == set(S1.primitives)


@pytest.mark.parametrize("name", NAMES)
def test_none_can_not_be_derived_and_all_else_can(name):
    where = space(name)
    for e in range(14):
        own = where.derivable_on("normal", e)
        assert set(own) == set(where.on_edge("normal", e)) - {"none"}
        assert len(own) == 2


@pytest.mark.parametrize("name", NAMES)
def test_with_two_primitives_an_edge_there_are_46080_cells(name):
    # 1 * 3 * 6 * 10 choices of edges, two primitives on each of eight.
    for cell_type in ("normal", "reduce"):
        assert space(name).cells(cell_type) == 180 * 2**8 == enumerated(space(name), cell_type)


def test_where_edges_differ_in_their_number_of_primitives_the_cells_are_counted_edge_by_edge():
    one, two, three = ("a",), ("a", "b"), ("none", "a", "b", "c")
    uneven = CellSpace(
        "uneven", Topology.dense(2, 2), ("none", "a", "b", "c"),
        allowed={"normal": (one, two, three, two, one), "reduce": (three, three, one, one, one)},
    )  # fmt: skip
    # Node 2: 1 * 2. Node 3 keeps two of three edges with 3, 2 and 1 primitives: 6 + 3 + 2.
    assert uneven.cells("normal") == uneven.cells() == 22
    assert uneven.cells("reduce") == 9 * 3


@pytest.mark.parametrize("cell_type", ["normal", "reduce"])
def test_in_s1_a_primitive_is_refused_exactly_where_the_edge_may_not_carry_it(cell_type):
    assert validate(s1_genotype()) == s1_genotype()
    for node in S1.concat:
        for e in S1.topology.into(node)[:2]:
            for primitive in S1.primitives:
                genotype = s1_genotype((cell_type, e, primitive))
                if primitive in S1.on_edge(cell_type, e):
                    validate(genotype)
                    continue
                with pytest.raises(GenotypeError) as caught:
                    validate(genotype)
                source, target = S1.topology.edges[e]
                own = ", ".join(S1.on_edge(cell_type, e))
                assert (
                    f"cells.{cell_type}: edge {source}->{target}: {primitive!r} is not for this edge, "
                    f"which may carry {own}"
                ) in str(caught.value)
                assert str(caught.value).count("\n  - ") == 1


def test_each_cell_is_held_against_its_own_edges():
    genotype = s1_genotype()
    swapped = Genotype("s1", {"normal": genotype.cells["reduce"], "reduce": genotype.cells["normal"]})
    with pytest.raises(GenotypeError, match=r"cells\.normal: edge 0->2: 'max_pool_3x3' is not for this edge"):
        validate(swapped)


def test_a_primitive_of_darts_that_the_space_lacks_is_unknown_there():
    with pytest.raises(GenotypeError, match="unknown primitive 'sep_conv_5x5'"):
        validate(s1_genotype(("normal", 0, "sep_conv_5x5")))
    faults = cell_faults(s1_genotype().cells["normal"], space("s4"), cell_type="normal")
    assert len(faults) == 8
    assert all("unknown primitive" in fault for fault in faults)


def test_none_of_s3_is_refused_in_a_derived_cell():
    edges = tuple(Edge(node, source, "none") for node in (2, 3, 4, 5) for source in (0, 1))
    cell = Cell(2, 4, edges, (2, 3, 4, 5))
    assert all("`none` can't stand in a derived cell" in f for f in cell_faults(cell, space("s3")))
    assert len(cell_faults(cell, space("s3"))) == 8


@steady
@given(st.sampled_from(NAMES), st.integers())
def test_a_random_genotype_carries_on_each_edge_what_it_may_and_survives_json(name, seed):
    where = space(name)
    genotype = random_genotype(where, random.Random(seed))
    for cell_type, cell in genotype.cells.items():
        for edge in cell.edges:
            index = where.topology.edges.index((edge.source, edge.target))
            assert edge.primitive in where.derivable_on(cell_type, index)
    assert Genotype.from_json(validate(genotype).to_json()) == genotype


def test_in_s1_both_primitives_of_each_edge_are_drawn_equally_often():
    rng, drawn = random.Random(5), Counter()
    for _ in range(1500):
        for cell_type, cell in random_genotype(S1, rng).cells.items():
            drawn.update((cell_type, e.source, e.target, e.primitive) for e in cell.edges)
    assert len(drawn) == 2 * 14 * 2
    for e, (source, target) in enumerate(S1.topology.edges):
        for cell_type in S1.cell_types:
            first, second = (drawn[cell_type, source, target, p] for p in S1.on_edge(cell_type, e))
            assert abs(first - second) < 5 * (first + second) ** 0.5
