"""Random genotypes and topologies for property tests."""

from __future__ import annotations

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

from edgewise.spaces import AMOEBA, DARTS, NASNET, NB201, Cell, CellSpace, Edge, Genotype, Topology

steady = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
"""A property test that does not depend on how busy the machine is."""


@st.composite
def topologies(draw: st.DrawFn) -> Topology:
    """Cells in which every inner node hears at least one earlier node."""
    inputs, nodes = draw(st.integers(1, 3)), draw(st.integers(1, 5))
    edges = []
    for target in range(inputs, inputs + nodes):
        sources = draw(st.sets(st.integers(0, target - 1), min_size=1, max_size=4))
        edges += [(source, target) for source in sources]
    return Topology(inputs, nodes, tuple(draw(st.permutations(edges))))


@st.composite
def cells(draw: st.DrawFn, space: CellSpace) -> Cell:
    """Valid cells of a space."""
    edges = []
    for node in space.inner:
        sources, count = st.integers(0, node - 1), space.keeps(node)
        kept = draw(st.lists(sources, min_size=count, max_size=count, unique=not space.repeats))
        edges += [Edge(node, source, draw(st.sampled_from(space.derivable))) for source in kept]
    concat = space.concat
    if space.free_concat:
        concat = tuple(draw(st.lists(st.sampled_from(space.concat), min_size=1, unique=True)))
    shuffled = draw(st.permutations(edges))
    return Cell(space.topology.inputs, space.topology.nodes, tuple(shuffled), concat)


@st.composite
def genotypes(draw: st.DrawFn) -> Genotype:
    """Valid genotypes of every built-in topology, with any text as their source."""
    space = draw(st.sampled_from([DARTS, AMOEBA, NB201, NASNET]))
    both = {name: draw(cells(space)) for name in space.cell_types}
    return Genotype(space.name, both, draw(st.none() | st.text()))
