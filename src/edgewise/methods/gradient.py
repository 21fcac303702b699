"""Architecture gradients: how the loss on the arch batch is differentiated."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, Literal, Protocol

import torch
from torch import Tensor

from edgewise.methods.arch import ArchParameters
from edgewise.methods.part import Part

Weights = Mapping[str, Tensor]


class ArchProblem(Protocol):
    """What an arch step differentiates: two losses as functions of the weights and of alpha and beta."""

    @property
    def arch(self) -> ArchParameters:
        """alpha and beta."""
        ...

    @property
    def xi(self) -> float:
        """The virtual step's length: the weights' learning rate of this epoch."""
        ...

    def weights(self) -> dict[str, Tensor]:
        """The weights as they are, by name."""
        ...

    def arch_loss(self, weights: Weights | None = None) -> Tensor:
        """The loss on the arch batch, a scalar; with other weights if given."""
        ...

    def weights_loss(self, weights: Weights | None = None, *, twice: bool = False) -> Tensor:
        """The loss on the weights batch, a scalar; with other weights if given.

        Args:
            weights: by name.
            twice: whether the gradient will itself be differentiated.
        """
        ...

    def virtual_step(self, gradients: Weights) -> dict[str, Tensor]:
        """w - xi * (momentum * buffer + gradient + weight decay * w), differentiable in `gradients`."""
        ...

    def differentiate(
        self, loss: Tensor, inputs: list[Tensor], *, create_graph: bool = False
    ) -> tuple[Tensor, ...]:
        """As `torch.autograd.grad`, for the run's device and precision."""
        ...


@dataclass(frozen=True)
class ArchGradient:
    """The gradient of one arch step.

    Args:
        alpha: [edges, primitives] for each cell type.
        beta: [edges] for each cell type; empty without edge weights.
    """

    alpha: dict[str, Tensor]
    beta: dict[str, Tensor]

    @staticmethod
    def of(arch: ArchParameters, gradients: tuple[Tensor, ...]) -> ArchGradient:
        """Sorts gradients that stand in the order of `arch_inputs`."""
        count = len(arch.alpha)
        return ArchGradient(
            alpha=dict(zip(arch.alpha, gradients[:count], strict=True)),
            beta=dict(zip(arch.beta, gradients[count:], strict=True)),
        )

    def zeroed(self) -> ArchGradient:
        """Zeros in the place of a gradient that overflowed under a loss scaler and is not used."""
        return ArchGradient(
            {name: torch.zeros_like(value) for name, value in self.alpha.items()},
            {name: torch.zeros_like(value) for name, value in self.beta.items()},
        )


def arch_inputs(arch: ArchParameters) -> list[Tensor]:
    """alpha of every cell type, then beta."""
    return [*arch.alpha.values(), *arch.beta.values()]


class GradientEstimator(Part):
    """How the gradient of alpha and beta is made."""

    second_order: ClassVar[bool] = False
    """Whether it looks ahead, through a step of the weights."""

    def gradient(self, problem: ArchProblem) -> ArchGradient:
        """The gradient of one arch step."""
        raise NotImplementedError


@dataclass(frozen=True)
class FirstOrder(GradientEstimator):
    """The weights are taken as they are (xi = 0): d L_arch(w, alpha) / d alpha.

    autograd is asked for alpha and beta alone, so the weights' gradients are neither computed nor touched.

    Source: DARTS, §2.3, first-order approximation.
    """

    kind: Literal["first_order"] = "first_order"

    def gradient(self, problem: ArchProblem) -> ArchGradient:
        """Differentiates the loss of the arch batch; the weights batch is not read."""
        inputs = arch_inputs(problem.arch)
        return ArchGradient.of(problem.arch, problem.differentiate(problem.arch_loss(), inputs))
