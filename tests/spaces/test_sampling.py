"""Random cells: the baseline."""

from __future__ import annotations

import random
from collections import Counter

import pytest

from edgewise.spaces import AMOEBA, DARTS, NASNET, NB201, random_genotype, validate

DRAWS = 1000


@pytest.mark.parametrize("space", [DARTS, AMOEBA, NASNET, NB201], ids=lambda s: s.name)
def test_a_random_genotype_is_valid_and_has_none_only_in_nas_bench_201(space):
    rng = random.Random(3)
    found = Counter()
    for _ in range(100):
        genotype = random_genotype(space, rng)
        assert validate(genotype) == genotype
        found.update(edge.primitive for cell in genotype.cells.values() for edge in cell.edges)
    assert set(found) == set(space.derivable)
    assert ("none" in found) is (space is NB201)


def test_the_same_seed_draws_the_same_genotypes_and_another_seed_others():
    def some(seed):
        rng = random.Random(seed)
        return [random_genotype(DARTS, rng) for _ in range(5)]

    assert some(1) == some(1)
    assert some(1) != some(2)
    assert len(set(some(1))) == 5


def test_drawing_leaves_pythons_global_stream_alone():
    before = random.getstate()
    random_genotype(DARTS, random.Random(0))
    assert random.getstate() == before


def test_both_cells_are_drawn_apart():
    genotype = random_genotype(DARTS, random.Random(0))
    assert genotype.cells["normal"] != genotype.cells["reduce"]


def within(count: int, draws: int, probability: float) -> bool:
    """Whether a count lies within five standard deviations."""
    return abs(count - draws * probability) < 5 * (draws * probability * (1 - probability)) ** 0.5


def test_primitives_and_sources_are_drawn_uniformly():
    rng = random.Random(11)
    primitives, sources = Counter(), Counter()
    for _ in range(DRAWS):
        for edge in random_genotype(DARTS, rng).cells["normal"].edges:
            primitives[edge.primitive] += 1
            sources[edge.source, edge.target] += 1
    assert set(primitives) == set(DARTS.derivable)
    assert all(within(count, 8 * DRAWS, 1 / 7) for count in primitives.values())
    for (source, target), count in sources.items():
        assert source < target
        assert count == DRAWS if target == 2 else within(count, DRAWS, 2 / target)
    assert len(sources) == 14
