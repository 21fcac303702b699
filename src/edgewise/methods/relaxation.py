"""Relaxations: from architecture parameters to a mixture of operations."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from edgewise.nn.mixture import Mixture


@dataclass(frozen=True)
class Softmax:
    """Every operation of an edge counts with softmax(alpha).

    Source: DARTS, equation 2.
    """

    kind: Literal["softmax"] = "softmax"

    def strengths(self, alpha: Tensor) -> Tensor:
        """The share of each primitive, [edges, primitives], rows sum to 1."""
        return torch.softmax(alpha, dim=-1)

    def mixture(self, alpha: Tensor) -> Mixture:
        """The mixture of [edges, primitives] architecture parameters; all operations are evaluated."""
        return Mixture(self.strengths(alpha))
