"""The constants of NEAT."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal

from annotated_types import Ge, Gt, Le

from edgewise.config.limits import MOST_TIMES, Times, TimesOrNone
from edgewise.strategies.strategy import StrategySettings

Probability = Annotated[float, Ge(0), Le(1)]
NotNegative = Annotated[float, Ge(0)]


@dataclass(frozen=True)
class NeatConstants(StrategySettings):
    """NeuroEvolution of Augmenting Topologies on cells: a gene is an edge with a primitive.

    Args:
        kind: "neat".
        population: genomes of a generation.
        excess: c1, weight of excess genes in the distance of two genomes.
        disjoint: c2, weight of disjoint genes.
        difference: c3, weight of the share of matching genes whose primitives differ.
        threshold: distance from which on two genomes are of different species.
        small: the numbers of excess and disjoint genes are divided by the length of the longer genome only if it
            has at least so many genes.
        stagnation: generations after which a species that did not improve dies out, unless it holds the best.
        survival: share of a species that has children.
        champion: a species with at least so many members hands its best on unchanged; its score is known.
        crossover: probability of a child with two parents.
        interspecies: probability that the second parent is of another species.
        disable: probability that a gene is disabled in a child if it is in either parent.
        primitive: probability that a primitive of the child changes.
        add_edge: probability that a child gets another edge.
        add_node: probability that an edge of a child is led through a node in between.
        toggle: probability that a gene of a child is switched on or off.
        retries: how often a child that was scored already is mutated again.
        start: "random": the first generation is drawn uniformly from the space; "minimal": each node hears the
            cell inputs only, with random primitives.

    Source: Stanley and Miikkulainen 2002, §3 and §4.1: population 150, c1 = c2 = 1, c3 = .4, threshold 3, small
    20, stagnation 15, champions of species of more than five, 25 % mutation without crossover, .001, .75, .8
    (their weights), .05, .03. Not given there: survival, toggle. Deviations: primitives take the place of weights,
    one of them changes at a time; an edge has one innovation number in all generations, not only within one; the
    first generation is random, since hundreds of queries leave no time to grow (`start`); fitness is the score
    above the generation's worst; a child that was scored already is mutated again (`retries`); a champion isn't
    scored again.
    """

    kind: Literal["neat"] = "neat"
    sources: ClassVar[tuple[str, ...]] = ("neat",)
    population: Annotated[int, Ge(2), Le(MOST_TIMES)] = 150
    excess: NotNegative = 1.0
    disjoint: NotNegative = 1.0
    difference: NotNegative = 0.4
    threshold: Annotated[float, Gt(0)] = 3.0
    small: TimesOrNone = 20
    stagnation: Times = 15
    survival: Annotated[float, Gt(0), Le(1)] = 0.2
    champion: Annotated[int, Ge(2), Le(MOST_TIMES)] = 6
    crossover: Probability = 0.75
    interspecies: Probability = 0.001
    disable: Probability = 0.75
    primitive: Probability = 0.8
    add_edge: Probability = 0.05
    add_node: Probability = 0.03
    toggle: Probability = 0.1
    retries: TimesOrNone = 10
    start: Literal["random", "minimal"] = "random"
