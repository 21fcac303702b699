"""The 3x3 average pool of stride 1 on the kernels."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from edgewise.nn.engines.native.affine import refuse_twice
from edgewise.nn.engines.native.kernels import Kernels


def average(x: Tensor) -> Tensor:
    """What `nn.AvgPool2d(3, 1, padding=1, count_include_pad=False)` makes of [N, C, H, W], rounding aside.

    Args:
        x: for which `can_train` is true.
    """
    return AverageFunction.apply(x)


class AverageFunction(torch.autograd.Function):
    """Planes to their averages."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        """Computes the output; nothing is kept."""
        return _call(x, back=False)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> Tensor:  # type: ignore[override]
        """The gradient of the input.

        Raises:
            RuntimeError: the gradient is to be differentiated again, which the kernels can't.
        """
        refuse_twice()
        return _call(grads[0].contiguous(), back=True)


def _call(x: Tensor, *, back: bool) -> Tensor:
    out, (n, c, h, w) = torch.empty_like(x), x.shape
    Kernels(x.dtype).call("average", n * c, h, w, x.data_ptr(), out.data_ptr(), int(back))
    return out
