"""Cells of derived networks: edges, what they carry, and what can be counted."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from edgewise.spaces.primitives import kind_of

NONE = "none"


@dataclass(frozen=True, order=True)
class Edge:
    """One connection of a cell: `primitive` is applied to node `source` and added to node `target`."""

    target: int
    source: int
    primitive: str


@dataclass(frozen=True)
class Cell:
    """The edges of one cell type, sorted by target and source, and the nodes that its output concatenates."""

    inputs: int
    nodes: int
    edges: tuple[Edge, ...]
    concat: tuple[int, ...]

    def __post_init__(self) -> None:
        object.__setattr__(self, "edges", tuple(sorted(self.edges)))
        object.__setattr__(self, "concat", tuple(self.concat))

    @staticmethod
    def from_pairs(pairs: Sequence[tuple[str, int]], concat: Iterable[int], inputs: int = 2) -> Cell:
        """Reads the notation of DARTS: two `(primitive, source)` pairs for each node in turn."""
        edges = [
            Edge(target=inputs + i // 2, source=source, primitive=primitive)
            for i, (primitive, source) in enumerate(pairs)
        ]
        return Cell(inputs, len(pairs) // 2, tuple(edges), tuple(concat))

    def into(self, node: int) -> tuple[Edge, ...]:
        """The edges into `node`."""
        return tuple(edge for edge in self.edges if edge.target == node)

    @property
    def skips(self) -> int:
        """How many edges carry a skip connection."""
        return sum(kind_of(edge.primitive) == "skip" for edge in self.edges)

    @property
    def pools(self) -> int:
        """How many edges carry a pool."""
        return sum(kind_of(edge.primitive) == "pool" for edge in self.edges)

    @property
    def parametrised(self) -> int:
        """How many edges carry an operation with weights."""
        return len(self.connected) - self.skips - self.pools

    @property
    def connected(self) -> tuple[Edge, ...]:
        """The edges that carry something: all but those with `none`."""
        return tuple(edge for edge in self.edges if edge.primitive != NONE)

    @property
    def depth(self) -> int:
        """The longest path from a cell input to a node, in edges; `none` connects nothing."""
        depth = dict.fromkeys(range(self.inputs), 0)
        for edge in self.connected:  # Sorted by target, so that a source is done before it is asked for.
            if edge.source in depth:
                depth[edge.target] = max(depth.get(edge.target, 0), depth[edge.source] + 1)
        return max(depth.values(), default=0)

    @property
    def width(self) -> int:
        """How many nodes hear a cell input directly; `none` connects nothing."""
        return len({edge.target for edge in self.connected if edge.source < self.inputs})

    def statistics(self) -> dict[str, int]:
        """Skips, pools, parametrised operations, depth and width, as the report prints them."""
        return {
            "skips": self.skips,
            "pools": self.pools,
            "parametrised": self.parametrised,
            "depth": self.depth,
            "width": self.width,
        }


def cell_name(cell_type: str) -> str:
    """What people call a cell type: normal cell, reduction cell, or cell where there is only one."""
    return {"reduce": "reduction cell", "cell": "cell"}.get(cell_type, f"{cell_type} cell")


def describe_cell(statistics: Mapping[str, int]) -> str:
    """Skips, pools, parametrised operations and depth of `Cell.statistics`, in words."""
    return (
        f"{statistics['skips']} skip, {statistics['pools']} pool, {statistics['parametrised']} parametrised, "
        f"depth {statistics['depth']}"
    )
