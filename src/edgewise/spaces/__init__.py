"""What can be found: cell topology, primitives, edge lengths, genotype and its JSON. Data only, no torch."""

from edgewise.spaces.cells import Cell, Edge, cell_name, describe_cell
from edgewise.spaces.genotype import Genotype, validate
from edgewise.spaces.notation import FORMATS, name_genotype, read_genotype, write_genotype
from edgewise.spaces.published import PUBLISHED, published
from edgewise.spaces.sampling import random_genotype
from edgewise.spaces.space import AMOEBA, DARTS, NASNET, NB201, SPACES, CellSpace, space
from edgewise.spaces.topology import Direction, Topology

__all__ = [
    "AMOEBA",
    "DARTS",
    "FORMATS",
    "NASNET",
    "NB201",
    "PUBLISHED",
    "SPACES",
    "Cell",
    "CellSpace",
    "Direction",
    "Edge",
    "Genotype",
    "Topology",
    "cell_name",
    "describe_cell",
    "name_genotype",
    "published",
    "random_genotype",
    "read_genotype",
    "space",
    "validate",
    "write_genotype",
]
