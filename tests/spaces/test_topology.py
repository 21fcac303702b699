"""Edges, their lengths and their groups."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgewise.errors import ConfigError
from edgewise.spaces import DARTS, NB201, Cell, Edge, Topology
from tests.spaces.strategies import steady, topologies

EDGES = [(0, 2), (1, 2), (0, 3), (1, 3), (2, 3), (0, 4), (1, 4), (2, 4), (3, 4)]
EDGES += [(0, 5), (1, 5), (2, 5), (3, 5), (4, 5)]


def paths(topology: Topology) -> list[list[int]]:
    """Every path from a cell input to a node without outgoing edges, as nodes."""
    done, growing = [], [[node] for node in range(topology.inputs)]
    while growing:
        path = growing.pop()
        following = [target for source, target in topology.edges if source == path[-1]]
        if not following:
            done.append(path)
        growing += [[*path, target] for target in following]
    return done


def test_the_edges_of_darts_are_ordered_by_target_and_then_by_source():
    assert list(DARTS.topology.edges) == EDGES


def test_the_edge_lengths_of_darts_are_those_of_the_thesis_figure_plus_a_constant_for_each_node():
    figure = {2: [1, 1], 3: [1, 1, 2], 4: [1, 1, 2, 3], 5: [1, 1, 2, 3, 4]}
    constant = {2: 3, 3: 2, 4: 1, 5: 0}
    expected = [length + constant[node] for node, lengths in figure.items() for length in lengths]
    assert list(DARTS.topology.lengths) == expected == [4, 4, 3, 3, 4, 2, 2, 3, 4, 1, 1, 2, 3, 4]


def test_the_edges_of_nas_bench_201_their_lengths_and_groups_are_those_counted_by_hand():
    topology = NB201.topology
    assert topology.edges == ((0, 1), (0, 2), (1, 2), (0, 3), (1, 3), (2, 3))
    assert topology.lengths == (3, 2, 3, 1, 2, 3)
    assert topology.groups("in") == ((2, (1, 2)), (3, (3, 4, 5)))
    assert topology.groups("out") == ((0, (0, 1, 3)), (1, (2, 4)))


def test_a_node_is_as_deep_as_the_longest_way_from_an_input_and_as_high_as_the_longest_way_on():
    assert DARTS.topology.depths == (0, 0, 1, 2, 3, 4)
    assert DARTS.topology.heights == (4, 4, 3, 2, 1, 0)


@steady
@given(topologies())
def test_the_length_of_an_edge_is_that_of_the_longest_path_through_it(topology):
    longest = dict.fromkeys(topology.edges, 0)
    for path in paths(topology):
        for edge in pairwise(path):
            longest[edge] = max(longest[edge], len(path) - 1)
    assert dict(zip(topology.edges, topology.lengths, strict=True)) == longest


@steady
@given(topologies())
def test_the_depth_of_a_cell_is_its_longest_path_whatever_the_order_and_repeats_of_its_edges(topology):
    expected = max(len(path) - 1 for path in paths(topology))
    edges = tuple(Edge(target, source, "a") for source, target in [*topology.edges, topology.edges[0]])
    assert Cell(topology.inputs, topology.nodes, edges, ()).depth == expected


def test_in_groups_of_darts_are_the_edges_into_each_node():
    assert DARTS.topology.groups("in") == (
        (2, (0, 1)),
        (3, (2, 3, 4)),
        (4, (5, 6, 7, 8)),
        (5, (9, 10, 11, 12, 13)),
    )


def test_out_groups_of_darts_are_the_edges_out_of_each_node_cell_inputs_too_and_a_lone_edge_is_in_none():
    assert DARTS.topology.groups("out") == (
        (0, (0, 2, 5, 9)),
        (1, (1, 3, 6, 10)),
        (2, (4, 7, 11)),
        (3, (8, 12)),
    )


@steady
@given(topologies(), st.sampled_from(["in", "out"]))
def test_edges_share_a_group_exactly_if_they_share_the_node_and_have_company(topology, direction):
    end = {"in": 1, "out": 0}[direction]
    groups = dict(topology.groups(direction))
    for node in range(topology.inputs + topology.nodes):
        members = tuple(i for i, edge in enumerate(topology.edges) if edge[end] == node)
        assert groups.pop(node, None) == (members if len(members) > 1 else None)
    assert not groups


@pytest.mark.parametrize("edge", [(3, 2), (2, 2), (0, 1), (0, 4), (-1, 2)])
def test_an_edge_that_does_not_lead_forward_to_an_inner_node_is_refused_by_name(edge):
    with pytest.raises(ConfigError) as caught:
        Topology(2, 2, ((0, 2), edge))
    assert f"edge ({edge[0]}, {edge[1]})" in str(caught.value)
    assert "from 2 to 3" in str(caught.value)


def test_an_edge_that_stands_twice_is_refused():
    with pytest.raises(ConfigError, match="twice"):
        Topology(2, 1, ((0, 2), (1, 2), (0, 2)))
