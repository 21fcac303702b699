"""Relaxations: from architecture parameters to a mixture of operations."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal, Protocol

import torch
from torch import Tensor

from edgewise.methods.schedule import START, SchedulePosition
from edgewise.nn.mixture import Mixture


class Relaxation(Protocol):
    """From alpha to a mixture."""

    def strengths(self, alpha: Tensor, kept: Tensor | None = None) -> Tensor:
        """The share of each primitive, [edges, primitives], rows sum to 1: for derivation and diagnostics."""
        ...

    def mixture(
        self,
        alpha: Tensor,
        kept: Tensor | None = None,
        *,
        moment: SchedulePosition = START,
        generator: torch.Generator | None = None,
    ) -> Mixture:
        """The mixture of one forward pass; weights and `active` have alpha's shape.

        Args:
            alpha: [..., edges, primitives]; leading dimensions are cell types, which have nothing to do with each
                other.
            kept: bool of the same shape, the primitives that are still there; None for all.
            moment: how far the search has come.
            generator: the relaxation's random stream, on the CPU, where it draws.
        """
        ...


def masked_softmax(alpha: Tensor, kept: Tensor | None) -> Tensor:
    """Softmax over the primitives that are kept; the others get 0. Maps [..., edges, primitives] to the same."""
    return torch.softmax(alpha if kept is None else alpha.masked_fill(~kept, -torch.inf), dim=-1)


@dataclass(frozen=True)
class Softmax:
    """Every operation of an edge counts with softmax(alpha).

    Source: DARTS, equation 2.
    """

    kind: Literal["softmax"] = "softmax"
    draws: ClassVar[bool] = False

    def strengths(self, alpha: Tensor, kept: Tensor | None = None) -> Tensor:
        """See `Relaxation.strengths`."""
        return masked_softmax(alpha, kept)

    def mixture(
        self,
        alpha: Tensor,
        kept: Tensor | None = None,
        *,
        moment: SchedulePosition = START,
        generator: torch.Generator | None = None,
    ) -> Mixture:
        """See `Relaxation.mixture`; all operations are evaluated, nothing is drawn."""
        return Mixture(masked_softmax(alpha, kept))
