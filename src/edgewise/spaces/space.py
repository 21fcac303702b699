"""The spaces that can be searched or read: cell topology, primitives, and the rules of a valid cell."""

from __future__ import annotations

from dataclasses import dataclass
from math import comb

from edgewise.core.errors import ConfigError
from edgewise.spaces.topology import Topology


@dataclass(frozen=True)
class CellSpace:
    """A set of cells.

    Args:
        name: what genotypes and recipes call it.
        topology: every edge that a cell may use.
        primitives: the operations an edge may carry, in the order of alpha's columns.
        cell_types: the kinds of cell that are found together.
        edges_per_node: how many incoming edges a node of a derived cell keeps.
        free_concat: whether a cell may leave nodes out of its output.
        searchable: False for a space whose published cells can be read and trained, but not searched.
        summary: one line for `edgewise spaces ls`.
    """

    name: str
    topology: Topology
    primitives: tuple[str, ...]
    cell_types: tuple[str, ...] = ("normal", "reduce")
    edges_per_node: int = 2
    free_concat: bool = False
    searchable: bool = True
    summary: str = ""

    @property
    def derivable(self) -> tuple[str, ...]:
        """The primitives that a derived cell may carry: all but `none`."""
        return tuple(primitive for primitive in self.primitives if primitive != "none")

    @property
    def concat(self) -> tuple[int, ...]:
        """All inner nodes: what the output of a cell concatenates unless it says otherwise."""
        return tuple(range(self.topology.inputs, self.topology.inputs + self.topology.nodes))

    def cells(self) -> int:
        """How many different cells of one type can be derived."""
        total = 1
        for node in self.concat:
            incoming = len(self.topology.into(node))
            total *= comb(incoming, self.edges_per_node) * len(self.derivable) ** self.edges_per_node
        return total


DARTS = CellSpace(
    name="darts",
    topology=Topology.dense(inputs=2, nodes=4),
    primitives=(
        "none",
        "max_pool_3x3",
        "avg_pool_3x3",
        "skip_connect",
        "sep_conv_3x3",
        "sep_conv_5x5",
        "dil_conv_3x3",
        "dil_conv_5x5",
    ),
    summary="DARTS: 2 inputs, 4 nodes, 14 edges, 8 primitives, two cell types (Liu et al. 2019)",
)

AMOEBA = CellSpace(
    name="amoeba",
    topology=Topology.dense(inputs=2, nodes=5),
    primitives=(*DARTS.primitives, "sep_conv_7x7", "conv_7x1_1x7"),
    free_concat=True,
    searchable=False,
    summary="AmoebaNet in the operations of DARTS: 5 nodes, 10 primitives; read and trained, not searched",
)

SPACES: dict[str, CellSpace] = {space.name: space for space in (DARTS, AMOEBA)}


def space(name: str) -> CellSpace:
    """The space called `name`.

    Raises:
        ConfigError: no space has that name.
    """
    if name not in SPACES:
        raise ConfigError(f"unknown space {name!r}: choose one of {', '.join(SPACES)} (`edgewise spaces ls`)")
    return SPACES[name]
