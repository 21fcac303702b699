"""SmoothDARTS: the weights learn under a mixture that is moved away from alpha's."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal

import torch
from annotated_types import Ge
from torch import Tensor

from edgewise.config.limits import Times
from edgewise.methods.relaxation import kept_or_least
from edgewise.methods.roles import Kept, MixtureLoss, MixturePerturbation, Mixtures
from edgewise.methods.schedule import SchedulePosition
from edgewise.runtime.transfer import to_device


@dataclass(frozen=True)
class Growing(MixturePerturbation):
    """A radius that grows during the search: start + rise * epoch / epochs.

    Source: SmoothDARTS §5.1, train_search.py of the authors' code (.03 and .27).
    """

    start: Annotated[float, Ge(0)] = 0.03
    rise: Annotated[float, Ge(0)] = 0.27
    sources: ClassVar[tuple[str, ...]] = ("smooth-darts",)

    def epsilon(self, position: SchedulePosition) -> float:
        """The radius of an epoch."""
        return self.start + self.rise * position.epoch / position.epochs


@dataclass(frozen=True)
class RandomSmoothing(Growing):
    """Uniform noise from -epsilon to epsilon on every entry of the mixture, in the weight step only.

    Entries are clipped to [0, 1] and rows made to sum to 1 again. alpha itself is never moved.

    Source: SmoothDARTS, SDARTS-RS, §4.1.
    """

    kind: Literal["random_smoothing"] = "random_smoothing"

    def perturb(
        self, mixtures: Mixtures, kept: Kept, loss: MixtureLoss, epsilon: float, generator: torch.Generator
    ) -> Mixtures:
        """The mixture that the weights learn under; `loss` is not asked."""
        del loss
        return {name: noisy(value, kept[name], epsilon, generator) for name, value in mixtures.items()}


@dataclass(frozen=True)
class Adversarial(Growing):
    """The mixture within epsilon of alpha's that a few steps of ascent find worst for the weights batch.

    From a random start, each step moves every entry by 2 * epsilon / steps along the sign of the loss's gradient,
    goes back into the box of epsilon, clips to [0, 1] and makes rows sum to 1. The result is taken only if the
    loss did not fall. The loss is taken in evaluation mode, as in the authors' code, so that batch norms record
    nothing.

    Args:
        steps: of ascent.

    Source: SmoothDARTS, SDARTS-ADV, §4.2; attacker/perturb.py of the authors' code.
    """

    steps: Times = 7
    kind: Literal["adversarial"] = "adversarial"

    def perturb(
        self, mixtures: Mixtures, kept: Kept, loss: MixtureLoss, epsilon: float, generator: torch.Generator
    ) -> Mixtures:
        """The mixture that the weights learn under."""
        if epsilon == 0.0:
            return mixtures
        with torch.no_grad():
            before = loss(mixtures)
        current = {name: noisy(value, kept[name], epsilon, generator) for name, value in mixtures.items()}
        for _ in range(self.steps):
            current = self._ascend(current, mixtures, kept, loss, epsilon)
        with torch.no_grad():
            after = loss(current)
        worse = after >= before
        return {name: torch.where(worse, current[name], value) for name, value in mixtures.items()}

    def _ascend(
        self, current: Mixtures, centre: Mixtures, kept: Kept, loss: MixtureLoss, epsilon: float
    ) -> Mixtures:
        leaves = {name: value.detach().requires_grad_() for name, value in current.items()}
        with torch.enable_grad():
            gradients = torch.autograd.grad(loss(leaves), list(leaves.values()))
        moved = {}
        for (name, value), gradient in zip(current.items(), gradients, strict=True):
            step = value + (2 * epsilon / self.steps) * gradient.sign()
            boxed = centre[name] + (step - centre[name]).clamp(-epsilon, epsilon)
            moved[name] = onto_rows(boxed, kept[name])
        return moved


def noisy(mixture: Tensor, kept: Tensor | None, epsilon: float, generator: torch.Generator) -> Tensor:
    """The mixture with uniform noise from -epsilon to epsilon, clipped and with rows that sum to 1."""
    draw = to_device(2 * torch.rand(mixture.shape, generator=generator) - 1, mixture.device, mixture.dtype)
    return mixture if epsilon == 0.0 else onto_rows(mixture + epsilon * draw, kept)


def onto_rows(values: Tensor, kept: Tensor | None) -> Tensor:
    """Clips [edges, primitives] to [0, 1], drops what is not kept, and divides each row by its sum.

    A row of zeros becomes 1 at its largest entry before clipping.
    """
    best = kept_or_least(values, kept)
    clipped = values.clamp(0.0, 1.0) if kept is None else values.clamp(0.0, 1.0) * kept
    fallback = torch.zeros_like(values).scatter_(-1, best.argmax(-1, keepdim=True), 1.0)
    total = clipped.sum(-1, keepdim=True)
    return torch.where(total > 0, clipped / total.clamp_min(1e-30), fallback)
