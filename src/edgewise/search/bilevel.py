"""The bilevel search: an arch step on the arch split, then a weight step on the weights split."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from edgewise.core.compute import Compute, restore_optimizer
from edgewise.core.streams import Streams
from edgewise.data import Batch, Batches
from edgewise.methods import ArchParameters, ConflictMeter, Recipe
from edgewise.methods.gradient import ArchGradient
from edgewise.methods.schedule import cosine
from edgewise.nn import Supernet
from edgewise.search.step import ArchReport, StepReport


@dataclass(frozen=True)
class SearchBatches:
    """The two endless streams of batches of a search: one trains the weights, one alpha and beta."""

    weights: Batches
    arch: Batches


class BilevelSearch:
    """Alternates arch steps and weight steps on a supernet.

    Args:
        recipe: the method.
        supernet: its weights are trained; on the device already.
        arch: alpha and beta; on the device already.
        streams: the run's random streams; the projection draws from "projection".
        compute: device and precision.

    Source: DARTS, algorithm 1; PC-DARTS, train_search.py of the authors' code (warm-up, clipping).
    """

    def __init__(
        self, recipe: Recipe, supernet: Supernet, arch: ArchParameters, streams: Streams, compute: Compute
    ) -> None:
        self.recipe = recipe
        self.supernet = supernet
        self.arch = arch
        self.compute = compute
        self._stream = streams.generator("projection")
        topology = supernet.space.topology
        projection = recipe.projection
        self.projector = None if projection is None else projection.on(topology, compute.device)
        direction = "in" if projection is None else projection.direction
        self.meter = ConflictMeter(topology, direction, compute.device)
        weights = recipe.weights
        self.weights_optimizer = compute.prepare_optimizer(
            torch.optim.SGD(
                supernet.parameters(), weights.lr, momentum=weights.momentum, weight_decay=weights.weight_decay
            )
        )
        self.arch_optimizer = torch.optim.Adam(
            arch.parameters(),
            recipe.arch.lr,
            betas=recipe.arch.betas,
            weight_decay=recipe.arch.weight_decay,
        )

    def step(self, batches: SearchBatches, epoch: int) -> StepReport:
        """Does an arch step, unless alpha and beta are frozen, and a weight step.

        Args:
            batches: both streams; while alpha and beta are frozen, the arch stream is not read.
            epoch: counted from 0.
        """
        arch = self.arch_step(batches.arch.next()) if epoch >= self.recipe.frozen_epochs else None
        weights = self.recipe.weights
        lr = cosine(epoch, self.recipe.search.epochs, lr=weights.lr, lr_min=weights.lr_min)
        loss, accuracy, grad_norm = self.weights_step(batches.weights.next(), lr)
        return StepReport(loss, accuracy, grad_norm, lr, self.recipe.arch.lr, arch)

    def arch_step(self, batch: Batch) -> ArchReport:
        """Updates alpha and beta once; the weights and their gradients are not touched."""
        with self.compute.autocast():
            logits = self.supernet(batch.x, self.arch.mixture(self.recipe.relaxation), self.arch.edge_weights())
        loss = F.cross_entropy(logits.float() if logits.dtype != torch.float64 else logits, batch.y)
        gradient = self.recipe.gradient.gradient(loss, self.arch, self.compute.gradients)
        overflowed = self.compute.overflowed([*gradient.alpha.values(), *gradient.beta.values()])
        before, after = self._set_gradients(gradient.zeroed() if overflowed else gradient)
        if not overflowed:
            self.arch_optimizer.step()
        return ArchReport(
            loss.detach(),
            _accuracy(logits, batch.y),
            _norm(self.arch.alpha),
            _norm(self.arch.beta) if len(self.arch.beta) else loss.new_zeros(()),
            before,
            after,
        )

    def _set_gradients(self, gradient: ArchGradient) -> tuple[Tensor, Tensor]:
        """Projects alpha's gradients and hands all gradients to the arch optimiser; measures conflicts."""
        rows = torch.stack(list(gradient.alpha.values()))
        before = after = self.meter(rows)
        if self.projector is not None:
            rows = self.projector(rows, self._stream)
            after = self.meter(rows)
        for parameter, row in zip(self.arch.alpha.values(), rows, strict=True):
            parameter.grad = row.clone()
        for parameter, value in zip(self.arch.beta.values(), gradient.beta.values(), strict=True):
            parameter.grad = value
        return before, after

    def weights_step(self, batch: Batch, lr: float) -> tuple[Tensor, Tensor, Tensor]:
        """Updates the weights once; alpha and beta get no gradient.

        Returns:
            loss, accuracy and the gradient's norm before clipping.
        """
        for group in self.weights_optimizer.param_groups:
            group["lr"] = lr
        with torch.no_grad():
            mixture = self.arch.mixture(self.recipe.relaxation)
            edge_weights = self.arch.edge_weights()
        with self.compute.autocast():
            logits = self.supernet(batch.x, mixture, edge_weights)
        loss = F.cross_entropy(logits.float() if logits.dtype != torch.float64 else logits, batch.y)
        self.weights_optimizer.zero_grad()
        self.compute.backward(loss)
        norm = self.compute.clip(self.supernet.parameters(), self.recipe.weights.clip)
        self.weights_optimizer.step()
        return loss.detach(), _accuracy(logits, batch.y), norm

    def state_dict(self) -> dict[str, Any]:
        """Supernet, alpha, beta, both optimisers and the loss scaler."""
        return {
            "supernet": self.supernet.state_dict(),
            "arch": self.arch.state_dict(),
            "weights_optimizer": self.weights_optimizer.state_dict(),
            "arch_optimizer": self.arch_optimizer.state_dict(),
            "scaler": self.compute.scaler_state(),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restores `state_dict`."""
        self.supernet.load_state_dict(state["supernet"])
        self.arch.load_state_dict(state["arch"])
        restore_optimizer(self.weights_optimizer, state["weights_optimizer"])
        restore_optimizer(self.arch_optimizer, state["arch_optimizer"])
        self.compute.load_scaler_state(state["scaler"])


def _accuracy(logits: Tensor, labels: Tensor) -> Tensor:
    return (logits.detach().argmax(1) == labels).float().mean()


def _norm(parameters: nn.ParameterDict) -> Tensor:
    return torch.cat([p.grad.flatten() for p in parameters.values() if p.grad is not None]).norm()
