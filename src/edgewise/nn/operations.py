"""The operations that an edge can carry. All map [B, C, H, W] to [B, C, ceil(H / stride), ceil(W / stride)]."""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor, nn

from edgewise.core.errors import GenotypeError
from edgewise.nn.factorized import FactorizedReduction
from edgewise.nn.noise import Noise


class Zero(nn.Module):
    """The primitive `none`: no connection."""

    def __init__(self, stride: int) -> None:
        super().__init__()
        self.stride = stride

    def forward(self, x: Tensor) -> Tensor:
        """Zeros of the shape that the other operations give."""
        return x[:, :, :: self.stride, :: self.stride].mul(0.0)


def relu_conv_norm(channels_in: int, channels_out: int, *, affine: bool) -> nn.Sequential:
    """ReLU, 1x1 convolution, batch norm: brings a cell's input to the cell's channels."""
    return nn.Sequential(
        nn.ReLU(),
        nn.Conv2d(channels_in, channels_out, 1, bias=False),
        nn.BatchNorm2d(channels_out, affine=affine),
    )


def _separable(channels: int, kernel: int, stride: int, *, dilation: int, affine: bool) -> list[nn.Module]:
    return [
        nn.ReLU(),
        nn.Conv2d(
            channels,
            channels,
            kernel,
            stride=stride,
            padding=dilation * (kernel - 1) // 2,
            dilation=dilation,
            groups=channels,
            bias=False,
        ),
        nn.Conv2d(channels, channels, 1, bias=False),
        nn.BatchNorm2d(channels, affine=affine),
    ]


def separable_conv(channels: int, kernel: int, stride: int, *, affine: bool) -> nn.Sequential:
    """Twice ReLU, depthwise convolution, pointwise convolution, batch norm; the stride is in the first."""
    first = _separable(channels, kernel, stride, dilation=1, affine=affine)
    return nn.Sequential(*first, *_separable(channels, kernel, 1, dilation=1, affine=affine))


def dilated_conv(channels: int, kernel: int, stride: int, *, affine: bool) -> nn.Sequential:
    """ReLU, depthwise convolution with dilation 2, pointwise convolution, batch norm."""
    return nn.Sequential(*_separable(channels, kernel, stride, dilation=2, affine=affine))


def factored_conv(channels: int, kernel: int, stride: int, *, affine: bool) -> nn.Sequential:
    """ReLU, 1 x k convolution, k x 1 convolution, batch norm."""
    return nn.Sequential(
        nn.ReLU(),
        nn.Conv2d(channels, channels, (1, kernel), (1, stride), (0, kernel // 2), bias=False),
        nn.Conv2d(channels, channels, (kernel, 1), (stride, 1), (kernel // 2, 0), bias=False),
        nn.BatchNorm2d(channels, affine=affine),
    )


def _skip(channels: int, stride: int, affine: bool) -> nn.Module:
    return nn.Identity() if stride == 1 else FactorizedReduction(channels, channels, affine=affine)


Builder = Callable[[int, int, bool], nn.Module]

OPERATIONS: dict[str, Builder] = {
    "none": lambda channels, stride, affine: Zero(stride),
    "max_pool_3x3": lambda channels, stride, affine: nn.MaxPool2d(3, stride, padding=1),
    "avg_pool_3x3": lambda channels, stride, affine: nn.AvgPool2d(3, stride, padding=1, count_include_pad=False),
    "skip_connect": _skip,
    "sep_conv_3x3": lambda channels, stride, affine: separable_conv(channels, 3, stride, affine=affine),
    "sep_conv_5x5": lambda channels, stride, affine: separable_conv(channels, 5, stride, affine=affine),
    "sep_conv_7x7": lambda channels, stride, affine: separable_conv(channels, 7, stride, affine=affine),
    "dil_conv_3x3": lambda channels, stride, affine: dilated_conv(channels, 3, stride, affine=affine),
    "dil_conv_5x5": lambda channels, stride, affine: dilated_conv(channels, 5, stride, affine=affine),
    "noise": lambda channels, stride, affine: Noise(stride),
    "conv_7x1_1x7": lambda channels, stride, affine: factored_conv(channels, 7, stride, affine=affine),
}


def operation(primitive: str, channels: int, *, stride: int, affine: bool) -> nn.Module:
    """The module of a primitive.

    Args:
        primitive: its name.
        channels: channels in and out.
        stride: 1, or 2 on the edges of a reduction cell that start at a cell input.
        affine: whether batch norms have a scale and a shift (not in a supernet).

    Raises:
        GenotypeError: no operation has that name.

    Source: DARTS, operations.py of the authors' code.
    """
    if primitive not in OPERATIONS:
        raise GenotypeError(f"unknown primitive {primitive!r}; known: {', '.join(OPERATIONS)}")
    return OPERATIONS[primitive](channels, stride, affine)
