"""A relaxation that gives weak operations exactly nothing, a penalty on alpha, and a recipe with both."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Annotated, ClassVar, Literal

import torch
from annotated_types import Ge, Gt
from torch import Tensor

from edgewise.citations import register_citations
from edgewise.methods import (
    PC_DARTS_GP,
    RECIPES,
    AlphaPenalty,
    ArchParameters,
    Combination,
    GradientEstimator,
    Parts,
    Relaxation,
    SchedulePosition,
    register_part,
)
from edgewise.nn import Mixture

register_citations(
    """% sparsemax: a softmax with zeros
@inproceedings{martins2016softmax,
  title = {From Softmax to Sparsemax: A Sparse Model of Attention and Multi-Label Classification},
  author = {Martins, Andr{\\'e} F. T. and Astudillo, Ram{\\'o}n F.},
  booktitle = {International Conference on Machine Learning},
  year = {2016}
}"""
)


def sparsemax(values: Tensor) -> Tensor:
    """The point of the simplex that is nearest to each row of [..., n]."""
    ordered = values.sort(dim=-1, descending=True).values
    counts = torch.arange(1, values.shape[-1] + 1, device=values.device, dtype=values.dtype)
    support = (1 + counts * ordered > ordered.cumsum(-1)).sum(-1, keepdim=True)
    threshold = (ordered.cumsum(-1).gather(-1, support - 1) - 1) / support
    return (values - threshold).clamp_min(0.0)


@register_part
@dataclass(frozen=True)
class Sparsemax(Relaxation):
    """Every operation counts with sparsemax(scale * alpha), many of them with exactly 0.

    Args:
        scale: how fast weak operations reach 0.

    Source: Martins and Astudillo 2016.
    """

    scale: Annotated[float, Gt(0)] = 1.0
    kind: Literal["sparsemax"] = "sparsemax"
    sources: ClassVar[tuple[str, ...]] = ("sparsemax",)

    def refusals(self, recipe: Combination) -> list[str]:
        """Its gradient is constant by pieces: there is no second derivative to look ahead with."""
        if any(part.second_order for part in recipe.parts_of(GradientEstimator)):
            return [
                "relaxation sparsemax and a second-order gradient: sparsemax is linear by pieces; take "
                "gradient.kind=first_order or relaxation.kind=softmax"
            ]
        return []

    def strengths(self, alpha: Tensor, kept: Tensor | None = None) -> Tensor:
        """See `Relaxation.strengths`."""
        return sparsemax(self.scale * (alpha if kept is None else alpha.masked_fill(~kept, -1e9)))

    def mixture(
        self,
        alpha: Tensor,
        kept: Tensor | None = None,
        *,
        position: SchedulePosition | None = None,
        generator: torch.Generator | None = None,
    ) -> Mixture:
        """See `Relaxation.mixture`; nothing is drawn."""
        return Mixture(self.strengths(alpha, kept))


@register_part
@dataclass(frozen=True)
class AlphaSpread(AlphaPenalty):
    """Adds weight * (sum of alpha squared) to the loss of alpha, more of it towards the end.

    Args:
        weight: in the last epoch.
    """

    weight: Annotated[float, Ge(0)] = 0.01
    kind: Literal["alpha_spread"] = "alpha_spread"

    def penalty(self, arch: ArchParameters, position: SchedulePosition) -> Tensor:
        """See `AlphaPenalty.penalty`."""
        share = (position.epoch + 1) / position.epochs
        return self.weight * share * sum(alpha.square().sum() for alpha in arch.alpha.values())


SPARSE_DARTS = replace(
    PC_DARTS_GP,
    name="sparse-darts",
    summary="PC-DARTS with gradient projection, sparsemax and a penalty on alpha",
    relaxation=Sparsemax(),
    parts=Parts(AlphaSpread()),
)
RECIPES.register(SPARSE_DARTS.name, SPARSE_DARTS)
