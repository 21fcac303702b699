"""A space of nine genotypes, and searches driven by hand."""

from __future__ import annotations

from collections.abc import Callable

from edgewise.spaces import CellSpace, Genotype, Topology
from edgewise.spaces.decisions import choices_of
from edgewise.strategies import Strategy

TINY = CellSpace(
    name="tiny",
    topology=Topology.dense(1, 1),
    primitives=("a", "b", "c"),
    cell_types=("one", "two"),
    edges_per_node=None,
    output="last",
)
"""Two cells of one edge with three primitives: two decisions with three options each."""

NINE = [(i, j) for i in range(3) for j in range(3)]


def made_up_score(genotype: Genotype) -> float:
    """Some number from 0 to 1 that differs from genotype to genotype."""
    return (hash(tuple(choices_of(genotype))) % 10_007) / 10_007


def drive(
    strategy: Strategy, rounds: int, score: Callable[[Genotype], float] = made_up_score
) -> list[tuple[Genotype, float]]:
    """Asks as many as the strategy gives and tells them, for some rounds."""
    told = []
    for _ in range(rounds):
        asked = [strategy.ask() for _ in range(strategy.width)]
        for genotype in asked:
            told.append((genotype, score(genotype)))
            strategy.tell(*told[-1])
    return told
