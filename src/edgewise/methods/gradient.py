"""Architecture gradients: how the loss on the arch batch is differentiated."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from edgewise.methods.arch import ArchParameters


@dataclass(frozen=True)
class ArchGradient:
    """The gradient of one arch step.

    Args:
        alpha: [edges, primitives] for each cell type.
        beta: [edges] for each cell type; empty without edge weights.
    """

    alpha: dict[str, Tensor]
    beta: dict[str, Tensor]


@dataclass(frozen=True)
class FirstOrder:
    """The weights are taken as they are (xi = 0): d L_arch(w, alpha) / d alpha.

    autograd is asked for alpha and beta alone, so the weights' gradients are neither computed nor touched.

    Source: DARTS, §2.3, first-order approximation.
    """

    kind: Literal["first_order"] = "first_order"

    def gradient(self, loss: Tensor, arch: ArchParameters) -> ArchGradient:
        """Differentiates the loss of the arch batch.

        Args:
            loss: a scalar with a graph that reaches alpha and beta.
            arch: the architecture parameters.
        """
        names = list(arch.alpha)
        with_beta = list(arch.beta)
        inputs = [arch.alpha[name] for name in names] + [arch.beta[name] for name in with_beta]
        gradients = torch.autograd.grad(loss, inputs)
        return ArchGradient(
            alpha=dict(zip(names, gradients[: len(names)], strict=True)),
            beta=dict(zip(with_beta, gradients[len(names) :], strict=True)),
        )
