"""A cell drawn uniformly from a space: the baseline that every search has to beat."""

from __future__ import annotations

import random

from edgewise.spaces.cells import Cell, Edge
from edgewise.spaces.genotype import Genotype
from edgewise.spaces.space import CellSpace


def random_genotype(space: CellSpace, rng: random.Random) -> Genotype:
    """Draws every cell type uniformly: sources without repeats, and a primitive for each."""
    cells = {}
    for cell_type in space.cell_types:
        edges = []
        for node in space.inner:
            for index in sorted(rng.sample(space.topology.into(node), space.keeps(node))):
                source = space.topology.edges[index][0]
                edges.append(Edge(node, source, rng.choice(space.derivable_on(cell_type, index))))
        cells[cell_type] = Cell(space.topology.inputs, space.topology.nodes, tuple(edges), space.concat)
    return Genotype(space.name, cells, "drawn at random")
