"""NEAT by hand: innovations, distance, crossover, mutations, sharing, and that every genome is a valid cell."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgewise.errors import ConfigError
from edgewise.spaces import SPACES, Genotype, validate
from edgewise.spaces.nb201 import from_string, to_string
from edgewise.strategies import NeatSettings
from edgewise.strategies.neat import Neat, _shares
from edgewise.strategies.neat_genome import Body, Gene, Genome, Innovations, cross, distance
from edgewise.strategies.neat_mutation import add_edge, add_node, change_primitive, mutate, toggle
from tests.spaces.strategies import steady
from tests.strategies.tiny import drive

NB201 = SPACES["nb201"]
SETTINGS = NeatSettings()
SEARCHABLE = [name for name, space in SPACES.items() if space.searchable]
# Edges of NAS-Bench-201 by number: 0-1, 0-2, 1-2, 0-3, 1-3, 2-3.
DIRECT, FIRST, LAST = ("cell", 3), ("cell", 0), ("cell", 4)


def genome(*genes: tuple[int, str] | tuple[int, str, bool]) -> Genome:
    return Genome.of(Gene(*gene) for gene in genes)


def body_of(*structures: tuple[str, int], space: str = "nb201") -> Body:
    """A body that has met these structures in this order."""
    body = Body(SPACES[space])
    for structure in structures:
        body.innovations.number(structure)
    return body


def test_a_structure_keeps_the_number_of_its_first_appearance() -> None:
    innovations = Innovations()
    assert [innovations.number(s) for s in (("cell", 4), ("cell", 1), ("cell", 4))] == [0, 1, 0]


def test_the_distance_of_two_genomes_by_hand() -> None:
    one = genome((0, "a"), (1, "a"), (2, "a"), (5, "a"))
    other = genome((0, "a"), (1, "b"), (3, "a"), (8, "a"), (9, "a"))
    # Matching 0 and 1, one of them different; disjoint 2, 3, 5; excess 8, 9.
    settings = NeatSettings(excess=10, disjoint=1, difference=0.4)
    assert distance(one, other, settings) == pytest.approx(20 + 3 + 0.4 / 2)
    assert distance(other, one, settings) == distance(one, other, settings)
    assert distance(one, other, replace(settings, small=5)) == pytest.approx(20 / 5 + 3 / 5 + 0.4 / 2)
    assert distance(one, one, settings) == 0


def test_crossover_lines_genes_up_and_takes_the_rest_from_the_fitter_parent() -> None:
    fitter = genome((0, "a"), (1, "a"), (4, "a"))
    other = genome((0, "b"), (2, "b"), (4, "b"), (7, "b"))
    rng, seen = random.Random(0), set()
    for _ in range(50):
        child = cross(fitter, other, equal=False, settings=SETTINGS, rng=rng)
        assert [gene.innovation for gene in child.genes] == [0, 1, 4]
        assert child.by_innovation()[1].primitive == "a"
        seen |= {(gene.innovation, gene.primitive) for gene in child.genes}
    assert {(0, "a"), (0, "b"), (4, "a"), (4, "b")} <= seen


def test_equal_parents_give_a_child_the_genes_of_both() -> None:
    child = cross(
        genome((0, "a")), genome((1, "b"), (3, "b")), equal=True, settings=SETTINGS, rng=random.Random(0)
    )
    assert [gene.innovation for gene in child.genes] == [0, 1, 3]


@pytest.mark.parametrize(("disable", "enabled"), [(0.0, True), (1.0, False)])
def test_a_gene_that_is_disabled_in_either_parent_is_disabled_by_chance(disable: float, enabled: bool) -> None:
    settings = NeatSettings(disable=disable)
    one, other = genome((0, "a", False), (1, "a")), genome((0, "a"), (1, "a"))
    child = cross(one, other, equal=False, settings=settings, rng=random.Random(0))
    assert [gene.enabled for gene in child.genes] == [enabled, True]


def test_an_absent_or_disabled_edge_of_nas_bench_201_carries_none() -> None:
    body = body_of(DIRECT, FIRST)
    cells = body.genotype(genome((0, "nor_conv_3x3"), (1, "skip_connect", False)))
    assert to_string(cells) == "|none~0|+|none~0|none~1|+|nor_conv_3x3~0|none~1|none~2|"


def test_a_darts_node_hears_its_newest_enabled_genes_then_disabled_ones() -> None:
    darts = SPACES["darts"]
    into = darts.topology.into(3)
    body = Body(darts)
    start = body.first(random.Random(0), minimal=True)
    newer = Gene(body.innovations.number(("normal", into[2])), "sep_conv_5x5")
    heard = body.genotype(Genome.of([*start.genes, newer])).cells["normal"].into(3)
    assert [edge.source for edge in heard] == [1, 2]
    heard = body.genotype(Genome.of([*start.genes, replace(newer, enabled=False)])).cells["normal"].into(3)
    assert [edge.source for edge in heard] == [0, 1]
    old = [replace(gene, enabled=False) for gene in start.genes]
    heard = body.genotype(Genome.of([*old, newer])).cells["normal"].into(3)
    assert [edge.source for edge in heard] == [1, 2]


def test_a_node_in_between_leads_the_edge_through_a_skip_and_keeps_its_primitive() -> None:
    body = body_of(DIRECT)
    child = add_node(genome((0, "nor_conv_3x3")), body, random.Random(0))
    assert to_string(body.genotype(child)) in (
        "|skip_connect~0|+|none~0|none~1|+|none~0|nor_conv_3x3~1|none~2|",
        "|none~0|+|skip_connect~0|none~1|+|none~0|none~1|nor_conv_3x3~2|",
    )
    assert [gene.enabled for gene in child.genes] == [False, True, True]


def test_an_added_edge_is_one_that_was_absent() -> None:
    body = body_of(*(("cell", edge) for edge in range(5)))
    full = genome(*((number, "skip_connect") for number in range(5)))
    child = add_edge(full, body, random.Random(0))
    assert body.structure(child.genes[-1]) == ("cell", 5)
    assert add_edge(child, body, random.Random(0)) == child


def test_a_changed_primitive_is_another_one_and_never_none() -> None:
    body, rng, seen = body_of(DIRECT), random.Random(0), set()
    for _ in range(60):
        child = change_primitive(genome((0, "nor_conv_3x3")), body, rng)
        seen.add(child.genes[0].primitive)
    assert seen == {"skip_connect", "nor_conv_1x1", "avg_pool_3x3"}


def test_a_toggled_gene_is_switched_and_back() -> None:
    body = body_of(DIRECT)
    off = toggle(genome((0, "skip_connect")), body, random.Random(0))
    assert [gene.enabled for gene in off.genes] == [False]
    assert toggle(off, body, random.Random(0)) == genome((0, "skip_connect"))


@pytest.mark.parametrize("space", SEARCHABLE)
@pytest.mark.parametrize("minimal", [True, False])
@given(seed=st.integers(0, 2**32))
@steady
def test_generations_of_mutation_and_crossover_stay_valid(space: str, minimal: bool, seed: int) -> None:
    settings = NeatSettings(add_edge=0.5, add_node=0.5, toggle=0.5)
    rng, body = random.Random(seed), Body(SPACES[space])
    population = [body.first(rng, minimal=minimal) for _ in range(4)]
    for _ in range(4):
        one, other = rng.sample(population, 2)
        child = cross(one, other, equal=rng.random() < 0.5, settings=settings, rng=rng)
        population.append(mutate(child, body, settings, rng))
        numbers = [gene.innovation for gene in population[-1].genes]
        assert numbers == sorted(set(numbers))
        cells = body.genotype(population[-1])
        assert validate(cells) == cells


def test_a_random_start_is_a_genotype_drawn_uniformly() -> None:
    rng, body = random.Random(0), Body(NB201)
    nones = sum(
        edge.primitive == "none"
        for _ in range(1000)
        for edge in body.genotype(body.first(rng, minimal=False)).cells["cell"].edges
    )
    assert abs(nones - 1200) < 5 * (6000 * 0.2 * 0.8) ** 0.5


def test_a_minimal_start_of_nas_bench_201_is_one_edge_from_input_to_output() -> None:
    body = Body(NB201)
    edges = body.genotype(body.first(random.Random(0), minimal=True)).cells["cell"].edges
    assert [(e.source, e.target) for e in edges if e.primitive != "none"] == [(0, 3)]


def test_children_are_shared_in_proportion_and_none_is_lost() -> None:
    assert _shares([3.0, 1.0], 8) == [6, 2]
    assert _shares([1.0, 1.0, 1.0], 10) in ([4, 3, 3], [3, 4, 3], [3, 3, 4])
    assert sum(_shares([0.0, 0.0], 5)) == 5


def test_fitness_is_shared_within_a_species() -> None:
    neat = Neat(NeatSettings(population=24, threshold=0.5, champion=50, retries=0), NB201, 0)
    bred: list[int] = []
    child = neat._child

    def counted(pool: list, pools: list) -> Genome:
        bred.append(pools.index(pool))
        return child(pool, pools)

    neat._child = counted  # type: ignore[method-assign]
    told = drive(neat, 1)
    worst = min(score for _, score in told)
    means = [sum(score - worst for _, score in s.members) / len(s.members) for s in neat.species]
    assert len({len(s.members) for s in neat.species}) > 1
    for place, mean in enumerate(means):
        assert abs(bred.count(place) - 24 * mean / sum(means)) < 1


def test_a_genome_joins_the_first_species_whose_representative_is_near() -> None:
    neat = Neat(NeatSettings(population=30, threshold=2.0), NB201, 0)
    drive(neat, 1)
    members = [[genome for genome, _ in s.members] for s in neat.species]
    assert len(members) > 1
    for later in range(1, len(members)):
        # Whoever founded a species was far from the founder of each earlier one.
        for earlier in range(later):
            assert distance(members[later][0], members[earlier][0], neat.settings) >= 2.0
    for group in members:
        assert all(distance(one, group[0], neat.settings) < 2.0 for one in group)


def test_the_champion_of_a_large_species_lives_on_and_is_not_scored_again() -> None:
    neat = Neat(NeatSettings(population=30, threshold=100.0), NB201, 0)
    told = drive(neat, 1)
    assert len(neat.species) == 1
    assert neat.width == 29
    best = max(told, key=lambda member: member[1])
    assert neat.state_dict()["scored"][0][1] == best[1]
    assert best[0] not in [genotype for genotype, _ in drive(neat, 1)]


def test_a_species_that_does_not_improve_dies_out_unless_it_holds_the_best() -> None:
    def fades(genotype: Genotype) -> float:
        return 0.5

    counts = {}
    for stagnation in (3, 100):
        settings = NeatSettings(population=20, threshold=1.5, stagnation=stagnation, retries=0)
        neat = Neat(settings, NB201, 0)
        drive(neat, 8, fades)
        counts[stagnation] = sum(neat.generation - 1 - s.improved >= 3 for s in neat.species)
    assert counts[3] <= 1 < counts[100]


def test_a_generation_is_bred_only_when_all_scores_are_told() -> None:
    neat = Neat(NeatSettings(population=4), NB201, 0)
    asked = [neat.ask() for _ in range(4)]
    assert neat.width == 0
    with pytest.raises(ConfigError, match="waits for 4 scores"):
        neat.ask()
    for genotype in asked:
        neat.tell(genotype, 0.5)
    assert neat.generation == 1
    assert neat.width > 0


def test_neat_finds_what_only_structure_brings() -> None:
    target = from_string("|nor_conv_3x3~0|+|none~0|nor_conv_3x3~1|+|skip_connect~0|none~1|skip_connect~2|")

    def likeness(genotype: Genotype) -> float:
        pairs = zip(genotype.cells["cell"].edges, target.cells["cell"].edges, strict=True)
        return sum(one == other for one, other in pairs) / 6

    settings = NeatSettings(population=30, start="minimal", add_edge=0.3, add_node=0.2)
    assert max(score for _, score in drive(Neat(settings, NB201, 0), 25, likeness)) == 1.0
