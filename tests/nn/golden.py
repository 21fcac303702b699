"""Fills a network as the golden numbers prescribe: from element counts alone."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn


def uniform(count: int, salt: int) -> Tensor:
    """The hash of golden.json: `count` numbers in [0, 1), float64."""
    mask = 0xFFFFFFFF
    x = (torch.arange(count, dtype=torch.int64) * 2654435761 + salt) & mask
    x = _times(x ^ (x >> 13), 1274126177)
    x = x ^ (x >> 16)
    x = _times(x ^ (x >> 11), 2246822519)
    x = x ^ (x >> 15)
    return x.double() / 2**32


def _times(x: Tensor, factor: int) -> Tensor:
    """x * factor modulo 2^32, without a 64-bit overflow."""
    low, high = x & 0xFFFF, x >> 16
    return (low * factor + ((high * factor & 0xFFFF) << 16)) & 0xFFFFFFFF


def fill(module: nn.Module) -> nn.Module:
    """Sets convolution and linear weights by element count; batch norms keep their defaults; float64."""
    module.double()
    with torch.no_grad():
        for child in module.modules():
            weight = getattr(child, "weight", None)
            if not isinstance(weight, Tensor) or isinstance(child, nn.BatchNorm2d):
                continue
            n = weight.numel()
            fan_in = n // weight.shape[0]
            weight.copy_(((2 * uniform(n, n) - 1) * math.sqrt(3 / fan_in)).view_as(weight))
            bias = getattr(child, "bias", None)
            if isinstance(bias, Tensor):
                bias.copy_(0.1 * (2 * uniform(len(bias), len(bias)) - 1))
    return module


def images(batch: int, salt: int = 7) -> Tensor:
    """The golden input, [batch, 3, 32, 32]."""
    return ((2 * uniform(batch * 3 * 32 * 32, salt) - 1) * math.sqrt(3)).view(batch, 3, 32, 32)


def parameters(q: int, count: int, scale: float = 0.3, step: float = 1.3) -> Tensor:
    """Golden alpha and beta: scale * sin(step * i + q)."""
    return scale * torch.sin(step * torch.arange(count, dtype=torch.float64) + q)
