"""NEAT's genomes: edges of cells as genes with innovation numbers, and the cells that they stand for."""

from __future__ import annotations

import random
from collections.abc import Iterable
from dataclasses import dataclass, replace
from itertools import groupby
from typing import Any

from edgewise.spaces import CellSpace, Edge, Genotype
from edgewise.spaces.decisions import cell_of, genotype_of, random_choices
from edgewise.strategies.neat_settings import NeatConstants

Structure = tuple[str, int]
"""A cell type and the number of an edge in the space's topology."""


@dataclass(frozen=True)
class Gene:
    """An edge with a primitive; a disabled one is inherited but not heard."""

    innovation: int
    primitive: str
    enabled: bool = True


@dataclass(frozen=True)
class Genome:
    """Genes in the order of their innovation numbers, none twice."""

    genes: tuple[Gene, ...]

    @staticmethod
    def of(genes: Iterable[Gene]) -> Genome:
        """A genome of these genes, in any order."""
        return Genome(tuple(sorted(genes, key=lambda gene: gene.innovation)))

    def by_innovation(self) -> dict[int, Gene]:
        """The genes by their numbers."""
        return {gene.innovation: gene for gene in self.genes}

    def plain(self) -> list[list[Any]]:
        """The genome as plain values."""
        return [[gene.innovation, gene.primitive, gene.enabled] for gene in self.genes]

    @staticmethod
    def from_plain(values: list[list[Any]]) -> Genome:
        """Restores `plain`."""
        return Genome(tuple(Gene(*value) for value in values))


class Innovations:
    """Numbers for structures, in the order in which they appear; the same structure always has the same number."""

    def __init__(self) -> None:
        self.structures: list[Structure] = []
        self._numbers: dict[Structure, int] = {}

    def number(self, structure: Structure) -> int:
        """The structure's number, a new one if nobody had it yet."""
        if structure not in self._numbers:
            self._numbers[structure] = len(self.structures)
            self.structures.append(structure)
        return self._numbers[structure]

    def load(self, structures: Iterable[Structure]) -> None:
        """Restores `structures`."""
        self.structures, self._numbers = [], {}
        for cell_type, edge in structures:
            self.number((cell_type, edge))


def distance(a: Genome, b: Genome, settings: NeatConstants) -> float:
    """How far two genomes are from one species.

    Source: Stanley and Miikkulainen 2002, equation 1, with the share of matching genes that carry other primitives
    in the place of the mean difference of weights.
    """
    ours, theirs = a.by_innovation(), b.by_innovation()
    matching = ours.keys() & theirs.keys()
    alone = ours.keys() ^ theirs.keys()
    reach = min(max(ours, default=-1), max(theirs, default=-1))
    excess = sum(number > reach for number in alone)
    longer = max(len(ours), len(theirs))
    size = longer if longer >= settings.small else 1
    other = sum(ours[number].primitive != theirs[number].primitive for number in matching)
    return (
        settings.excess * excess / size
        + settings.disjoint * (len(alone) - excess) / size
        + settings.difference * other / max(len(matching), 1)
    )


def cross(fitter: Genome, other: Genome, *, equal: bool, settings: NeatConstants, rng: random.Random) -> Genome:
    """A child: matching genes from either parent, the rest from the fitter one, from both where they are equal."""
    ours, theirs = fitter.by_innovation(), other.by_innovation()
    genes = []
    for number in sorted(ours.keys() | theirs.keys()):
        mine, yours = ours.get(number), theirs.get(number)
        if mine is not None and yours is not None:
            gene = rng.choice((mine, yours))
            disabled = not (mine.enabled and yours.enabled) and rng.random() < settings.disable
            genes.append(replace(gene, enabled=not disabled))
        elif mine is not None:
            genes.append(mine)
        elif yours is not None and equal:
            genes.append(yours)
    return Genome(tuple(genes))


class Body:
    """What genomes mean in a space.

    Every genome has a valid genotype. A node that keeps all of its edges carries the primitives of its enabled
    genes and `none` elsewhere; where the space knows no `none`, disabled genes are heard too. A node that keeps k
    edges hears its enabled genes, the newest first, and, if they are fewer than k, the newest disabled ones. As a
    gene is an edge, no node hears a source twice, even where the space would allow it.

    Args:
        space: what is searched.
    """

    def __init__(self, space: CellSpace) -> None:
        self.space = space
        self.innovations = Innovations()

    def primitives(self, structure: Structure) -> list[str]:
        """What a gene may carry there."""
        return [primitive for primitive in self.space.derivable_on(*structure) if primitive != "none"]

    def structure(self, gene: Gene) -> Structure:
        """Where a gene stands."""
        return self.innovations.structures[gene.innovation]

    def ends(self, gene: Gene) -> tuple[int, int]:
        """The source and target of a gene's edge."""
        return self.space.topology.edges[self.structure(gene)[1]]

    def keeps_all(self, node: int) -> bool:
        """Whether a node has no choice of sources."""
        return self.space.keeps(node) == len(self.space.topology.into(node))

    def first(self, rng: random.Random, *, minimal: bool) -> Genome:
        """A genome of the first generation."""
        return self._minimal(rng) if minimal else self._random(rng)

    def _minimal(self, rng: random.Random) -> Genome:
        """Each node hears its first sources; where `none` exists, the last node hears the cell inputs alone."""
        space, genes = self.space, []
        for cell_type in space.cell_types:
            for node in space.inner:
                into = space.topology.into(node)[: space.keeps(node)]
                if space.derives_none and self.keeps_all(node):
                    from_input = [e for e in into if space.topology.edges[e][0] < space.topology.inputs]
                    into = from_input if node == space.inner[-1] else []
                genes += [self._gene((cell_type, edge), rng) for edge in into]
        return Genome.of(genes)

    def _random(self, rng: random.Random) -> Genome:
        """A genotype drawn uniformly, as genes."""
        genotype = genotype_of(self.space, random_choices(self.space, rng))
        genes: dict[int, Gene] = {}
        for cell_type, cell in genotype.cells.items():
            for edge in cell.edges:
                index = self.space.topology.edges.index((edge.source, edge.target))
                if edge.primitive != "none":
                    number = self.innovations.number((cell_type, index))
                    genes[number] = Gene(number, edge.primitive)
        return self._filled(Genome.of(genes.values()), rng)

    def _filled(self, genome: Genome, rng: random.Random) -> Genome:
        """Gives nodes that hear a source twice another one, so that each has as many genes as it keeps."""
        space, genes = self.space, list(genome.genes)
        for cell_type in space.cell_types:
            for node in space.inner:
                if space.derives_none and self.keeps_all(node):
                    continue
                here = {edge for kind, edge in map(self.structure, genes) if kind == cell_type}
                free = [edge for edge in space.topology.into(node) if edge not in here]
                missing = min(space.keeps(node) - (len(space.topology.into(node)) - len(free)), len(free))
                genes += [self._gene((cell_type, edge), rng) for edge in rng.sample(free, max(missing, 0))]
        return Genome.of(genes)

    def _gene(self, structure: Structure, rng: random.Random) -> Gene:
        return Gene(self.innovations.number(structure), rng.choice(self.primitives(structure)))

    def genotype(self, genome: Genome) -> Genotype:
        """The cells that a genome stands for."""
        space, cells = self.space, {}
        ordered = sorted(genome.genes, key=self.node)
        places = {node: list(genes) for node, genes in groupby(ordered, key=self.node)}
        for cell_type in space.cell_types:
            edges = []
            for node in space.inner:
                edges += self._into(node, places.get((cell_type, node), []), cell_type)
            cells[cell_type] = cell_of(space, edges)
        return Genotype(space.name, cells, "edgewise NEAT")

    def node(self, gene: Gene) -> tuple[str, int]:
        """The cell type and the node that a gene leads into."""
        return self.structure(gene)[0], self.ends(gene)[1]

    def _into(self, node: int, genes: list[Gene], cell_type: str) -> list[Edge]:
        space = self.space
        heard = sorted(genes, key=lambda gene: (gene.enabled, gene.innovation), reverse=True)[: space.keeps(node)]
        if not (space.derives_none and self.keeps_all(node)):
            edges = [Edge(node, self.ends(gene)[0], gene.primitive) for gene in heard]
            while len(edges) < space.keeps(node):
                edges.append(edges[-1])
            return edges
        carried = {self.ends(gene)[0]: gene.primitive for gene in heard if gene.enabled}
        sources = [space.topology.edges[edge][0] for edge in space.topology.into(node)]
        return [Edge(node, source, carried.get(source, "none")) for source in sources]
