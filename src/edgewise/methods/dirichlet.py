"""DrNAS: the mixture of an edge is drawn from a Dirichlet distribution that alpha parametrises."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import torch
from torch import Tensor

from edgewise.errors import NonFiniteError
from edgewise.methods.part import Combination
from edgewise.methods.relaxation import Relaxation, masked_softmax
from edgewise.methods.schedule import START, SchedulePosition
from edgewise.methods.second_order import FiniteDifference
from edgewise.nn.mixture import Mixture
from edgewise.runtime.transfer import to_device

LEAST = -6.0
"""Below it alpha counts as this: where all concentrations of an edge are smaller, samples underflow to 0 / 0."""


@dataclass(frozen=True)
class DirichletMixture(Relaxation):
    """The mixture of each edge is one sample of Dirichlet(elu(alpha) + 1), drawn anew for each forward pass.

    alpha learns through the sample (pathwise gradient). Where an edge has dropped primitives, their entries are 0
    and the others are scaled to sum to 1, which is a sample of the Dirichlet distribution of the others. Cells are
    derived by softmax(alpha).

    Source: DrNAS §2.2; model_search.py of the authors' code.
    """

    kind: Literal["dirichlet"] = "dirichlet"
    draws: ClassVar[bool] = True
    sources: ClassVar[tuple[str, ...]] = ("drnas",)

    def refusals(self, recipe: Combination) -> list[str]:
        """A difference needs the same function on both sides."""
        if not recipe.parts_of(FiniteDifference):
            return []
        return [
            "relaxation dirichlet and gradient finite_difference: the difference of two losses under different "
            "samples is no derivative; take gradient.kind=exact or relaxation.kind=softmax"
        ]

    def strengths(self, alpha: Tensor, kept: Tensor | None = None) -> Tensor:
        """softmax(alpha); see `Relaxation.strengths`."""
        return masked_softmax(alpha, kept)

    def mixture(
        self,
        alpha: Tensor,
        kept: Tensor | None = None,
        *,
        position: SchedulePosition = START,
        generator: torch.Generator | None = None,
    ) -> Mixture:
        """See `Relaxation.mixture`; all operations are evaluated.

        Drawn on the CPU in float64, the same for every device: the host waits for alpha, once a call.

        Raises:
            NonFiniteError: alpha holds an infinite number or NaN.
        """
        del position
        drawn = _DirichletSample.apply(alpha, generator)
        if kept is not None:
            drawn = drawn * kept
            drawn = drawn / drawn.sum(-1, keepdim=True)
        return Mixture(drawn)


class _DirichletSample(torch.autograd.Function):
    """A sample of Dirichlet(elu(alpha) + 1), and its pathwise gradient.

    Source: `torch.distributions.Dirichlet`, which draws from the global stream and on alpha's device.
    """

    @staticmethod
    def forward(ctx: Any, alpha: Tensor, generator: torch.Generator | None) -> Tensor:
        """Draws; keeps the factor of the gradient, so that the way back needs the device alone."""
        wide = alpha.detach().cpu().double()
        if not wide.isfinite().all():
            raise NonFiniteError("alpha is not finite, no mixture can be drawn: lower arch.lr")
        slope = wide.clamp(LEAST, 0).exp()
        concentration = torch.where(wide > 0, wide + 1, slope)
        drawn = torch.ops.aten._sample_dirichlet(concentration, generator)
        total = concentration.sum(-1, keepdim=True).expand_as(concentration)
        # The slope of elu is 1 above 0, and exp(alpha) below.
        factor = torch.ops.aten._dirichlet_grad(drawn, concentration, total) * slope
        sample, factor = (to_device(value, alpha.device, alpha.dtype) for value in (drawn, factor))
        ctx.save_for_backward(sample, factor)
        return sample

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, None]:  # type: ignore[override]
        """The gradient of alpha."""
        sample, factor = ctx.saved_tensors
        (grad,) = grads
        return factor * (grad - (sample * grad).sum(-1, keepdim=True)), None
