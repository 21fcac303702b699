"""Architecture gradients: how the loss on the arch batch is differentiated."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from edgewise.methods.arch import ArchParameters

Differentiate = Callable[[Tensor, Sequence[Tensor]], Sequence[Tensor]]


@dataclass(frozen=True)
class ArchGradient:
    """The gradient of one arch step.

    Args:
        alpha: [edges, primitives] for each cell type.
        beta: [edges] for each cell type; empty without edge weights.
    """

    alpha: dict[str, Tensor]
    beta: dict[str, Tensor]

    def zeroed(self) -> ArchGradient:
        """Zeros in the place of a gradient that overflowed under a loss scaler and is not used."""
        return ArchGradient(
            {name: torch.zeros_like(value) for name, value in self.alpha.items()},
            {name: torch.zeros_like(value) for name, value in self.beta.items()},
        )


@dataclass(frozen=True)
class FirstOrder:
    """The weights are taken as they are (xi = 0): d L_arch(w, alpha) / d alpha.

    autograd is asked for alpha and beta alone, so the weights' gradients are neither computed nor touched.

    Source: DARTS, §2.3, first-order approximation.
    """

    kind: Literal["first_order"] = "first_order"

    def gradient(self, loss: Tensor, arch: ArchParameters, differentiate: Differentiate) -> ArchGradient:
        """Differentiates the loss of the arch batch.

        Args:
            loss: a scalar with a graph that reaches alpha and beta.
            arch: the architecture parameters.
            differentiate: as `torch.autograd.grad`, for the run's device and precision.
        """
        inputs = [*arch.alpha.values(), *arch.beta.values()]
        gradients = differentiate(loss, inputs)
        count = len(arch.alpha)
        return ArchGradient(
            alpha=dict(zip(arch.alpha, gradients[:count], strict=True)),
            beta=dict(zip(arch.beta, gradients[count:], strict=True)),
        )
