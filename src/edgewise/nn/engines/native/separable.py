"""A separable or dilated convolution with affine batch norms, as a derived network trains it, on the kernels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from edgewise.nn.engines.native.affine import Batch, gradient_sums, refuse_twice
from edgewise.nn.engines.native.kernels import Convolutions, Kernels, Scaling, Shape, View
from edgewise.nn.engines.native.plan import Stage

WEIGHTS = 4
"""Tensors a stage: depthwise and pointwise weight, the batch norm's scale and shift."""


def train_separable(stages: Sequence[Stage], x: Tensor) -> Tensor:
    """The stages' output, [N, C, H', W'], as their modules give it, rounding aside; statistics are recorded.

    Args:
        stages: ReLU, depthwise and pointwise convolution and batch norm each; the stride is the first one's.
        x: [N, C, H, W], for which `can_train` is true.
    """
    weights = [tensor for stage in stages for tensor in (*stage.weights, stage.norm.weight, stage.norm.bias)]
    return SeparableFunction.apply(stages, x, *weights)


@dataclass(frozen=True)
class Passed:
    """What the backward pass needs of a stage besides tensors.

    Args:
        shape: of its input.
        dilation: of its depthwise convolution.
        into: scale and shift in front of its ReLU: the batch norm of the stage before it.
        batch: of its own batch norm.
    """

    shape: Shape
    dilation: int
    into: Scaling | None
    batch: Batch


class SeparableFunction(torch.autograd.Function):
    """The input and `WEIGHTS` tensors a stage to the output of the last stage."""

    @staticmethod
    def forward(ctx: Any, stages: Sequence[Stage], x: Tensor, *weights: Tensor) -> Tensor:
        """Computes the output and keeps what each pair of convolutions gave, before its batch norm."""
        kernels, y, into = Kernels(x.dtype), x, None
        passed, kept = [], [x]
        for stage in stages:
            n, c, h, w = y.shape
            shape = Shape(n, c, h, w, int(stage.dw.stride[0]), stage.pad)
            before, y = y, y.new_empty(n, c, *shape.out)
            pairs = Convolutions.of([(*stage.weights, stage.dilation)])
            sums = kernels.branches_forward(shape, View.of(before), c * h * w, into, pairs, y)
            batch = Batch.of(kernels, y, sums, stage.norm)
            passed.append(Passed(shape, stage.dilation, into, batch))
            kept.append(y)
            into = batch.affine
        ctx.passed = passed
        ctx.save_for_backward(*kept, *weights)
        return passed[-1].batch.normed(kernels, y)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Any, ...]:  # type: ignore[override]
        """Gradients of the input and the weights.

        Raises:
            RuntimeError: the gradients are to be differentiated again, which the kernels can't.
        """
        refuse_twice()
        passed: list[Passed] = ctx.passed
        kept, weights = ctx.saved_tensors[: len(passed) + 1], ctx.saved_tensors[len(passed) + 1 :]
        wanted, kernels = any(ctx.needs_input_grad[2:]), Kernels(kept[0].dtype)
        g, found = grads[0].contiguous(), []
        sums = gradient_sums(kernels, g, kept[-1])
        for at in reversed(range(len(passed))):
            dw, pw = weights[at * WEIGHTS : at * WEIGHTS + 2]
            stage, x, back = passed[at], kept[at], passed[at].batch.back(sums)
            gradients = (torch.empty_like(dw), torch.empty_like(pw)) if wanted else None
            dx = torch.empty_like(x)
            before = kernels.branches_backward(
                stage.shape,
                View.of(x),
                x[0].numel(),
                stage.into,
                Convolutions.of([(dw, pw, stage.dilation)]),
                kept[at + 1],
                back.upstream(g),
                None if gradients is None else Convolutions.of([(*gradients, stage.dilation)]),
                View.of(dx),
            )
            assert before is not None
            found[:0] = (*(gradients or (None, None)), *back.weights(x.dtype))
            g, sums = dx, np.ascontiguousarray(before.sum(0).T)
        return None, g, *found
