"""The wiring of a cell: which edges there are, how long they are, and which of them share a node."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Literal

from edgewise.errors import ConfigError

Direction = Literal["in", "out"]


@dataclass(frozen=True)
class Topology:
    """A directed acyclic graph of cell inputs and inner nodes.

    Nodes are numbered: the cell's inputs first (0 .. inputs - 1), then the inner nodes.

    Args:
        inputs: how many inputs the cell has.
        nodes: how many inner nodes it has.
        edges: `(source, target)` pairs, source < target, no pair twice.
    """

    inputs: int
    nodes: int
    edges: tuple[tuple[int, int], ...]

    def __post_init__(self) -> None:
        for source, target in self.edges:
            if not (0 <= source < target and self.inputs <= target < self.inputs + self.nodes):
                raise ConfigError(
                    f"edge ({source}, {target}) does not fit a cell of {self.inputs} inputs and {self.nodes} "
                    f"nodes: a source comes before its target and a target is a node from {self.inputs} to "
                    f"{self.inputs + self.nodes - 1}"
                )
        if len(set(self.edges)) != len(self.edges):
            raise ConfigError(f"an edge stands twice in {self.edges}: give each (source, target) once")

    @staticmethod
    def dense(inputs: int, nodes: int) -> Topology:
        """Every node hears every earlier one: edges ordered by target, then by source."""
        return Topology(
            inputs,
            nodes,
            tuple((source, target) for target in range(inputs, inputs + nodes) for source in range(target)),
        )

    def into(self, node: int) -> tuple[int, ...]:
        """Indices of the edges into `node`, in edge order."""
        return tuple(i for i, (_, target) in enumerate(self.edges) if target == node)

    def out_of(self, node: int) -> tuple[int, ...]:
        """Indices of the edges out of `node`, in edge order."""
        return tuple(i for i, (source, _) in enumerate(self.edges) if source == node)

    @cached_property
    def depths(self) -> tuple[int, ...]:
        """Per node, the longest path from a cell input to it, in edges; 0 for a cell input."""
        depth = [0] * (self.inputs + self.nodes)
        for source, target in sorted(self.edges, key=lambda edge: edge[1]):
            depth[target] = max(depth[target], depth[source] + 1)
        return tuple(depth)

    @cached_property
    def heights(self) -> tuple[int, ...]:
        """Per node, the longest path from it to a node without outgoing edges, in edges."""
        height = [0] * (self.inputs + self.nodes)
        for source, target in sorted(self.edges, key=lambda edge: edge[0], reverse=True):
            height[source] = max(height[source], height[target] + 1)
        return tuple(height)

    @cached_property
    def lengths(self) -> tuple[int, ...]:
        """Per edge, the longest path through it from a cell input to the last node, in edges.

        Source: thesis §3.3, Fig. 3.2.
        """
        return tuple(self.depths[source] + 1 + self.heights[target] for source, target in self.edges)

    def groups(self, direction: Direction) -> tuple[tuple[int, tuple[int, ...]], ...]:
        """The edges that share a node, as `(node, edge indices)`; a group of one edge is left out.

        Args:
            direction: "in": the edges into each node; "out": those out of each node, cell inputs too.
        """
        members = self.into if direction == "in" else self.out_of
        candidates = ((node, members(node)) for node in range(self.inputs + self.nodes))
        return tuple((node, group) for node, group in candidates if len(group) > 1)
