"""GDAS: one operation an edge is drawn and evaluated, with a straight-through gradient."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal

import torch
from annotated_types import Gt
from torch import Tensor

from edgewise.errors import NonFiniteError
from edgewise.methods.gradient import GradientEstimator
from edgewise.methods.part import Combination
from edgewise.methods.relaxation import Relaxation, kept_or_least, masked_softmax
from edgewise.methods.roles import MixturePerturbation
from edgewise.methods.schedule import START, SchedulePosition
from edgewise.nn.mixture import Mixture
from edgewise.runtime.transfer import to_device


@dataclass(frozen=True)
class GumbelHard(Relaxation):
    """A one-hot choice for each edge, drawn by softmax((log softmax(alpha) + Gumbel noise) / tau).

    Forward, an edge is its drawn operation; backward, the gradient is that of the soft probabilities
    (straight-through). Operations that were not drawn are not evaluated. tau falls on a line from `tau_max` in the
    first epoch to `tau_min` in the last.

    Deviations from the authors' code: they also add the (zero) weights of the operations that were not drawn to
    the edge's output, so that these get the summed gradient of a feature map of ones; here they get the softmax's
    gradient alone, as in the paper's equations 6 and 7. A non-finite alpha is an error, not an endless redraw.

    Args:
        tau_max: temperature at the start.
        tau_min: temperature at the end.

    Source: GDAS, §3.2; tau of the authors' code (10 to 0.1).
    """

    tau_max: Annotated[float, Gt(0)] = 10.0
    tau_min: Annotated[float, Gt(0)] = 0.1
    kind: Literal["gumbel_hard"] = "gumbel_hard"
    draws: ClassVar[bool] = True
    sources: ClassVar[tuple[str, ...]] = ("gdas",)

    def refusals(self, recipe: Combination) -> list[str]:
        """A sample has no second derivative and no neighbourhood."""
        faults = []
        if any(part.second_order for part in recipe.parts_of(GradientEstimator)):
            faults.append(
                "relaxation gumbel_hard and a second-order gradient: a straight-through sample has no second "
                "derivative; take relaxation.kind=softmax or gradient.kind=first_order"
            )
        if recipe.parts_of(MixturePerturbation):
            faults.append(
                "relaxation gumbel_hard and perturbation: the box around a one-hot sample is no neighbourhood of "
                "alpha's mixture; drop perturbation (perturbation=none) or take relaxation.kind=softmax"
            )
        return faults

    def tau(self, position: SchedulePosition) -> float:
        """The temperature of an epoch."""
        share = position.epoch / max(1, position.epochs - 1)
        return self.tau_max - (self.tau_max - self.tau_min) * share

    def strengths(self, alpha: Tensor, kept: Tensor | None = None) -> Tensor:
        """The probability with which each primitive is drawn; see `Relaxation.strengths`."""
        return masked_softmax(alpha, kept)

    def mixture(
        self,
        alpha: Tensor,
        kept: Tensor | None = None,
        *,
        position: SchedulePosition = START,
        generator: torch.Generator | None = None,
    ) -> Mixture:
        """See `Relaxation.mixture`; draws one primitive for each edge.

        What was drawn decides what is evaluated, so the host waits for it: once a call, however many cell types
        there are.

        Raises:
            NonFiniteError: alpha holds an infinite number or NaN.
        """
        uniform = torch.rand(alpha.shape, generator=generator, dtype=torch.float64).clamp_min(1e-300)
        gumbel = -(-uniform.log()).log()
        logits = kept_or_least(alpha, kept).log_softmax(-1) + to_device(gumbel, alpha.device, alpha.dtype)
        soft = (logits / self.tau(position)).softmax(-1)
        expected = soft.detach()
        hard = torch.zeros_like(expected).scatter_(-1, expected.argmax(-1, keepdim=True), 1.0)
        # A non-finite alpha draws nothing: that comes along with what is read anyway.
        active = (hard.bool() & alpha.detach().isfinite().all()).cpu()
        if not active.any():
            raise NonFiniteError("alpha is not finite, no operation can be drawn: lower arch.lr")
        return Mixture(hard - expected + soft, active)
