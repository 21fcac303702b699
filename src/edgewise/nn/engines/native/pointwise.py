"""ReLU, 1x1 convolution and affine batch norm, as a derived network trains them, on the kernels.

The factorised reduction is the same with two convolutions of stride 2, on grids that lie one pixel apart.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from edgewise.nn.engines.native.affine import Batch, gradient_sums, refuse_twice
from edgewise.nn.engines.native.kernels import Kernels


def train_pointwise(weights: Sequence[Tensor], norm: nn.BatchNorm2d, x: Tensor) -> Tensor:
    """The output as the modules give it, rounding aside; statistics are recorded.

    Args:
        weights: [outs, C, 1, 1] of one convolution, or of both halves of a factorised reduction.
        norm: the batch norm behind them.
        x: [N, C, H, W], for which `can_train` is true.
    """
    return PointwiseFunction.apply(norm, x, norm.weight, norm.bias, *weights)


def _geometry(x: Tensor, weights: Sequence[Tensor]) -> np.ndarray:
    """As the kernels take it."""
    outs = [len(weight) for weight in weights]
    return np.array([*x.shape, len(outs), outs[0], outs[-1]], dtype=np.int64)


def _addresses(tensors: Sequence[Tensor]) -> np.ndarray:
    return np.array([tensor.data_ptr() for tensor in tensors], dtype=np.int64)


class PointwiseFunction(torch.autograd.Function):
    """The input, scale and shift of the batch norm, and the convolutions' weights to the batch norm's output."""

    @staticmethod
    def forward(ctx: Any, norm: nn.BatchNorm2d, x: Tensor, *tensors: Tensor) -> Tensor:
        """Computes the output and keeps what the batch norm was given."""
        weights, kernels = tensors[2:], Kernels(x.dtype)
        n, _, h, w = x.shape
        stride, outs = len(weights), sum(len(weight) for weight in weights)
        y, sums = x.new_empty(n, outs, -(-h // stride), -(-w // stride)), np.empty((n, outs, 2))
        kernels.call(
            "pointwise_forward", _geometry(x, weights), x.data_ptr(), _addresses(weights), y.data_ptr(), sums
        )
        ctx.batch = Batch.of(kernels, y, sums, norm)
        ctx.save_for_backward(x, y, *weights)
        return ctx.batch.normed(kernels, y)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Any, ...]:  # type: ignore[override]
        """Gradients of the input and the weights.

        Raises:
            RuntimeError: the gradients are to be differentiated again, which the kernels can't.
        """
        refuse_twice()
        x, y, *weights = ctx.saved_tensors
        kernels, g, dx = Kernels(x.dtype), grads[0].contiguous(), torch.empty_like(x)
        back = ctx.batch.back(gradient_sums(kernels, g, y))
        gradients = [torch.empty_like(weight) for weight in weights]
        kernels.call(
            "pointwise_backward",
            *(_geometry(x, weights), x.data_ptr(), _addresses(weights), y.data_ptr()),
            back.upstream(g).struct,
            *(_addresses(gradients), dx.data_ptr()),
        )
        return None, dx, *back.weights(x.dtype), *gradients
