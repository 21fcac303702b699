"""The spaces that can be searched or read: cell topology, primitives, and the rules of a valid cell."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import combinations
from math import comb, prod
from typing import Literal

from edgewise.registry import Registry
from edgewise.spaces.topology import Topology


@dataclass(frozen=True)
class CellSpace:
    """A set of cells.

    Args:
        name: what genotypes and recipes call it.
        topology: every edge that a cell may use.
        primitives: the operations an edge may carry, in the order of alpha's columns.
        cell_types: the kinds of cell that are found together.
        edges_per_node: how many incoming edges a node of a derived cell keeps; None for all.
        free_concat: whether a cell may leave nodes out of its output.
        repeats: whether a node may hear the same source twice.
        derives_none: whether a derived cell may carry `none`.
        output: "concat" of all inner nodes, or the "last" node alone.
        skeleton: the network around the cells: "darts" (normal and reduction cells), "nb201" (three stages of one
            cell, residual blocks between), or another name of `edgewise.nn.SKELETONS`.
        searchable: False for a space whose published cells can be read and trained, but not searched.
        allowed: per cell type, the primitives of each edge, where edges differ; None where each may carry all.
        summary: one line for `edgewise spaces ls`.
        sources: citation keys of what the space comes from.
    """

    name: str
    topology: Topology
    primitives: tuple[str, ...]
    cell_types: tuple[str, ...] = ("normal", "reduce")
    edges_per_node: int | None = 2
    free_concat: bool = False
    repeats: bool = False
    derives_none: bool = False
    output: Literal["concat", "last"] = "concat"
    skeleton: str = "darts"
    searchable: bool = True
    allowed: Mapping[str, tuple[tuple[str, ...], ...]] | None = field(default=None, hash=False)
    summary: str = ""
    sources: tuple[str, ...] = ()

    @property
    def derivable(self) -> tuple[str, ...]:
        """The primitives that a derived cell may carry: all, or all but `none`."""
        return tuple(primitive for primitive in self.primitives if self.derives_none or primitive != "none")

    @property
    def inner(self) -> tuple[int, ...]:
        """All inner nodes."""
        return tuple(range(self.topology.inputs, self.topology.inputs + self.topology.nodes))

    @property
    def concat(self) -> tuple[int, ...]:
        """The nodes that make up the output of a cell unless it says otherwise."""
        return self.inner if self.output == "concat" else self.inner[-1:]

    def keeps(self, node: int) -> int:
        """How many incoming edges a node of a derived cell keeps."""
        into = len(self.topology.into(node))
        return into if self.edges_per_node is None else self.edges_per_node

    def on_edge(self, cell_type: str, edge: int) -> tuple[str, ...]:
        """The primitives that an edge may carry, in the order of alpha's columns."""
        return self.primitives if self.allowed is None else self.allowed[cell_type][edge]

    def derivable_on(self, cell_type: str, edge: int) -> tuple[str, ...]:
        """The primitives that an edge of a derived cell may carry."""
        own = self.on_edge(cell_type, edge)
        return tuple(primitive for primitive in own if self.derives_none or primitive != "none")

    def cells(self, cell_type: str | None = None) -> int:
        """How many different cells of a type (the first one unless named) can be derived."""
        name = cell_type or self.cell_types[0]
        total = 1
        for node in self.inner:
            choices = [len(self.derivable_on(name, edge)) for edge in self.topology.into(node)]
            if self.repeats:
                # Unordered picks of (source, primitive) pairs, the same pair twice included.
                total *= comb(sum(choices) + self.keeps(node) - 1, self.keeps(node))
            else:
                total *= sum(prod(kept) for kept in combinations(choices, self.keeps(node)))
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
    repeats=True,
    searchable=False,
    summary="AmoebaNet in the operations of DARTS: 5 nodes, 10 primitives; read and trained, not searched",
)


NASNET = CellSpace(
    name="nasnet",
    topology=Topology.dense(inputs=2, nodes=5),
    primitives=(
        "skip_connect",
        "conv_1x3_3x1",
        "conv_1x7_7x1",
        "dil_conv_3x3",
        "avg_pool_3x3",
        "max_pool_3x3",
        "max_pool_5x5",
        "max_pool_7x7",
        "conv_1x1",
        "conv_3x3",
        "sep_conv_3x3",
        "sep_conv_5x5",
        "sep_conv_7x7",
    ),
    free_concat=True,
    repeats=True,
    summary="NASNet: 2 inputs, 5 blocks of two inputs and two operations, 13 primitives (Zoph et al. 2018)",
    sources=("nasnet",),
)
# Source: Zoph et al. 2018, §3 (the list of operations); thesis, appendix A. A block is a node of two edges.


def _robust(name: str, primitives: tuple[str, ...], summary: str) -> CellSpace:
    return CellSpace(name, DARTS.topology, primitives, summary=summary, sources=("robust-darts",))


def _pairs(text: str) -> tuple[tuple[str, ...], ...]:
    """Two primitives for each edge, written as short names: `skip+dil3 max+avg`."""
    long = {
        "skip": "skip_connect",
        "sep3": "sep_conv_3x3",
        "dil3": "dil_conv_3x3",
        "dil5": "dil_conv_5x5",
        "max": "max_pool_3x3",
        "avg": "avg_pool_3x3",
    }
    return tuple(tuple(long[part] for part in pair.split("+")) for pair in text.split())


S1 = CellSpace(
    name="s1",
    topology=DARTS.topology,
    primitives=(
        "max_pool_3x3",
        "avg_pool_3x3",
        "skip_connect",
        "sep_conv_3x3",
        "dil_conv_3x3",
        "dil_conv_5x5",
    ),
    allowed={
        "normal": _pairs(
            "skip+dil3 skip+dil5 skip+dil5 skip+sep3 skip+dil3 max+skip skip+sep3 "
            "skip+sep3 skip+dil3 skip+sep3 max+skip skip+dil3 dil3+dil5 dil3+dil5"
        ),
        "reduce": _pairs(
            "max+avg max+dil3 max+avg max+avg skip+dil5 max+avg max+sep3 "
            "skip+dil3 skip+dil5 max+avg max+avg skip+dil5 skip+dil5 skip+dil5"
        ),
    },
    summary="S1 of RobustDARTS: two primitives an edge, each edge its own (Zela et al. 2020)",
    sources=("robust-darts",),
)
S2 = _robust("s2", ("skip_connect", "sep_conv_3x3"), "S2 of RobustDARTS: skip and 3x3 separable convolution")
S3 = _robust("s3", ("none", "skip_connect", "sep_conv_3x3"), "S3 of RobustDARTS: as S2, and none")
S4 = _robust("s4", ("noise", "sep_conv_3x3"), "S4 of RobustDARTS: noise and 3x3 separable convolution")
# Source of S1-S4: Zela et al. 2020, §4.1, and spaces.py of the authors' code (the pairs of S1).
ROBUST = (S1, S2, S3, S4)

NB201 = CellSpace(
    name="nb201",
    topology=Topology.dense(inputs=1, nodes=3),
    primitives=("none", "skip_connect", "nor_conv_1x1", "nor_conv_3x3", "avg_pool_3x3"),
    cell_types=("cell",),
    edges_per_node=None,
    derives_none=True,
    output="last",
    skeleton="nb201",
    summary="NAS-Bench-201: 4 nodes, 6 edges, 5 primitives, one cell (Dong and Yang 2020)",
    sources=("nas-bench-201",),
)

SPACES: Registry[CellSpace] = Registry("space", hint=" (`edgewise spaces ls`)")

for _space in (DARTS, AMOEBA, *ROBUST, NB201, NASNET):
    SPACES.register(_space.name, _space)


def space(name: str) -> CellSpace:
    """The space called `name`.

    Raises:
        ConfigError: no space has that name.
    """
    return SPACES.find(name)
