"""Pools, with the average computed as a convolution where that is the faster one."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn


def run_pool(module: nn.Module, x: Tensor) -> Tensor:
    """What a pool, or another module without weights, makes of [B, C, H, W].

    PyTorch 2.13's average pool takes about five times as long on the CPU, in float32, as a depthwise convolution
    with ones and a division by the number of pixels that were there.
    """
    if not isinstance(module, nn.AvgPool2d) or not _convolves(module, x):
        return module(x)
    kernel, stride, padding = module.kernel_size, module.stride, module.padding
    ones = x.new_ones(x.shape[1], 1, *_pair(kernel))
    counts = F.conv2d(x.new_ones(1, 1, *x.shape[2:]), ones[:1], None, stride, padding)
    return F.conv2d(x, ones, None, stride, padding, groups=x.shape[1]) * counts.reciprocal()


def _convolves(module: nn.AvgPool2d, x: Tensor) -> bool:
    plain = not module.count_include_pad and not module.ceil_mode and module.divisor_override is None
    fast = x.device.type == "cpu" and x.dtype == torch.float32 and not torch.is_autocast_enabled("cpu")
    return plain and fast


def _pair(size: int | tuple[int, int]) -> tuple[int, int]:
    return (size, size) if isinstance(size, int) else size
