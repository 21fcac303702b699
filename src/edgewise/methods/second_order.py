"""Second order: the architecture gradient sees one step of the weights ahead."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal

import torch
from annotated_types import Gt
from torch import Tensor

from edgewise.methods.gradient import ArchGradient, ArchProblem, GradientEstimator, arch_inputs
from edgewise.methods.part import Combination
from edgewise.methods.roles import OutputChange


@dataclass(frozen=True)
class ExactHypergradient(GradientEstimator):
    """d L_arch(w', alpha) / d alpha with w' = w - xi * (momentum * buffer + d L_weights / d w + weight decay * w).

    The gradient flows through w' by double backward: the Hessian-vector product of the paper's equation 7,
    exactly. beta is treated as alpha is. None of the forward passes moves the running statistics of batch norms.

    Source: DARTS, equations 6 and 7; xi and w' as in architect.py of the authors' code, which takes finite
    differences instead.
    """

    kind: Literal["exact"] = "exact"
    second_order: ClassVar[bool] = True
    sources: ClassVar[tuple[str, ...]] = ("darts",)

    def gradient(self, problem: ArchProblem) -> ArchGradient:
        """Differentiates the loss of the arch batch after the virtual step on the weights batch."""
        weights = problem.weights()
        loss = problem.weights_loss(weights, twice=True)
        gradients = problem.differentiate(loss, list(weights.values()), create_graph=True)
        ahead = problem.virtual_step(dict(zip(weights, gradients, strict=True)))
        gradients = problem.differentiate(problem.arch_loss(ahead), arch_inputs(problem.arch))
        return ArchGradient.of(problem.arch, gradients)


@dataclass(frozen=True)
class FiniteDifference(GradientEstimator):
    """As `ExactHypergradient`, with the Hessian-vector product as a central difference of first-order gradients.

    With v = d L_arch(w', alpha) / d w' and R = radius / |v|: the gradient is
    d L_arch(w', alpha) / d alpha - xi * (d L_weights(w + R v) / d alpha - d L_weights(w - R v) / d alpha) / (2 R).

    Deviation from the authors' code: none of the forward passes moves the running statistics of batch norms. On
    networks with ReLU and max pools the difference can be far from the exact product: 5 to 7 times its norm was
    measured on a small random network; with smooth activations they agree.

    Args:
        radius: of the difference; 0.01 in the authors' code.

    Source: DARTS, equation 8; architect.py of the authors' code.
    """

    radius: Annotated[float, Gt(0)] = 0.01
    kind: Literal["finite_difference"] = "finite_difference"
    second_order: ClassVar[bool] = True
    sources: ClassVar[tuple[str, ...]] = ("darts",)

    def refusals(self, recipe: Combination) -> list[str]:
        """A difference needs the same function on both sides."""
        if not recipe.parts_of(OutputChange):
            return []
        return [
            "gradient finite_difference and random outputs (noise, skip_dropout or drop_path): the difference of "
            "two losses with different draws is no derivative; take gradient.kind=exact, or drop the other part"
        ]

    def gradient(self, problem: ArchProblem) -> ArchGradient:
        """Differentiates the loss of the arch batch after the virtual step on the weights batch."""
        weights = problem.weights()
        steps = problem.differentiate(problem.weights_loss(weights), list(weights.values()))
        ahead = {
            name: value.detach().requires_grad_()
            for name, value in problem.virtual_step(dict(zip(weights, steps, strict=True))).items()
        }
        inputs = arch_inputs(problem.arch)
        found = problem.differentiate(problem.arch_loss(ahead), [*inputs, *ahead.values()])
        direct, v = found[: len(inputs)], found[len(inputs) :]
        norm = torch.stack([part.norm() for part in v]).norm()
        # Where v is 0, so is the product: a finite radius keeps it from becoming NaN.
        radius = self.radius / norm.clamp_min(torch.finfo(norm.dtype).tiny)
        products = self._products(problem, weights, v, radius)
        gradients = tuple(d - problem.xi * product for d, product in zip(direct, products, strict=True))
        return ArchGradient.of(problem.arch, gradients)

    def _products(
        self, problem: ArchProblem, weights: dict[str, Tensor], v: tuple[Tensor, ...], radius: Tensor
    ) -> list[Tensor]:
        inputs = arch_inputs(problem.arch)
        sides = []
        for sign in (1.0, -1.0):
            moved = {
                name: weight.detach() + sign * radius * part
                for (name, weight), part in zip(weights.items(), v, strict=True)
            }
            sides.append(problem.differentiate(problem.weights_loss(moved), inputs))
        return [(plus - minus) / (2 * radius) for plus, minus in zip(*sides, strict=True)]
