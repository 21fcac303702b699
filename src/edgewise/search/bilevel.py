"""The bilevel search: an arch step on the arch split, then a weight step on the weights split."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from edgewise.data import Batch, Batches
from edgewise.methods import AlphaPenalty, ArchParameters, ConflictMeter, Recipe, SchedulePosition
from edgewise.methods.gradient import ArchGradient, arch_inputs
from edgewise.methods.schedule import START, cosine
from edgewise.nn import AnySupernet
from edgewise.runtime.compute import Compute, restore_optimizer
from edgewise.runtime.optimiser import sgd
from edgewise.runtime.random import Streams
from edgewise.search.distributed import shared_gradient
from edgewise.search.losses import accuracy, cross_entropy
from edgewise.search.passes import SupernetPasses
from edgewise.search.problem import ArchStepInputs, SupernetProblem
from edgewise.search.step import ArchReport, StepReport, gradient_norm


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
        streams: the run's random streams; every part that draws has its own.
        compute: device and precision.
        stage: which stage of the recipe this is, from 0.

    Source: DARTS, algorithm 1; PC-DARTS, train_search.py of the authors' code (warm-up, clipping).
    """

    def __init__(
        self,
        recipe: Recipe,
        supernet: AnySupernet,
        arch: ArchParameters,
        streams: Streams,
        compute: Compute,
        *,
        stage: int = 0,
    ) -> None:
        self.recipe = recipe
        self.supernet = supernet
        self.arch = arch
        self.compute = compute
        self.stage = stage
        self.weight_decay_factor = 1.0
        self.passes = SupernetPasses(recipe, supernet, arch, streams, compute, stage=stage)
        topology, change = supernet.space.topology, recipe.projection
        self.projector = None if change is None else change.on(topology, compute.device)
        self._projector_stream = None if change is None else streams.generator(change.stream)
        self._penalties = recipe.parts_of(AlphaPenalty)
        self.meter = ConflictMeter(topology, "in" if change is None else change.direction, compute.device)
        weights, self._weights = recipe.weights, list(supernet.parameters())
        self.weights_optimizer = compute.prepare_optimizer(
            sgd(self._weights, weights.lr, momentum=weights.momentum, weight_decay=weights.weight_decay)
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
            epoch: of the whole search, counted from 0.
        """
        position = self.recipe.locate(epoch)[1]
        weights = self.recipe.weights
        lr = cosine(position.epoch, position.epochs, lr=weights.lr, lr_min=weights.lr_min)
        decay = self.weight_decay(epoch)
        weights_batch = batches.weights.next()
        arch = None
        if position.epoch >= self.recipe.frozen_epochs:
            arch = self.arch_step(
                batches.arch.next(), weights_batch=weights_batch, lr=lr, weight_decay=decay, position=position
            )
        loss, right, grad_norm = self.weights_step(weights_batch, lr, weight_decay=decay, position=position)
        return StepReport(loss, right, grad_norm, lr, self.recipe.arch.lr, arch)

    def weight_decay(self, epoch: int) -> float:
        """The weights' weight decay in an epoch of the whole search."""
        return self.recipe.weight_decay(epoch, self.weight_decay_factor)

    def arch_step(
        self,
        batch: Batch,
        *,
        weights_batch: Batch | None = None,
        lr: float | None = None,
        weight_decay: float | None = None,
        position: SchedulePosition = START,
    ) -> ArchReport:
        """Updates alpha and beta once; the weights and their gradients are not touched.

        Args:
            batch: of the arch split.
            weights_batch: of the weights split; read by second-order gradients alone.
            lr: xi of a second-order gradient; the recipe's first learning rate unless given.
            weight_decay: of the virtual step; the recipe's unless given.
            position: how far the search, or its stage, has come.
        """
        weights = self.recipe.weights
        inputs = ArchStepInputs(
            batch,
            weights_batch,
            weights.lr if lr is None else lr,
            weights.momentum,
            weights.weight_decay if weight_decay is None else weight_decay,
            position,
        )
        problem = SupernetProblem(self.passes, inputs, self.weights_optimizer)
        gradient, loss, right = shared_gradient(
            self.recipe.gradient.gradient(problem), problem, self.compute.processes
        )
        overflowed = self.compute.overflowed([*gradient.alpha.values(), *gradient.beta.values()])
        before, after, cosines = self._set_gradients(gradient.zeroed() if overflowed else gradient, position)
        if not overflowed:
            self.arch_optimizer.step()
        return ArchReport(
            loss,
            right,
            gradient_norm(self.arch.alpha),
            gradient_norm(self.arch.beta) if len(self.arch.beta) else loss.new_zeros(()),
            before,
            after,
            cosines,
        )

    def _set_gradients(self, gradient: ArchGradient, position: SchedulePosition) -> tuple[Tensor, Tensor, Tensor]:
        """Projects alpha's gradients and hands all gradients to the arch optimiser; measures conflicts.

        What penalties add comes after the projection, which is about the gradients of the loss.
        """
        rows = torch.stack(list(gradient.alpha.values()))
        before = after = self.meter(rows)
        cosines = self.meter.cosines(rows)
        if self.projector is not None and self._projector_stream is not None:
            rows = self.projector(rows, self._projector_stream)
            after = self.meter(rows)
        for parameter, row in zip(self.arch.alpha.values(), rows, strict=True):
            parameter.grad = row.clone()
        for parameter, value in zip(self.arch.beta.values(), gradient.beta.values(), strict=True):
            parameter.grad = value
        if self._penalties:
            penalty = torch.stack([part.penalty(self.arch, position) for part in self._penalties]).sum()
            inputs = arch_inputs(self.arch)
            added = torch.autograd.grad(penalty, inputs, allow_unused=True, materialize_grads=True)
            for parameter, extra in zip(inputs, added, strict=True):
                parameter.grad = extra if parameter.grad is None else parameter.grad + extra
        if self.recipe.arch.clip is not None:
            nn.utils.clip_grad_norm_(self.arch.parameters(), self.recipe.arch.clip)
        return before, after, cosines

    def weights_step(
        self, batch: Batch, lr: float, *, weight_decay: float | None = None, position: SchedulePosition = START
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Updates the weights once; alpha and beta get no gradient.

        Args:
            batch: of the weights split.
            lr: learning rate.
            weight_decay: the recipe's unless given.
            position: how far the search, or its stage, has come.

        Returns:
            loss, accuracy and the gradient's norm before clipping.
        """
        for group in self.weights_optimizer.param_groups:
            group["lr"] = lr
            group["weight_decay"] = self.recipe.weights.weight_decay if weight_decay is None else weight_decay
        logits = self.passes.weights_logits(batch, position)
        loss = cross_entropy(logits, batch.y)
        self.weights_optimizer.zero_grad()
        self.compute.backward(loss)
        figures = self.compute.processes.average_gradients(self._weights, loss.detach(), accuracy(logits, batch.y))
        norm = self.compute.clip(self._weights, self.recipe.weights.clip)
        self.weights_optimizer.step()
        return figures[0], figures[1], norm

    def state_dict(self) -> dict[str, Any]:
        """Supernet, alpha, beta, both optimisers, the weight decay's factor and the loss scaler."""
        return {
            "supernet": self.supernet.state_dict(),
            "arch": self.arch.state_dict(),
            "weights_optimizer": self.weights_optimizer.state_dict(),
            "arch_optimizer": self.arch_optimizer.state_dict(),
            "weight_decay_factor": self.weight_decay_factor,
            "scaler": self.compute.scaler_state(),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restores `state_dict`."""
        self.supernet.load_state_dict(state["supernet"])
        self.arch.load_state_dict(state["arch"])
        restore_optimizer(self.weights_optimizer, state["weights_optimizer"])
        restore_optimizer(self.arch_optimizer, state["arch_optimizer"])
        self.weight_decay_factor = state["weight_decay_factor"]
        self.compute.load_scaler_state(state["scaler"])
