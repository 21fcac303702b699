"""Relaxations: from architecture parameters to a mixture of operations."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

import torch
from torch import Tensor

from edgewise.methods.part import Part
from edgewise.methods.schedule import START, SchedulePosition
from edgewise.nn.mixture import Mixture


class Relaxation(Part):
    """From alpha to a mixture."""

    draws: ClassVar[bool] = False
    """Whether each forward pass draws its mixture by chance."""

    def strengths(self, alpha: Tensor, kept: Tensor | None = None) -> Tensor:
        """The share of each primitive, [edges, primitives], rows sum to 1: for derivation and diagnostics."""
        raise NotImplementedError

    def mixture(
        self,
        alpha: Tensor,
        kept: Tensor | None = None,
        *,
        position: SchedulePosition = START,
        generator: torch.Generator | None = None,
    ) -> Mixture:
        """The mixture of one forward pass; weights and `active` have alpha's shape.

        Args:
            alpha: [..., edges, primitives]; leading dimensions are cell types, which have nothing to do with each
                other.
            kept: bool of the same shape, the primitives that are still there; None for all.
            position: how far the search has come.
            generator: the relaxation's random stream, on the CPU, where it draws.
        """
        raise NotImplementedError


def kept_or_least(values: Tensor, kept: Tensor | None) -> Tensor:
    """The values of the primitives that are kept, and minus infinity for the others; [..., primitives]."""
    return values if kept is None else values.masked_fill(~kept, -torch.inf)


def masked_softmax(alpha: Tensor, kept: Tensor | None) -> Tensor:
    """Softmax over the primitives that are kept; the others get 0. Maps [..., edges, primitives] to the same."""
    return torch.softmax(kept_or_least(alpha, kept), dim=-1)


@dataclass(frozen=True)
class Softmax(Relaxation):
    """Every operation of an edge counts with softmax(alpha).

    Source: DARTS, equation 2.
    """

    kind: Literal["softmax"] = "softmax"

    def strengths(self, alpha: Tensor, kept: Tensor | None = None) -> Tensor:
        """See `Relaxation.strengths`."""
        return masked_softmax(alpha, kept)

    def mixture(
        self,
        alpha: Tensor,
        kept: Tensor | None = None,
        *,
        position: SchedulePosition = START,
        generator: torch.Generator | None = None,
    ) -> Mixture:
        """See `Relaxation.mixture`; all operations are evaluated, nothing is drawn."""
        return Mixture(masked_softmax(alpha, kept))
