"""How much the gradients of a cell's edges conflict: rates and cosines for each group of edges."""

from __future__ import annotations

import torch
from torch import Tensor

from edgewise.spaces.topology import Direction, Topology

# A cosine counts as a conflict below this: a projected float32 row is orthogonal only up to rounding.
CONFLICT_COSINE = -1e-6


class ConflictMeter:
    """Measures the conflicts between the edges that share a node.

    Args:
        topology: the cell's edges.
        direction: see `Projection`.
        device: where the gradients lie.
    """

    def __init__(self, topology: Topology, direction: Direction, device: torch.device | None = None) -> None:
        self.direction: Direction = direction
        self.groups = topology.groups(direction)
        edges = len(topology.edges)
        pairs = torch.zeros(len(self.groups), edges, edges, dtype=torch.bool)
        for g, (_, group) in enumerate(self.groups):
            for i, e in enumerate(group):
                pairs[g, e, list(group[i + 1 :])] = True
        self._pairs = pairs.to(device).flatten(1).double()
        self._count = self._pairs.sum(1)

    def __call__(self, rows: Tensor) -> Tensor:
        """Measures gradients without moving them off their device.

        Args:
            rows: [cell types, edges, primitives].

        Returns:
            [cell types, groups, 2], float64: the share of pairs in conflict, and the mean cosine. A zero row has
            cosine 0 with everything.
        """
        cosines = self.cosines(rows).flatten(1)
        rate = (cosines < CONFLICT_COSINE).double() @ self._pairs.T / self._count
        return torch.stack([rate, cosines @ self._pairs.T / self._count], dim=-1)

    def cosines(self, rows: Tensor) -> Tensor:
        """The cosine of every edge's gradient with every other's.

        Args:
            rows: [cell types, edges, primitives].

        Returns:
            [cell types, edges, edges], float64; a zero row has cosine 0 with everything, itself included.
        """
        exact = rows.double()
        norms = exact.norm(dim=-1, keepdim=True)
        unit = torch.where(norms > 0, exact / norms, torch.zeros_like(exact))
        return unit @ unit.transpose(-1, -2)
