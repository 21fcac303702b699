"""Gradient projection: conflicting gradients of a cell's edges are projected on each other's normal plane."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

import torch
from torch import Tensor

from edgewise.methods.roles import AlphaGradientChange
from edgewise.runtime.transfer import to_device
from edgewise.spaces.topology import Direction, Topology

Order = Literal["random", "shortest_to_longest", "longest_to_shortest", "symmetric"]


@dataclass(frozen=True)
class Projection(AlphaGradientChange):
    """Which edges are compared, and which one of a conflicting pair is projected.

    Args:
        direction: "in": the edges into a node are compared with each other; "out": the edges out of a node.
        order: "shortest_to_longest": the shorter edge of a conflicting pair is projected on the longer one's
            normal plane; "longest_to_shortest": the longer one; "random": a fair coin for each pair and step;
            "symmetric": both (PCGrad without its sum). Edges of equal length: the coin.

    Source: thesis §2.4.5, §2.4.6, §3.3; "symmetric": Yu et al. 2020, algorithm 1.
    """

    direction: Direction = "in"
    order: Order = "random"
    kind: Literal["projection"] = "projection"
    sources: ClassVar[tuple[str, ...]] = ("thesis", "gradient-surgery")
    stream: ClassVar[str] = "projection"

    def on(self, topology: Topology, device: torch.device | None = None) -> Projector:
        """The projection for the edges of one topology."""
        return Projector(self, topology, device)


class Projector:
    """Projects the alpha gradients of a cell, all edges and cell types at once.

    An edge meets its partners one after the other in a random order. It is always projected against a partner's
    original gradient, so edges do not wait for each other; the conflict (a negative inner product) is tested with
    the edge's current value. Inner products are taken in float64. Rows that are not projected keep their bits.
    Every call draws the same amount of random numbers, whatever the gradients.

    Args:
        projection: the settings.
        topology: the cell's edges.
        device: where the gradients lie.
    """

    def __init__(self, projection: Projection, topology: Topology, device: torch.device | None = None) -> None:
        self.projection = projection
        edges = len(topology.edges)
        together = torch.zeros(edges, edges, dtype=torch.bool)
        groups = [list(group) for _, group in topology.groups(projection.direction)]
        for group in groups:
            for e in group:
                together[e, group] = True
        together.fill_diagonal_(fill_value=False)
        lengths = torch.tensor(topology.lengths)
        self._together = together
        self._rounds = max((len(group) for group in groups), default=1) - 1
        self._by_length, self._tie = _precedence(projection.order, lengths)
        self._device = device or torch.device("cpu")

    def __call__(self, rows: Tensor, generator: torch.Generator) -> Tensor:
        """Projects gradients.

        Args:
            rows: [..., edges, primitives]; leading dimensions are cell types, each projected on its own.
            generator: the projection's random stream, on the CPU.

        Returns:
            The projected gradients, same shape and type.
        """
        shape = rows.shape
        original = rows.reshape(-1, *shape[-2:]).double()
        partners, allowed = self._draw(original.shape[0], generator)
        squares = (original * original).sum(-1)
        current = original
        projected = torch.zeros(original.shape[:2], dtype=torch.bool, device=rows.device)
        for turn in range(self._rounds):
            index = partners[:, :, turn]
            partner = original.gather(1, index.unsqueeze(-1).expand(-1, -1, shape[-1]))
            inner = (current * partner).sum(-1)
            hit = allowed[:, :, turn] & (inner < 0)
            scale = inner / squares.gather(1, index)
            current = torch.where(hit.unsqueeze(-1), current - scale.unsqueeze(-1) * partner, current)
            projected |= hit
        result = torch.where(projected.unsqueeze(-1), current.to(rows.dtype), rows.reshape(original.shape))
        return result.reshape(shape)

    def _draw(self, cells: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """Draws for each edge the order of its partners and whether it may be projected on each.

        Returns:
            partner indices and permissions, [cells, edges, rounds] each.
        """
        edges = self._together.shape[0]
        draws = torch.rand(2, cells, edges, edges, generator=generator)
        heads = draws[0] < 0.5
        coin = heads.triu(1) | (~heads).transpose(-1, -2).tril(-1)
        may = self._together & (self._by_length | (self._tie & coin))
        keys = draws[1].masked_fill(~self._together, 2.0)
        partners = keys.argsort(dim=-1)[:, :, : self._rounds]
        allowed = may.gather(-1, partners)
        return to_device(partners, self._device), to_device(allowed, self._device)


def _precedence(order: Order, lengths: Tensor) -> tuple[Tensor, Tensor]:
    """Who of a pair (row, column) is projected: decided by length, and where the coin decides; [edges, edges]."""
    row, column = lengths.unsqueeze(1), lengths.unsqueeze(0)
    always = torch.ones(len(lengths), len(lengths), dtype=torch.bool)
    if order == "symmetric":
        return always, ~always
    if order == "random":
        return ~always, always
    return (row < column if order == "shortest_to_longest" else row > column), row == column
