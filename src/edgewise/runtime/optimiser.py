"""The weights' optimiser and the clipping of their gradients, in a few calls for any number of weights."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import torch
from torch import Tensor
from torch._utils import _flatten_dense_tensors, _unflatten_dense_tensors

FUSED_DEVICES = ("cpu", "cuda")
FUSED_TYPES = (torch.float32, torch.float64)


def sgd(parameters: Iterable[Tensor], lr: float, *, momentum: float, weight_decay: float) -> torch.optim.SGD:
    """SGD with momentum, all weights in one call where the device can, one operation at a time elsewhere (mps).

    A weight that has no gradient in a step is left alone, its momentum too. The fused kernel rounds otherwise than
    the separate operations do, by one unit in the last place a step, and no less precisely.

    Args:
        parameters: the weights.
        lr: the first learning rate.
        momentum: 0 to 1.
        weight_decay: of all weights.
    """
    weights = list(parameters)
    fused = all(w.device.type in FUSED_DEVICES and w.dtype in FUSED_TYPES for w in weights)
    optimizer = torch.optim.SGD(
        weights, lr, momentum=momentum, weight_decay=weight_decay, fused=True if fused else None
    )
    if fused and momentum:
        optimizer.register_step_pre_hook(_begin_momentum)
    return optimizer


def _begin_momentum(optimizer: torch.optim.Optimizer, *_: Any) -> None:
    # torch's fused step takes all buffers or none; a weight that was never sampled gets its gradient later.
    state = optimizer.state
    for group in optimizer.param_groups:
        for weight in group["params"]:
            if weight.grad is not None and state[weight].get("momentum_buffer") is None:
                state[weight]["momentum_buffer"] = torch.zeros_like(weight)


def can_clip_together(gradients: Sequence[Tensor]) -> bool:
    """Whether `clip_together` is for these: on the CPU, where torch makes a call for each, in plain layout."""
    return bool(gradients) and all(
        gradient.is_cpu and gradient.dtype is gradients[0].dtype and gradient.is_contiguous()
        for gradient in gradients
    )


@torch.no_grad()
def clip_together(weights: Sequence[Tensor], limit: float) -> Tensor:
    """Clips the norm of all gradients together to `limit`, on one long vector of which they become views.

    Args:
        weights: each with a gradient, for which `can_clip_together` holds.
        limit: the norm's.

    Returns:
        The norm before, summed in float64.
    """
    gradients = [weight.grad for weight in weights if weight.grad is not None]
    vector = _flatten_dense_tensors(gradients)
    norm = torch.linalg.vector_norm(vector, dtype=torch.float64).to(vector.dtype)
    vector *= (limit / (norm + 1e-6)).clamp(max=1.0)
    for weight, part in zip(weights, _unflatten_dense_tensors(vector, gradients), strict=True):
        weight.grad = part
    return norm
