"""What one step of a search reports, and the sums of an epoch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn


@dataclass(frozen=True)
class ArchReport:
    """One arch step. Everything stays on the device until the epoch's end.

    Args:
        loss: mean cross-entropy of the arch batch.
        accuracy: share of the arch batch that was right, 0 to 1.
        alpha_norm: norm of the gradient of all alpha, as the optimiser gets it.
        beta_norm: the same for beta; zero without.
        before: [cell types, groups, 2], conflict rate and mean cosine before the projection.
        after: the same after it.
        cosines: [cell types, edges, edges], cosines between the edges' gradients before the projection.
    """

    loss: Tensor
    accuracy: Tensor
    alpha_norm: Tensor
    beta_norm: Tensor
    before: Tensor
    after: Tensor
    cosines: Tensor


@dataclass(frozen=True)
class StepReport:
    """One step: the weight step, and the arch step unless alpha is frozen.

    Args:
        loss: mean cross-entropy of the weights batch.
        accuracy: share of the weights batch that was right, 0 to 1.
        grad_norm: norm of the weights' gradient before clipping.
        lr: learning rate of the weights.
        arch_lr: learning rate of alpha and beta.
        arch: the arch step; None while alpha and beta are frozen.
    """

    loss: Tensor
    accuracy: Tensor
    grad_norm: Tensor
    lr: float
    arch_lr: float
    arch: ArchReport | None


class EpochSums:
    """Sums of the step reports of an epoch, kept on the device, as float64 where the device has it.

    Args:
        cell_types: how many kinds of cell there are.
        groups: how many groups of edges a cell has.
        edges: how many edges a cell has.
        device: where the reports lie.
    """

    def __init__(self, cell_types: int, groups: int, edges: int, device: torch.device) -> None:
        exact = torch.float32 if device.type == "mps" else torch.float64
        self.steps = 0
        self.arch_steps = 0
        self.weights = torch.zeros(3, dtype=exact, device=device)
        self.arch = torch.zeros(4, dtype=exact, device=device)
        self.conflicts = torch.zeros(2, cell_types, groups, 2, dtype=exact, device=device)
        self.cosines = torch.zeros(cell_types, edges, edges, dtype=exact, device=device)

    def add(self, report: StepReport) -> None:
        """Adds a step, without waiting for the device."""
        self.steps += 1
        self.weights += torch.stack([report.loss, report.accuracy, report.grad_norm]).to(self.weights.dtype)
        arch = report.arch
        if arch is not None:
            self.arch_steps += 1
            figures = torch.stack([arch.loss, arch.accuracy, arch.alpha_norm, arch.beta_norm])
            self.arch += figures.to(self.arch.dtype)
            self.conflicts += torch.stack([arch.before, arch.after]).to(self.conflicts.dtype)
            self.cosines += arch.cosines.to(self.cosines.dtype)

    def weights_means(self) -> list[float]:
        """Mean loss, accuracy and gradient norm of the weight steps."""
        return (self.weights / max(1, self.steps)).tolist()

    def arch_means(self) -> list[float | None]:
        """Mean loss, accuracy, alpha and beta gradient norm of the arch steps; None where there was none."""
        if not self.arch_steps:
            return [None] * 4
        return (self.arch / self.arch_steps).tolist()

    def conflict_means(self) -> list[Any]:
        """[before and after, cell types, groups, rate and cosine], means over the arch steps."""
        return (self.conflicts / max(1, self.arch_steps)).tolist()

    def cosine_means(self) -> list[list[list[float]]]:
        """[cell types, edges, edges], mean cosines between edges' gradients over the arch steps."""
        return (self.cosines / max(1, self.arch_steps)).tolist()

    def reset(self) -> None:
        """Starts a new epoch."""
        self.steps = self.arch_steps = 0
        for sums in self._sums():
            sums.zero_()

    def _sums(self) -> Sequence[Tensor]:
        return self.weights, self.arch, self.conflicts, self.cosines

    def state_dict(self) -> dict[str, Any]:
        """The sums, for a checkpoint within an epoch."""
        return {
            "steps": self.steps,
            "arch_steps": self.arch_steps,
            "sums": [sums.clone() for sums in self._sums()],
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restores `state_dict`."""
        self.steps, self.arch_steps = state["steps"], state["arch_steps"]
        for sums, saved in zip(self._sums(), state["sums"], strict=True):
            sums.copy_(saved)


def gradient_norm(parameters: nn.ParameterDict) -> Tensor:
    """The norm of all gradients together."""
    return torch.cat([p.grad.flatten() for p in parameters.values() if p.grad is not None]).norm()
