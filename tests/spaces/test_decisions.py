"""A genotype as choices and back, uniform draws, and neighbours that differ in one edge."""

from __future__ import annotations

import random
from collections import Counter
from math import prod

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgewise.errors import ConfigError, GenotypeError
from edgewise.spaces import (
    DARTS,
    SPACES,
    Cell,
    CellSpace,
    Edge,
    Genotype,
    Topology,
    published,
    random_genotype,
    validate,
)
from edgewise.spaces.decisions import (
    choices_of,
    decisions,
    genotype_of,
    neighbour,
    open_options,
    random_choices,
)
from tests.spaces.strategies import steady

NB201 = SPACES["nb201"]
SEARCHABLE = [space for space in SPACES.values() if space.searchable]
ALL = list(SPACES.values())


def names(space: CellSpace) -> str:
    return space.name


def edges_of(genotype: Genotype) -> Counter:
    return Counter((name, edge) for name, cell in genotype.cells.items() for edge in cell.edges)


def test_a_darts_cell_is_fourteen_choices_with_sources_before_primitives() -> None:
    kinds = [(d.node, d.slot, d.kind, d.options) for d in decisions(DARTS) if d.cell_type == "normal"]
    assert kinds == [
        (2, 0, "primitive", 7),
        (2, 1, "primitive", 7),
        (3, 0, "source", 3),
        (3, 1, "source", 2),
        (3, 0, "primitive", 7),
        (3, 1, "primitive", 7),
        (4, 0, "source", 4),
        (4, 1, "source", 3),
        (4, 0, "primitive", 7),
        (4, 1, "primitive", 7),
        (5, 0, "source", 5),
        (5, 1, "source", 4),
        (5, 0, "primitive", 7),
        (5, 1, "primitive", 7),
    ]
    assert [d.cell_type for d in decisions(DARTS)] == ["normal"] * 14 + ["reduce"] * 14


def test_a_node_that_keeps_all_of_its_edges_has_no_choice_of_sources() -> None:
    assert {d.kind for d in decisions(NB201)} == {"primitive"}
    assert prod(d.options for d in decisions(NB201)) == 15_625


def test_with_repeats_every_slot_has_all_sources() -> None:
    amoeba = SPACES["amoeba"]
    assert [d.options for d in decisions(amoeba) if d.kind == "source"][:4] == [2, 2, 3, 3]


@pytest.mark.parametrize("space", ALL, ids=names)
@given(seed=st.integers(0, 2**32))
@steady
def test_a_genotype_comes_back_from_its_choices_and_is_valid(space: CellSpace, seed: int) -> None:
    genotype = genotype_of(space, random_choices(space, random.Random(seed)))
    assert validate(genotype) == genotype
    choices = choices_of(genotype)
    assert genotype_of(space, choices) == genotype
    assert choices_of(genotype_of(space, choices)) == choices


@pytest.mark.parametrize("space", SEARCHABLE, ids=names)
@given(seed=st.integers(0, 2**32))
@steady
def test_every_random_genotype_has_choices(space: CellSpace, seed: int) -> None:
    genotype = random_genotype(space, random.Random(seed))
    if space.free_concat:
        return
    assert genotype_of(space, choices_of(genotype)) == genotype


@pytest.mark.parametrize("name", ["DARTS_V1", "PC_DARTS_cifar", "AmoebaNet"])
def test_published_cells_come_back_from_their_choices(name: str) -> None:
    genotype = published(name)
    assert genotype_of(SPACES[genotype.space], choices_of(genotype)) == genotype


def test_all_cells_of_nas_bench_201_have_choices_of_their_own() -> None:
    rng = random.Random(0)
    drawn = {random_choices(NB201, rng) for _ in range(2000)}
    assert len({genotype_of(NB201, choices) for choices in drawn}) == len(drawn) > 1800


def test_random_choices_draw_pairs_of_sources_as_random_genotypes_do() -> None:
    rng, draws = random.Random(1), 3000
    pairs = Counter()
    for _ in range(draws):
        cell = genotype_of(DARTS, random_choices(DARTS, rng)).cells["normal"]
        pairs[tuple(edge.source for edge in cell.into(5))] += 1
    assert len(pairs) == 10
    expected, deviation = draws / 10, (draws * 0.1 * 0.9) ** 0.5
    assert all(abs(count - expected) < 5 * deviation for count in pairs.values())


def test_options_follow_the_edge_where_edges_have_primitives_of_their_own() -> None:
    space = CellSpace(
        name="uneven",
        topology=Topology.dense(1, 2),
        primitives=("a", "b", "c"),
        cell_types=("cell",),
        edges_per_node=1,
        allowed={"cell": (("a",), ("a", "b", "c"), ("b", "c"))},
    )
    wanted = decisions(space)
    assert [(d.node, d.kind, d.options) for d in wanted] == [
        (1, "primitive", 1),
        (2, "source", 2),
        (2, "primitive", 3),
    ]
    assert open_options(space, (0, 0)) == 3
    assert open_options(space, (0, 1)) == 2
    assert genotype_of(space, (0, 1, 1)).cells["cell"].into(2) == (Edge(2, 1, "c"),)
    with pytest.raises(ConfigError, match="0 to 1"):
        genotype_of(space, (0, 1, 2))


@pytest.mark.parametrize(
    ("choices", "said"), [((0,) * 5, "6 choices, found 5"), ((0, 0, 5, 0, 0, 0), "choice 2 .* is 5")]
)
def test_wrong_choices_are_refused(choices: tuple[int, ...], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        genotype_of(NB201, choices)


def test_a_cell_whose_output_leaves_out_a_node_that_nobody_hears_has_no_choices() -> None:
    genotype = published("AmoebaNet")
    cell = genotype.cells["normal"]
    odd = Genotype("amoeba", {**genotype.cells, "normal": Cell(cell.inputs, cell.nodes, cell.edges, (4, 5))})
    with pytest.raises(GenotypeError, match=r"\[4, 5, 6\]"):
        choices_of(odd)


@pytest.mark.parametrize("space", ALL, ids=names)
@given(seed=st.integers(0, 2**32))
@steady
def test_a_neighbour_is_valid_and_differs_in_exactly_one_edge(space: CellSpace, seed: int) -> None:
    rng = random.Random(seed)
    parent = genotype_of(space, random_choices(space, rng))
    child = neighbour(parent, space, rng)
    assert validate(child) == child
    assert (edges_of(parent) - edges_of(child)).total() == 1
    assert (edges_of(child) - edges_of(parent)).total() == 1


def test_every_neighbour_of_a_cell_of_nas_bench_201_is_as_likely_as_any_other() -> None:
    rng, draws = random.Random(5), 4800
    parent = genotype_of(NB201, (0, 1, 2, 3, 4, 0))
    seen = Counter(neighbour(parent, NB201, rng) for _ in range(draws))
    assert len(seen) == 24
    assert all(abs(count - 200) < 5 * 200**0.5 for count in seen.values())


def test_both_sources_and_primitives_of_darts_change() -> None:
    rng = random.Random(6)
    parent = genotype_of(DARTS, random_choices(DARTS, rng))
    kinds = Counter()
    for _ in range(300):
        child = neighbour(parent, DARTS, rng)
        (old,) = edges_of(parent) - edges_of(child)
        (new,) = edges_of(child) - edges_of(parent)
        kinds["source" if old[1].source != new[1].source else "primitive"] += 1
    # 16 edges have other primitives, 12 of them other sources: node 2 hears all that there is.
    assert kinds["source"] / 300 == pytest.approx(12 / 28, abs=0.13)
