"""The operations that an edge can carry. All map [B, C, H, W] to [B, C, ceil(H / stride), ceil(W / stride)]."""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor, nn

from edgewise.errors import GenotypeError
from edgewise.nn.derived_on_kernels import AveragePool, PointwiseConv, SeparableConv
from edgewise.nn.factorized import FactorizedReduction, Pointwise
from edgewise.nn.noise import Noise
from edgewise.registry import Registry
from edgewise.spaces.primitives import PRIMITIVES, Primitive, PrimitiveKind


class Zero(nn.Module):
    """The primitive `none`: no connection."""

    def __init__(self, stride: int) -> None:
        super().__init__()
        self.stride = stride

    def forward(self, x: Tensor) -> Tensor:
        """Zeros of the shape that the other operations give."""
        return x[:, :, :: self.stride, :: self.stride].mul(0.0)


class Subsample(nn.Module):
    """Keeps every `stride`-th pixel of both sides."""

    def __init__(self, stride: int) -> None:
        super().__init__()
        self.stride = stride

    def forward(self, x: Tensor) -> Tensor:
        """Maps [B, C, H, W] to [B, C, ceil(H / stride), ceil(W / stride)]."""
        return x[:, :, :: self.stride, :: self.stride]


def relu_conv_norm(
    channels_in: int, channels_out: int, kernel: int = 1, *, stride: int = 1, affine: bool, bias: bool = False
) -> nn.Sequential:
    """ReLU, convolution, batch norm.

    A 1x1 convolution with stride 2 is computed as "subsample, then a matrix product", for the reason given at
    `FactorizedReduction`.

    Args:
        channels_in: channels of the input.
        channels_out: channels of the output.
        kernel: its side, odd.
        stride: 1 or 2.
        affine: whether the batch norm has a scale and a shift.
        bias: whether the convolution has a bias (no stride-2 1x1 convolution has one).
    """
    convolution: tuple[nn.Module, ...] = (
        nn.Conv2d(channels_in, channels_out, kernel, stride, kernel // 2, bias=bias),
    )
    if kernel == 1 and stride > 1:
        convolution = (Subsample(stride), Pointwise(channels_in, channels_out))
    made = PointwiseConv if kernel == 1 and stride == 1 and not bias else nn.Sequential
    return made(nn.ReLU(), *convolution, nn.BatchNorm2d(channels_out, affine=affine))


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


def separable_conv(channels: int, kernel: int, stride: int, *, affine: bool) -> SeparableConv:
    """Twice ReLU, depthwise convolution, pointwise convolution, batch norm; the stride is in the first."""
    first = _separable(channels, kernel, stride, dilation=1, affine=affine)
    return SeparableConv(*first, *_separable(channels, kernel, 1, dilation=1, affine=affine))


def dilated_conv(channels: int, kernel: int, stride: int, *, affine: bool) -> SeparableConv:
    """ReLU, depthwise convolution with dilation 2, pointwise convolution, batch norm."""
    return SeparableConv(*_separable(channels, kernel, stride, dilation=2, affine=affine))


def factored_conv(channels: int, kernel: int, stride: int, *, affine: bool) -> nn.Sequential:
    """ReLU, 1 x k convolution, k x 1 convolution, batch norm.

    `conv_7x1_1x7`, as DARTS' code writes AmoebaNet's, and NASNet's `conv_1x7_7x1` are the same operation: both
    begin with 1 x 7.
    """
    return nn.Sequential(
        nn.ReLU(),
        nn.Conv2d(channels, channels, (1, kernel), (1, stride), (0, kernel // 2), bias=False),
        nn.Conv2d(channels, channels, (kernel, 1), (stride, 1), (kernel // 2, 0), bias=False),
        nn.BatchNorm2d(channels, affine=affine),
    )


def benchmark_conv(channels: int, kernel: int, stride: int, *, affine: bool) -> nn.Sequential:
    """ReLU, convolution, batch norm; the convolution has a bias where the batch norm has no shift.

    The bias changes nothing, since the batch norm takes its mean out; it is in the authors' count of weights.

    Source: NAS-Bench-201, cell_operations.py of the authors' code.
    """
    biased = not affine and stride == 1
    return relu_conv_norm(channels, channels, kernel, stride=stride, affine=affine, bias=biased)


def _skip(channels: int, stride: int, affine: bool) -> nn.Module:
    return nn.Identity() if stride == 1 else FactorizedReduction(channels, channels, affine=affine)


Builder = Callable[[int, int, bool], nn.Module]


def _max_pool(kernel: int) -> Builder:
    return lambda channels, stride, affine: nn.MaxPool2d(kernel, stride, padding=kernel // 2)


def _of_kernel(build: Callable[..., nn.Module], kernel: int) -> Builder:
    return lambda channels, stride, affine: build(channels, kernel, stride, affine=affine)


def plain_conv(channels: int, kernel: int, stride: int, *, affine: bool) -> nn.Sequential:
    """ReLU, convolution, batch norm."""
    return relu_conv_norm(channels, channels, kernel, stride=stride, affine=affine)


OPERATIONS: Registry[Builder] = Registry("operation")
"""What makes the module of each primitive: from channels, stride and whether batch norms are affine."""

for _name, _build in {
    "none": lambda channels, stride, affine: Zero(stride),
    "max_pool_3x3": _max_pool(3),
    "max_pool_5x5": _max_pool(5),
    "max_pool_7x7": _max_pool(7),
    "avg_pool_3x3": lambda channels, stride, affine: AveragePool(stride),
    "skip_connect": _skip,
    "sep_conv_3x3": _of_kernel(separable_conv, 3),
    "sep_conv_5x5": _of_kernel(separable_conv, 5),
    "sep_conv_7x7": _of_kernel(separable_conv, 7),
    "dil_conv_3x3": _of_kernel(dilated_conv, 3),
    "dil_conv_5x5": _of_kernel(dilated_conv, 5),
    "noise": lambda channels, stride, affine: Noise(stride),
    "conv_7x1_1x7": _of_kernel(factored_conv, 7),
    "conv_1x7_7x1": _of_kernel(factored_conv, 7),
    "conv_1x3_3x1": _of_kernel(factored_conv, 3),
    "conv_1x1": _of_kernel(plain_conv, 1),
    "conv_3x3": _of_kernel(plain_conv, 3),
    "nor_conv_1x1": _of_kernel(benchmark_conv, 1),
    "nor_conv_3x3": _of_kernel(benchmark_conv, 3),
}.items():
    OPERATIONS.register(_name, _build)


def register_operation(name: str, kind: PrimitiveKind, build: Builder) -> None:
    """Adds a primitive that spaces can name.

    Args:
        name: as genotypes spell it.
        kind: what it counts as in diagnostics, derivations and pictures.
        build: from channels, stride (1 or 2) and whether batch norms have a scale and a shift to a module that
            maps [B, C, H, W] to [B, C, ceil(H / stride), ceil(W / stride)].

    Raises:
        ConfigError: the name is taken.
    """
    PRIMITIVES.register(name, Primitive(name, kind))
    OPERATIONS.register(name, build)


def operation(primitive: str, channels: int, *, stride: int, affine: bool) -> nn.Module:
    """The module of a primitive.

    Args:
        primitive: its name.
        channels: channels in and out.
        stride: 1, or 2 on the edges of a reduction cell that start at a cell input.
        affine: whether batch norms have a scale and a shift (not in a supernet).

    Raises:
        GenotypeError: no operation has that name.

    Source: DARTS, operations.py of the authors' code; NASNet §3; NAS-Bench-201 §2.1 (`nor_conv`).
    """
    if primitive not in OPERATIONS:
        raise GenotypeError(f"unknown primitive {primitive!r}; known: {', '.join(OPERATIONS)}")
    return OPERATIONS[primitive](channels, stride, affine)
