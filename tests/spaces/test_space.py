"""The spaces: what they hold and how many cells."""

from __future__ import annotations

import subprocess
import sys
from itertools import combinations, product

import pytest

from edgewise.errors import ConfigError
from edgewise.spaces import AMOEBA, DARTS, NASNET, NB201, SPACES, CellSpace, Topology, space


def test_darts_has_14_edges_and_its_primitives_in_the_authors_order():
    assert len(DARTS.topology.edges) == 14
    assert DARTS.primitives == (
        "none",
        "max_pool_3x3",
        "avg_pool_3x3",
        "skip_connect",
        "sep_conv_3x3",
        "sep_conv_5x5",
        "dil_conv_3x3",
        "dil_conv_5x5",
    )
    assert DARTS.cell_types == ("normal", "reduce")
    assert DARTS.concat == (2, 3, 4, 5)


def test_darts_has_1037664180_cells():
    assert DARTS.cells() == 1_037_664_180 == 1 * 3 * 6 * 10 * 7**8


def test_the_count_of_cells_is_what_an_enumeration_finds():
    small = CellSpace("small", Topology.dense(2, 2), ("none", "skip_connect", "sep_conv_3x3"))
    found = set()
    for first, second in product(combinations(range(2), 2), combinations(range(3), 2)):
        for primitives in product(["skip_connect", "sep_conv_3x3"], repeat=4):
            found.add((first, second, primitives))
    assert small.cells() == len(found) == 48


def test_every_primitive_but_none_can_be_derived():
    assert set(DARTS.primitives) - set(DARTS.derivable) == {"none"}
    assert len(DARTS.derivable) == 7


@pytest.mark.parametrize("expected", [DARTS, AMOEBA])
def test_a_space_is_found_by_its_name(expected):
    assert space(expected.name) is SPACES[expected.name] is expected


def test_an_unknown_space_is_refused_with_the_known_ones():
    with pytest.raises(ConfigError, match=r"unknown space 'dart'.*darts, amoeba"):
        space("dart")


def test_amoeba_can_not_be_searched_and_says_so_in_its_summary():
    assert not AMOEBA.searchable
    assert "not searched" in AMOEBA.summary
    assert all("not searched" not in each.summary for each in SPACES.values() if each.searchable)


def test_nas_bench_201_has_15625_cells_of_six_edges_that_all_stay():
    assert NB201.cells() == 15_625 == 5**6
    assert [NB201.keeps(node) for node in NB201.inner] == [1, 2, 3]
    assert NB201.cell_types == ("cell",)
    assert NB201.concat == (3,)
    assert (
        NB201.derivable
        == NB201.primitives
        == (
            "none",
            "skip_connect",
            "nor_conv_1x1",
            "nor_conv_3x3",
            "avg_pool_3x3",
        )
    )


def test_nasnet_has_the_13_primitives_of_its_paper_and_5_nodes_of_two_edges_with_repeats():
    assert set(NASNET.primitives) == {
        "skip_connect",
        "conv_1x7_7x1",
        "conv_1x3_3x1",
        "avg_pool_3x3",
        "max_pool_3x3",
        "max_pool_5x5",
        "max_pool_7x7",
        "conv_1x1",
        "conv_3x3",
        "sep_conv_3x3",
        "sep_conv_5x5",
        "sep_conv_7x7",
        "dil_conv_3x3",
    }
    assert len(NASNET.primitives) == 13
    assert [NASNET.keeps(node) for node in NASNET.inner] == [2] * 5
    assert NASNET.repeats
    assert NASNET.free_concat


def test_with_repeats_every_unordered_pair_of_source_and_primitive_counts_once():
    small = CellSpace("small", Topology.dense(1, 2), ("skip_connect", "sep_conv_3x3"), repeats=True)
    first = {tuple(sorted(pair)) for pair in product(product(range(1), range(2)), repeat=2)}
    second = {tuple(sorted(pair)) for pair in product(product(range(2), range(2)), repeat=2)}
    assert small.cells() == len(first) * len(second) == 3 * 10


def test_importing_spaces_reading_a_genotype_and_drawing_one_imports_no_torch():
    script = (
        "import random, sys\n"
        "from edgewise.spaces import DARTS, Genotype, published, random_genotype\n"
        "text = random_genotype(DARTS, random.Random(0)).to_json()\n"
        "Genotype.from_json(text), published('PDARTS').statistics()\n"
        "print(sorted({'torch', 'numpy', 'datasets'} & set(sys.modules)))\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.strip() == "[]"
