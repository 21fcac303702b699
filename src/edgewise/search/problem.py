"""The two losses of a bilevel search as functions of weights, alpha and beta, for architecture gradients."""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from edgewise.data import Batch
from edgewise.methods import ArchParameters, SchedulePosition
from edgewise.methods.gradient import Weights
from edgewise.nn import frozen_weights
from edgewise.search.losses import accuracy, cross_entropy
from edgewise.search.passes import SupernetPasses


@dataclass(frozen=True)
class ArchStepInputs:
    """What is fixed during one arch step.

    Args:
        arch_batch: what alpha and beta learn from.
        weights_batch: what the virtual step of the weights learns from.
        xi: the virtual step's length.
        momentum: of the weights' optimiser.
        weight_decay: of the weights' optimiser.
        position: how far the search, or its stage, has come.
    """

    arch_batch: Batch
    weights_batch: Batch | None
    xi: float
    momentum: float
    weight_decay: float
    position: SchedulePosition


class SupernetProblem:
    """`methods.ArchProblem` for a supernet.

    Args:
        passes: the supernet's forward passes.
        inputs: batches and the virtual step's constants.
        weights_optimizer: of the supernet's weights; its momentum buffers are read.
    """

    def __init__(
        self, passes: SupernetPasses, inputs: ArchStepInputs, weights_optimizer: torch.optim.Optimizer
    ) -> None:
        self.passes = passes
        self.inputs = inputs
        self.last_loss: Tensor | None = None
        self.last_accuracy: Tensor | None = None
        self._weights_optimizer = weights_optimizer

    @property
    def arch(self) -> ArchParameters:
        """alpha and beta."""
        return self.passes.arch

    @property
    def xi(self) -> float:
        """The virtual step's length."""
        return self.inputs.xi

    def weights(self) -> dict[str, Tensor]:
        """The supernet's weights, by name."""
        return dict(self.passes.supernet.named_parameters())

    def arch_loss(self, weights: Weights | None = None) -> Tensor:
        """Mean cross-entropy of the arch batch; kept as `last_loss`, with the accuracy as `last_accuracy`."""
        batch = self.inputs.arch_batch
        # With its own weights, nobody asks for their gradients: an arch step of first order.
        with nullcontext() if weights is not None else frozen_weights(self.passes.supernet):
            logits = self.passes.arch_logits(batch, self.inputs.position, weights)
        loss = cross_entropy(logits, batch.y)
        self.last_loss, self.last_accuracy = loss.detach(), accuracy(logits, batch.y)
        return loss

    def weights_loss(self, weights: Weights | None = None, *, twice: bool = False) -> Tensor:
        """Mean cross-entropy of the weights batch."""
        batch = self.inputs.weights_batch
        assert batch is not None
        with self.passes.supernet.differentiable_twice() if twice else nullcontext():
            return cross_entropy(self.passes.arch_logits(batch, self.inputs.position, weights), batch.y)

    def virtual_step(self, gradients: Weights) -> dict[str, Tensor]:
        """One step of the weights' SGD with learning rate xi, without clipping."""
        s, momenta = self.inputs, momentum_buffers(self.passes.supernet, self._weights_optimizer)
        ahead = {}
        for name, weight in self.weights().items():
            step = gradients[name] + s.weight_decay * weight
            if name in momenta:
                step = s.momentum * momenta[name] + step
            ahead[name] = weight - s.xi * step
        return ahead

    def differentiate(
        self, loss: Tensor, inputs: list[Tensor], *, create_graph: bool = False
    ) -> tuple[Tensor, ...]:
        """d loss / d inputs."""
        return self.passes.compute.gradients(loss, inputs, create_graph=create_graph)


def momentum_buffers(network: nn.Module, optimizer: torch.optim.Optimizer) -> dict[str, Tensor]:
    """The momentum buffers of a network's weights, by name; what has none yet is absent."""
    state = optimizer.state
    return {
        name: state[parameter]["momentum_buffer"]
        for name, parameter in network.named_parameters()
        if parameter in state and state[parameter].get("momentum_buffer") is not None
    }
