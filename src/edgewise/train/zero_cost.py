"""Zero-cost scores: figures of a network that has not been trained, taken from a batch or two.

Larger is better. `params` is among them as the bar that the others have to pass.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from edgewise.data import Batch
from edgewise.nn import count_params, frozen_statistics, measure_cost
from edgewise.registry import Registry

ZeroCost = Callable[[nn.Module, Sequence[Batch]], float]
"""From an untrained network, in training mode, and batches of images to a score."""

ZERO_COST: Registry[ZeroCost] = Registry("zero-cost score")
"""Every zero-cost score by its name."""


def zero_cost(name: str, network: nn.Module, batches: Sequence[Batch]) -> float:
    """A zero-cost score of a network; the network is left as it was.

    Args:
        name: one of `ZERO_COST`.
        network: untrained; maps [B, C, H, W] to logits [B, classes].
        batches: one at least, two at least for `zico`; on the network's device.

    Raises:
        ConfigError: there is no score of that name.
    """
    own = copy.deepcopy(network).train()
    with frozen_statistics(own):
        return ZERO_COST.find(name)(own, batches)


def _score(name: str) -> Callable[[ZeroCost], ZeroCost]:
    return lambda function: ZERO_COST.register(name, function)


def _layers(network: nn.Module) -> list[Tensor]:
    """The weights of convolutions and linear layers."""
    return [m.weight for m in network.modules() if isinstance(m, nn.Conv2d | nn.Linear)]


def _gradients(network: nn.Module, batch: Batch) -> list[Tensor]:
    """The gradient of the mean cross-entropy by each of `_layers`; zeros for a layer that no logit hears."""
    weights = _layers(network)
    loss = F.cross_entropy(network(batch.x), batch.y)
    return list(torch.autograd.grad(loss, weights, allow_unused=True, materialize_grads=True))


@_score("params")
def params(network: nn.Module, batches: Sequence[Batch]) -> float:
    """The number of weights."""
    return float(count_params(network))


@_score("macs")
def macs(network: nn.Module, batches: Sequence[Batch]) -> float:
    """The multiply-adds of one image."""
    _, channels, height, _ = batches[0].x.shape
    return float(measure_cost(network, image_size=height, in_channels=channels).macs)


@_score("grad_norm")
def grad_norm(network: nn.Module, batches: Sequence[Batch]) -> float:
    """The sum over layers of the norm of the loss's gradient, on the first batch.

    Source: Abdelfattah et al. 2021, §3.
    """
    return float(sum(gradient.norm() for gradient in _gradients(network, batches[0])))


@_score("snip")
def snip(network: nn.Module, batches: Sequence[Batch]) -> float:
    """The sum over weights of |w * dL/dw|, on the first batch.

    Source: Lee et al. 2019, as Abdelfattah et al. 2021, §3, sum it over a network.
    """
    gradients = _gradients(network, batches[0])
    return float(sum((w.detach() * g).abs().sum() for w, g in zip(_layers(network), gradients, strict=True)))


@_score("synflow")
def synflow(network: nn.Module, batches: Sequence[Batch]) -> float:
    """log of the sum over weights of |w| * dR/d|w|, R the sum of logits for an image of ones, in float64.

    Weights are replaced by their absolute values and batch norms by the identity. The logarithm, which changes no
    order, keeps the score within floating point and readable.

    Source: Tanaka et al. 2020; Abdelfattah et al. 2021, §3, without batch norms.
    """
    network = network.double()
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.abs_()
    for module in list(network.modules()):
        for name, child in module.named_children():
            if isinstance(child, nn.BatchNorm2d):
                setattr(module, name, nn.Identity())
    weights = _layers(network)
    ones = torch.ones_like(batches[0].x[:1], dtype=torch.float64)
    found = torch.autograd.grad(network(ones).sum(), weights, allow_unused=True, materialize_grads=True)
    total = float(sum((w.detach() * g).abs().sum() for w, g in zip(weights, found, strict=True)))
    return math.log(total) if total > 0 else -math.inf


@_score("naswot")
@torch.no_grad()
def naswot(network: nn.Module, batches: Sequence[Batch]) -> float:
    """log |det K|, where K[i, j] counts the ReLUs that are open for both images or closed for both.

    On the first batch.

    Source: Mellor et al. 2021, §3.
    """
    images = len(batches[0].x)
    kernel = torch.zeros(images, images, dtype=torch.float64)

    def note(module: nn.Module, inputs: tuple[Any, ...], output: Tensor) -> None:
        code = (output > 0).flatten(1).double().cpu()
        kernel.add_(code @ code.T + (1 - code) @ (1 - code).T)

    for module in network.modules():
        if isinstance(module, nn.ReLU):
            module.register_forward_hook(note)
    network(batches[0].x)
    return float(torch.linalg.slogdet(kernel).logabsdet)


@_score("zico")
def zico(network: nn.Module, batches: Sequence[Batch]) -> float:
    """The sum over layers of log(sum over weights of mean|dL/dw| / std(dL/dw)), both over the batches.

    Raises:
        ValueError: there is one batch alone.

    Source: Li et al. 2023, equation 13; ZiCo.py of the authors' code.
    """
    if len(batches) < 2:
        raise ValueError("zico compares the gradients of several batches: give two or more")
    total = 0.0
    for found in zip(*(_gradients(network, batch) for batch in batches), strict=True):
        gradients = torch.stack(found).double()
        spread = gradients.std(0, correction=0)
        there = spread > 0
        if bool(there.any()):
            total += float((gradients.abs().mean(0)[there] / spread[there]).sum().log())
    return total
