"""NEAT's mutations: another primitive, another edge, a node in between, a gene switched on or off."""

from __future__ import annotations

import random
from dataclasses import replace

from edgewise.strategies.neat_genome import Body, Gene, Genome
from edgewise.strategies.neat_settings import NeatConstants


def mutate(genome: Genome, body: Body, settings: NeatConstants, rng: random.Random) -> Genome:
    """A genome with the mutations that chance picks, each with its own probability.

    Source: Stanley and Miikkulainen 2002, §3.1.
    """
    for probability, mutation in (
        (settings.add_node, add_node),
        (settings.add_edge, add_edge),
        (settings.toggle, toggle),
        (settings.primitive, change_primitive),
    ):
        if rng.random() < probability:
            genome = mutation(genome, body, rng)
    return genome


def change_primitive(genome: Genome, body: Body, rng: random.Random) -> Genome:
    """One enabled gene carries another primitive."""
    open_genes = [gene for gene in genome.genes if gene.enabled and len(body.primitives(body.structure(gene))) > 1]
    if not open_genes:
        return genome
    gene = rng.choice(open_genes)
    others = [name for name in body.primitives(body.structure(gene)) if name != gene.primitive]
    return _with(genome, replace(gene, primitive=rng.choice(others)))


def add_edge(genome: Genome, body: Body, rng: random.Random) -> Genome:
    """An edge that the genome does not have, with a random primitive."""
    here = {body.structure(gene) for gene in genome.genes}
    absent = [
        (cell_type, edge)
        for cell_type in body.space.cell_types
        for edge in range(len(body.space.topology.edges))
        if (cell_type, edge) not in here
    ]
    if not absent:
        return genome
    structure = rng.choice(absent)
    gene = Gene(body.innovations.number(structure), rng.choice(body.primitives(structure)))
    return _heard(genome, gene, body, rng)


def add_node(genome: Genome, body: Body, rng: random.Random) -> Genome:
    """Leads an enabled edge through a node in between: its primitive goes behind that node, a skip before it.

    The edge is disabled. The way to the node in between is new unless the genome has it; the way from it carries
    the edge's primitive, so that what the target hears changes as little as can be.
    """
    topology = body.space.topology
    ways = []
    for gene in genome.genes:
        source, target = body.ends(gene)
        middles = [n for n in body.space.inner if (source, n) in topology.edges and (n, target) in topology.edges]
        ways += [(gene, middle) for middle in middles if gene.enabled]
    if not ways:
        return genome
    gene, middle = rng.choice(ways)
    source, target = body.ends(gene)
    cell_type = body.structure(gene)[0]
    before = (cell_type, topology.edges.index((source, middle)))
    behind = (cell_type, topology.edges.index((middle, target)))
    genome = _with(genome, replace(gene, enabled=False))
    entry = genome.by_innovation().get(body.innovations.number(before))
    if entry is None:
        allowed = body.primitives(before)
        primitive = "skip_connect" if "skip_connect" in allowed else rng.choice(allowed)
        entry = Gene(body.innovations.number(before), primitive)
    allowed = body.primitives(behind)
    primitive = gene.primitive if gene.primitive in allowed else rng.choice(allowed)
    genome = _heard(genome, replace(entry, enabled=True), body, rng)
    return _heard(genome, Gene(body.innovations.number(behind), primitive), body, rng)


def toggle(genome: Genome, body: Body, rng: random.Random) -> Genome:
    """Switches one gene on or off."""
    if not genome.genes:
        return genome
    gene = rng.choice(genome.genes)
    if gene.enabled:
        return _with(genome, replace(gene, enabled=False))
    return _heard(genome, replace(gene, enabled=True), body, rng)


def _with(genome: Genome, gene: Gene) -> Genome:
    return Genome.of({**genome.by_innovation(), gene.innovation: gene}.values())


def _heard(genome: Genome, gene: Gene, body: Body, rng: random.Random) -> Genome:
    """Puts an enabled gene in; where its node then hears more than it keeps, another gene is disabled."""
    genome = _with(genome, gene)
    node = body.node(gene)
    rivals = [g for g in genome.genes if g.enabled and g != gene and body.node(g) == node]
    if len(rivals) >= body.space.keeps(node[1]):
        genome = _with(genome, replace(rng.choice(rivals), enabled=False))
    return genome
