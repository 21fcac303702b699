"""The mixture: how much each primitive of each edge counts, as an argument of the supernet."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor


@dataclass(frozen=True)
class Mixture:
    """The relaxed choice of an operation for every edge of one cell type.

    Args:
        weights: [edges, primitives], the factor of each operation's output; differentiable in alpha.
        active: [edges, primitives] bool on the CPU, the operations to evaluate, or None for all of them.
    """

    weights: Tensor
    active: Tensor | None = None
