"""Cells, their statistics, and genotypes as JSON."""

from __future__ import annotations

import json

import pytest
from hypothesis import given

from edgewise.errors import GenotypeError
from edgewise.spaces import PUBLISHED, Cell, Edge, Genotype, describe_cell, published
from tests.spaces.strategies import genotypes, steady

CONCAT = (2, 3, 4, 5)


def skips_in_a_row() -> Cell:
    """Node 2 hears both inputs; each later node hears the node before it and input 0."""
    pairs = [("sep_conv_3x3", 1), ("max_pool_3x3", 0)]
    for node in (2, 3, 4):
        pairs += [("skip_connect", node), ("avg_pool_3x3", 0)]
    return Cell.from_pairs(pairs, CONCAT)


def test_pairs_are_read_two_to_a_node_and_sorted_by_target_and_source():
    cell = Cell.from_pairs([("a", 1), ("b", 0), ("c", 2), ("d", 0)], (2, 3))
    assert cell.edges == (Edge(2, 0, "b"), Edge(2, 1, "a"), Edge(3, 0, "d"), Edge(3, 2, "c"))
    assert (cell.inputs, cell.nodes, cell.concat) == (2, 2, (2, 3))
    assert cell.into(3) == (Edge(3, 0, "d"), Edge(3, 2, "c"))


def test_cells_are_equal_whatever_the_order_in_which_their_edges_were_given():
    cell = skips_in_a_row()
    assert Cell(2, 4, tuple(reversed(cell.edges)), CONCAT) == cell


def test_statistics_of_a_cell_are_those_counted_by_hand():
    assert skips_in_a_row().statistics() == {"skips": 3, "pools": 4, "parametrised": 1, "depth": 4, "width": 4}


def test_statistics_of_the_published_darts_cells_are_those_counted_by_hand():
    assert published("DARTS_V2").statistics() == {
        "normal": {"skips": 2, "pools": 0, "parametrised": 6, "depth": 2, "width": 4},
        "reduce": {"skips": 3, "pools": 5, "parametrised": 0, "depth": 2, "width": 4},
    }
    assert published("PDARTS").cells["normal"].depth == 3


def test_none_counts_as_nothing_in_the_statistics_of_a_cell():
    block = published("NB201_ResNet").cells["cell"]
    assert block.statistics() == {"skips": 2, "pools": 0, "parametrised": 2, "depth": 3, "width": 2}
    assert [edge.primitive for edge in block.connected].count("none") == 0
    assert len(block.connected) == 4


def test_a_path_that_does_not_begin_at_a_cell_input_has_no_depth():
    cut = (Edge(1, 0, "none"), Edge(2, 0, "none"), Edge(2, 1, "skip_connect"))
    last = (Edge(3, 0, "skip_connect"), Edge(3, 1, "none"), Edge(3, 2, "skip_connect"))
    cell = Cell(1, 3, (*cut, *last), (3,))
    assert cell.depth == 1
    assert cell.width == 1


def test_large_max_pools_count_as_pools():
    pairs = [("max_pool_5x5", 0), ("max_pool_7x7", 1), ("max_pool_3x3", 0), ("avg_pool_3x3", 1)]
    assert Cell.from_pairs(pairs, (2, 3)).pools == 4


def test_nodes_that_hear_only_inner_nodes_do_not_count_as_width():
    cell = Cell.from_pairs([("skip_connect", source) for source in (0, 1, 2, 2)], (2, 3))
    assert cell.width == 1


def test_a_cell_in_words_names_its_counts_and_depth():
    assert describe_cell(skips_in_a_row().statistics()) == "3 skip, 4 pool, 1 parametrised, depth 4"


@steady
@given(genotypes())
def test_a_genotype_comes_back_from_its_json_with_its_source(genotype):
    back = Genotype.from_json(genotype.to_json())
    assert back == genotype
    assert back.source == genotype.source
    assert hash(back) == hash(genotype)


@steady
@given(genotypes())
def test_the_json_text_is_the_dictionary_with_an_edge_a_line(genotype):
    text = genotype.to_json()
    assert json.loads(text) == genotype.to_dict()
    edges = [line for line in text.splitlines() if '"primitive"' in line]
    assert len(edges) == sum(len(cell.edges) for cell in genotype.cells.values())
    assert all(line.count('"source"') == line.count('"target"') == 1 for line in edges)
    assert all(line.strip().startswith("{") and line.rstrip(",").endswith("}") for line in edges)


def test_the_json_has_the_documented_shape():
    data = json.loads(published("DARTS_V1").to_json())
    assert data["format"] == "edgewise.genotype/1"
    assert data["space"] == "darts"
    assert "Liu et al. 2019" in data["source"]
    normal = data["cells"]["normal"]
    assert normal["edges"][0] == {"source": 0, "target": 2, "primitive": "sep_conv_3x3"}
    assert (normal["inputs"], normal["nodes"], normal["concat"]) == (2, 4, [2, 3, 4, 5])


def test_genotypes_with_equal_cells_are_equal_whatever_their_source_and_unequal_with_another_cell():
    one = published("DARTS_V1")
    assert Genotype("darts", dict(one.cells), "elsewhere") == one
    other = Genotype("darts", {**one.cells, "normal": skips_in_a_row()}, one.source)
    assert other != one


@pytest.mark.parametrize("name", sorted(PUBLISHED))
def test_a_published_genotype_is_valid_and_names_its_source(name):
    genotype = published(name)
    assert Genotype.from_json(genotype.to_json()) == genotype
    assert genotype.source
    assert "(" in genotype.source


def test_all_published_genotypes_differ():
    assert len(set(PUBLISHED.values())) == len(PUBLISHED) == 12


def test_an_unknown_published_name_is_refused_with_the_known_ones():
    with pytest.raises(GenotypeError, match=r"'DARTS_V3'.*DARTS_V1, DARTS_V2"):
        published("DARTS_V3")
