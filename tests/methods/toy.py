"""An arch problem of two numbers: Fig. 2 of DARTS, and any other pair of losses of a and w."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import torch
from torch import Tensor

from edgewise.methods.gradient import Weights

Loss = Callable[[Tensor, Tensor], Tensor]


def arch_loss(a: Tensor, w: Tensor) -> Tensor:
    """L_arch of the figure."""
    return a * w - 2 * a + 1


def weights_loss(a: Tensor, w: Tensor) -> Tensor:
    """L_weights of the figure: the best w is a."""
    return w**2 - 2 * a * w + a**2


class Toy:
    """`methods.ArchProblem` with plain gradient descent as the virtual step, and a record of what was asked.

    Args:
        a: alpha, a scalar.
        w: the weight, a scalar.
        xi: the virtual step's length.
        arch: the loss that alpha learns from.
        weights: the loss that the weight learns from.
    """

    def __init__(
        self, a: float, w: float, xi: float, *, arch: Loss = arch_loss, weights: Loss = weights_loss
    ) -> None:
        self.a = torch.tensor(a, dtype=torch.float64, requires_grad=True)
        self.w = torch.tensor(w, dtype=torch.float64, requires_grad=True)
        self.arch: Any = SimpleNamespace(alpha={"normal": self.a}, beta={})
        self.xi = xi
        self.asked: list[str] = []
        self._losses = {"arch": arch, "weights": weights}

    def weights(self) -> dict[str, Tensor]:
        return {"w": self.w}

    def arch_loss(self, weights: Weights | None = None) -> Tensor:
        return self._loss("arch", weights)

    def weights_loss(self, weights: Weights | None = None, *, twice: bool = False) -> Tensor:
        return self._loss("weights", weights)

    def _loss(self, name: str, weights: Weights | None) -> Tensor:
        self.asked.append(name)
        return self._losses[name](self.a, self.w if weights is None else weights["w"])

    def virtual_step(self, gradients: Weights) -> dict[str, Tensor]:
        return {"w": self.w - self.xi * gradients["w"]}

    def differentiate(
        self, loss: Tensor, inputs: list[Tensor], *, create_graph: bool = False
    ) -> tuple[Tensor, ...]:
        return torch.autograd.grad(loss, inputs, create_graph=create_graph)
