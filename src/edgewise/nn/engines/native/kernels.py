"""The compiled kernels as Python functions over addresses and small NumPy tables."""

from __future__ import annotations

import ctypes
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from edgewise.nn.engines.native.build import library
from edgewise.nn.engines.native.upstream import Upstream


@dataclass(frozen=True)
class View:
    """Some planes in memory: the address of the first, and the distance between samples; `Planes` in calls.h.

    Args:
        address: of the first plane of the first sample, in bytes.
        stride: between samples, in elements.
    """

    address: int
    stride: int

    @staticmethod
    def of(tensor: Tensor, channel: int = 0) -> View:
        """A contiguous tensor [N, C, ...] from a channel on."""
        plane = tensor.stride(1)
        return View(tensor.data_ptr() + channel * plane * tensor.element_size(), tensor.stride(0))


@dataclass(frozen=True)
class Shape:
    """The planes that a kernel reads: samples, channels, height, width, stride and padding of its convolutions."""

    n: int
    c: int
    h: int
    w: int
    stride: int
    pad: int

    @property
    def out(self) -> tuple[int, int]:
        """Height and width of what comes out."""
        return -(-self.h // self.stride), -(-self.w // self.stride)

    @property
    def struct(self) -> Struct:
        """`Shape` in calls.h."""
        return self.n, self.c, self.h, self.w, self.stride, self.pad


class Scaling(NamedTuple):
    """scale * x + shift, float64 [branches * channels]."""

    scale: np.ndarray
    shift: np.ndarray


@dataclass(frozen=True)
class Norms:
    """Mean and 1 / standard deviation, float64 [branches * channels]."""

    mean: np.ndarray
    rstd: np.ndarray

    def part(self, branch: int, channels: int) -> Norms:
        """Those of one branch."""
        own = slice(branch * channels, (branch + 1) * channels)
        return Norms(self.mean[own], self.rstd[own])

    @property
    def affine(self) -> Scaling:
        """What these norms do, without a scale and a shift of their own."""
        return Scaling(self.rstd, -self.mean * self.rstd)


@dataclass(frozen=True)
class Convolutions:
    """The branches of one pass: per branch, kernel size, dilation, and the addresses of both weights."""

    k: np.ndarray
    dilation: np.ndarray
    dw: np.ndarray
    pw: np.ndarray

    @staticmethod
    def of(pairs: list[tuple[Tensor, Tensor, int]]) -> Convolutions:
        """From (depthwise weight, pointwise weight, dilation) of each branch; the weights must be contiguous."""
        if not all(weight.is_contiguous() for dw, pw, _ in pairs for weight in (dw, pw)):
            raise ValueError("the kernels take contiguous weights: call .contiguous() on them first")
        return Convolutions(
            np.array([dw.shape[-1] for dw, _, _ in pairs], dtype=np.int64),
            np.array([dilation for _, _, dilation in pairs], dtype=np.int64),
            np.array([dw.data_ptr() for dw, _, _ in pairs], dtype=np.int64),
            np.array([pw.data_ptr() for _, pw, _ in pairs], dtype=np.int64),
        )

    @property
    def struct(self) -> Struct:
        """`Convolutions` in calls.h."""
        return len(self.k), self.k, self.dilation, self.dw, self.pw


Value = int | float | np.ndarray | None
Struct = tuple[int | np.ndarray | None, ...]
"""The fields of a struct in calls.h: numbers, addresses, and tables that it points to; None for a null pointer."""


class Kernels:
    """The kernels for one type of numbers.

    Args:
        dtype: float32 or float64.
    """

    def __init__(self, dtype: torch.dtype) -> None:
        found = library()
        assert found is not None
        self._suffix = {torch.float32: "f32", torch.float64: "f64"}[dtype]
        self._library = found

    def call(self, name: str, *arguments: Value | Struct) -> None:
        """Calls a kernel by its name in cell.cpp; tables must be contiguous and writable."""
        function = getattr(self._library, f"{name}_{self._suffix}")
        function.restype = None
        function(*[_argument(value) for value in arguments])

    def branches_forward(
        self, shape: Shape, x: View, branch_stride: int, affine: Scaling | None, weights: Convolutions, y: Tensor
    ) -> np.ndarray:
        """ReLU (of affine(x), where given), depthwise and pointwise convolution of every branch.

        Returns:
            float64 [N, branches * C, 2]: sums and sums of squares of every plane of y [N, branches * C, H', W'].
        """
        nb = len(weights.k)
        sums = np.empty((shape.n, nb * shape.c, 2))
        self.call(
            "branches_forward",
            shape.struct,
            (x.address, x.stride, branch_stride, *(affine or (None, None))),
            weights.struct,
            y.data_ptr(),
            sums,
        )
        return sums

    def branches_backward(
        self,
        shape: Shape,
        x: View,
        branch_stride: int,
        affine: Scaling | None,
        weights: Convolutions,
        y: Tensor,
        upstream: Upstream,
        gradients: Convolutions | None,
        dx: View,
    ) -> np.ndarray | None:
        """The transposed pass; fills the weights' gradients, where given.

        Returns:
            None for a shared input, to whose dx is added; else float64 [N, branches * C, 2], the sums of every
            plane of dx and of dx * x.
        """
        nb = len(weights.k)
        sums = np.empty((shape.n, nb * shape.c, 2)) if branch_stride else None
        self.call(
            "branches_backward",
            shape.struct,
            (x.address, x.stride, branch_stride, *(affine or (None, None))),
            weights.struct,
            y.data_ptr(),
            upstream.struct,
            None if gradients is None else gradients.struct,
            (dx.address, dx.stride),
            sums,
        )
        return sums

    def weighted_sum(
        self,
        planes: tuple[int, int, int],
        terms: list[View],
        channels: np.ndarray,
        a: np.ndarray,
        shift: np.ndarray | None,
        out: View,
        out_channels: np.ndarray,
        *,
        add: bool,
        samples: np.ndarray | None = None,
    ) -> None:
        """out[out_channels] (+)= sum of (a[term, c] * term[channels] + shift[term, c]) * samples[term, n].

        planes is (N, C, H * W); without samples they count 1.
        """
        self.call(
            "weighted_sum",
            *planes,
            _struct(terms, channels),
            (np.ascontiguousarray(a, np.float64), shift, samples),
            (out.address, out.stride, out_channels),
            int(add),
        )

    def term_dots(
        self,
        planes: tuple[int, int, int],
        g: View,
        g_channels: np.ndarray,
        terms: list[View],
        channels: np.ndarray,
        samples: np.ndarray | None = None,
    ) -> np.ndarray:
        """float64 [terms + 1, C]: the sum of g * term over samples [N] and pixels; last, the sum of g."""
        sums = np.empty((len(terms) + 1, planes[1]))
        self.call(
            "term_dots",
            *planes,
            (g.address, g.stride, g_channels),
            _struct(terms, channels),
            samples,
            sums,
        )
        return sums

    def pools_forward(self, shape: Shape, x: View, top: Tensor | None, mean: Tensor | None) -> np.ndarray:
        """3x3 max and average pool; returns float64 [N, C, 4], sums and sums of squares of both."""
        sums = np.empty((shape.n, shape.c, 4))
        self.call("pools_forward", shape.struct, (x.address, x.stride), _address(top), _address(mean), sums)
        return sums

    def pools_backward(self, shape: Shape, x: View, top: Tensor | None, mean: Tensor | None, dx: View) -> None:
        """Adds to dx what the gradients of both pools' outputs make of it."""
        self.call(
            "pools_backward",
            shape.struct,
            (x.address, x.stride),
            _address(top),
            _address(mean),
            (dx.address, dx.stride),
        )

    def norms(
        self,
        sums: np.ndarray,
        branches: int,
        c: int,
        count: int,
        norms: list[torch.nn.BatchNorm2d],
        *,
        record: bool,
    ) -> Norms:
        """Batch statistics of branches * c channels, recorded in the batch norms if asked for.

        Args:
            sums: float64 [N, branches * c, 2] of a forward pass.
            branches: how many.
            c: channels of each.
            count: samples times pixels.
            norms: the batch norm of each branch.
            record: whether they record the statistics.
        """
        mean, rstd = np.empty(branches * c), np.empty(branches * c)
        tables: list[np.ndarray | None] = [None, None, None]
        if record:
            names = ("running_mean", "running_var", "num_batches_tracked")
            tables = [
                np.array([getattr(norm, name).data_ptr() for norm in norms], dtype=np.int64) for name in names
            ]
        self.call(
            "finish_norms",
            *(len(sums), float(count), sums, float(norms[0].eps), float(norms[0].momentum or 0.1)),
            (branches, c, *tables),
            *(mean, rstd),
        )
        return Norms(mean, rstd)


def _argument(value: Value | Struct) -> object:
    if isinstance(value, tuple):
        return (ctypes.c_int64 * len(value))(*[_field(each) for each in value])
    return ctypes.c_double(value) if isinstance(value, float) else ctypes.c_int64(_field(value))


def _field(value: int | np.ndarray | None) -> int:
    """A number, or the address of a table; 0 where there is none."""
    if isinstance(value, np.ndarray):
        # In a third of the time that `value.ctypes` takes; the buffer must be writable.
        buffer: Any = value
        return ctypes.addressof(ctypes.c_char.from_buffer(buffer)) if value.size else 0
    return 0 if value is None else int(value)


def _address(tensor: Tensor | None) -> int | None:
    return None if tensor is None else tensor.data_ptr()


def _struct(terms: list[View], channels: np.ndarray) -> Struct:
    """`Terms` in calls.h."""
    addresses = np.array([term.address for term in terms], dtype=np.int64)
    return len(terms), addresses, np.array([term.stride for term in terms], dtype=np.int64), channels
