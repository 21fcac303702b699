"""The factorised reduction: halves the sides of an image without throwing pixels away."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from edgewise.nn.derived_on_kernels import OnEngine
from edgewise.nn.engines.native.affine import can_train
from edgewise.nn.engines.native.pointwise import train_pointwise


class FactorizedReduction(OnEngine):
    """ReLU, two 1x1 convolutions with stride 2 on grids that are shifted by one pixel, concatenated, BN.

    The convolutions are computed as "subsample, then a matrix product". That is the same arithmetic; PyTorch
    2.13's own stride-2 1x1 convolution corrupts the heap in its backward pass on the CPU when the input is
    channels-last and has very few channels, which is the case behind partial channels. An image with an odd side
    is padded with zeros on the right and at the bottom for the shifted grid, so that both halves have equal size.

    Args:
        channels_in: channels of the input.
        channels_out: channels of the output, at least 2; half of them from each grid, of an odd number one
            more from the shifted one.
        affine: whether the batch norm has a scale and a shift.

    Source: DARTS, operations.py of the authors' code (even sides and channels only there).
    """

    def __init__(self, channels_in: int, channels_out: int, *, affine: bool) -> None:
        super().__init__()
        self.halves = nn.ModuleList(
            Pointwise(channels_in, width) for width in (channels_out // 2, channels_out - channels_out // 2)
        )
        self.activation = nn.ReLU()
        self.norm = nn.BatchNorm2d(channels_out, affine=affine)

    def forward(self, x: Tensor) -> Tensor:
        """Maps [B, channels_in, H, W] to [B, channels_out, ceil(H / 2), ceil(W / 2)]."""
        parts = (self.activation, *self.halves, self.norm)
        if self.replaceable(parts, (nn.ReLU, Pointwise, Pointwise, nn.BatchNorm2d)):
            weights = [half.weight for half in self.halves]
            pixels = -(-x.shape[2] // 2) * -(-x.shape[3] // 2)
            if can_train([self.norm], weights, x, pixels=pixels):  # type: ignore[arg-type]
                return train_pointwise(weights, self.norm, x)  # type: ignore[arg-type]
        x = self.activation(x)
        shifted = x[:, :, 1::2, 1::2]
        if x.shape[2] % 2 or x.shape[3] % 2:
            shifted = F.pad(shifted, (0, x.shape[3] % 2, 0, x.shape[2] % 2))
        grids = (x[:, :, ::2, ::2], shifted)
        halves = [half(grid) for half, grid in zip(self.halves, grids, strict=True)]
        return self.norm(torch.cat(halves, dim=1))


class Pointwise(nn.Module):
    """A 1x1 convolution without bias, computed as a matrix product over the channels, sample by sample.

    Not by `torch.matmul`: that folds the samples into one product or not by who asks for gradients, and rounds in
    another way then.
    """

    def __init__(self, channels_in: int, channels_out: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(channels_out, channels_in, 1, 1))
        nn.init.kaiming_uniform_(self.weight, a=5**0.5)

    def forward(self, x: Tensor) -> Tensor:
        """Maps [B, channels_in, H, W] to [B, channels_out, H, W]."""
        # Not len(x): an export would take it for the number of its example, and fix the batch size.
        product = torch.bmm(self.weight.flatten(1).expand(x.shape[0], -1, -1), x.flatten(2))
        return product.unflatten(2, x.shape[2:])
