"""The two losses of a bilevel search as functions of weights, alpha and beta, for architecture gradients."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from edgewise.data import Batch
from edgewise.methods import ArchParameters
from edgewise.methods.gradient import Weights
from edgewise.nn import AnySupernet, Engine, Hooks, Mixture, copies, frozen_statistics, frozen_weights
from edgewise.runtime.compute import Compute


@dataclass(frozen=True)
class ArchStepInputs:
    """What is fixed during one arch step.

    Args:
        arch_batch: what alpha and beta learn from.
        weights_batch: what the virtual step of the weights learns from.
        xi: the virtual step's length.
        momentum: of the weights' optimiser.
        weight_decay: of the weights' optimiser.
    """

    arch_batch: Batch
    weights_batch: Batch | None
    xi: float
    momentum: float
    weight_decay: float


class SupernetProblem:
    """`methods.ArchProblem` for a supernet.

    A forward pass with given weights leaves the running statistics of batch norms alone; one with the supernet's
    own weights records them, as any training step does.

    Args:
        supernet: the network.
        arch: alpha and beta.
        mixture: makes the mixtures of one forward pass.
        hooks: makes the output changes of one forward pass.
        momenta: finds the weights' optimiser's momentum buffers, by name; what has none yet is absent.
        compute: device and precision.
        inputs: batches and the virtual step's constants.
        engine: see `Engine`.
        forward: the supernet's forward pass with its own weights, if it has a compiled form.
    """

    def __init__(
        self,
        supernet: AnySupernet,
        arch: ArchParameters,
        *,
        mixture: Callable[[], dict[str, Mixture]],
        hooks: Callable[[], Hooks],
        momenta: Callable[[], dict[str, Tensor]],
        compute: Compute,
        inputs: ArchStepInputs,
        engine: Engine = "plain",
        forward: Callable[..., Tensor] | None = None,
    ) -> None:
        self.supernet = supernet
        self.arch = arch
        self.last_loss: Tensor | None = None
        self.last_accuracy: Tensor | None = None
        self._mixture = mixture
        self._hooks = hooks
        self._momenta = momenta
        self._compute = compute
        self._inputs = inputs
        self._engine: Engine = engine
        self._forward = supernet if forward is None else forward

    @property
    def xi(self) -> float:
        """The virtual step's length."""
        return self._inputs.xi

    def weights(self) -> dict[str, Tensor]:
        """The supernet's weights, by name."""
        return dict(self.supernet.named_parameters())

    def arch_loss(self, weights: Weights | None = None) -> Tensor:
        """Mean cross-entropy of the arch batch; kept, as the accuracy is, as `last_loss` and `last_accuracy`."""
        batch = self._inputs.arch_batch
        # With its own weights, nobody asks for their gradients: an arch step of first order.
        with nullcontext() if weights is not None else frozen_weights(self.supernet):
            logits = self._logits(batch.x, weights, self._engine)
        loss = cross_entropy(logits, batch.y)
        self.last_loss, self.last_accuracy = loss.detach(), accuracy(logits, batch.y)
        return loss

    def weights_loss(self, weights: Weights | None = None, *, twice: bool = False) -> Tensor:
        """Mean cross-entropy of the weights batch."""
        batch = self._inputs.weights_batch
        assert batch is not None
        engine: Engine = "grouped" if twice and self._engine == "auto" else self._engine
        return cross_entropy(self._logits(batch.x, weights, engine), batch.y)

    def _logits(self, x: Tensor, weights: Weights | None, engine: Engine) -> Tensor:
        inputs = (x, self._mixture(), self.arch.edge_weights(), self._hooks())
        if weights is None:
            with self._compute.autocast():
                return self._forward(*inputs, engine=engine)
        # What is differentiated by the weights is the loss of all processes' images.
        shared = dict(zip(weights, copies(list(weights.values()), self._compute.processes), strict=True))
        with self._compute.autocast(), frozen_statistics(self.supernet):
            return torch.func.functional_call(self.supernet, shared, inputs, {"engine": engine})

    def virtual_step(self, gradients: Weights) -> dict[str, Tensor]:
        """One step of the weights' SGD with learning rate xi, without clipping."""
        s, momenta = self._inputs, self._momenta()
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
        return self._compute.gradients(loss, inputs, create_graph=create_graph)


def momentum_buffers(network: nn.Module, optimizer: torch.optim.Optimizer) -> dict[str, Tensor]:
    """The momentum buffers of a network's weights, by name; what has none yet is absent."""
    state = optimizer.state
    return {
        name: state[parameter]["momentum_buffer"]
        for name, parameter in network.named_parameters()
        if parameter in state and state[parameter].get("momentum_buffer") is not None
    }


def cross_entropy(logits: Tensor, labels: Tensor) -> Tensor:
    """Mean cross-entropy, in float32 at least."""
    return F.cross_entropy(logits.float() if logits.dtype != torch.float64 else logits, labels)


def accuracy(logits: Tensor, labels: Tensor) -> Tensor:
    """The share that was right, a scalar."""
    return (logits.detach().argmax(1) == labels).float().mean()
