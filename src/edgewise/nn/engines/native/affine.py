"""Affine batch norms in training, before and after kernels that leave them out."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from edgewise.nn.engines.native.build import library
from edgewise.nn.engines.native.kernels import Kernels, Norms, Scaling, View
from edgewise.nn.engines.native.upstream import Upstream

DTYPES = (torch.float32, torch.float64)


def can_train(norms: list[nn.BatchNorm2d], weights: list[Tensor], x: Tensor, *, pixels: int) -> bool:
    """Whether modules with these batch norms can run on the kernels for this input, with the numbers they give.

    Args:
        norms: in training mode, or else False.
        weights: of convolutions.
        x: the input, [N, C, H, W].
        pixels: of one image of the output.
    """
    return (
        type(x) is Tensor
        and x.device.type == "cpu"
        and x.dtype in DTYPES
        and x.is_contiguous()
        # Of one value there is no variance: PyTorch's batch norm says so.
        and x.shape[0] * pixels > 1
        and not torch.is_autocast_enabled("cpu")
        and not torch.compiler.is_compiling()
        and all(_known(norm, x.dtype) for norm in norms)
        and all(weight.dtype == x.dtype and weight.is_contiguous() for weight in weights)
        and library() is not None
    )


def _known(norm: nn.BatchNorm2d, dtype: torch.dtype) -> bool:
    return (
        # Those that know other processes' images are of another class.
        type(norm) is nn.BatchNorm2d
        and norm.training
        and norm.affine
        and norm.track_running_stats
        and norm.momentum is not None
        and norm.running_mean is not None
        and norm.running_mean.dtype == norm.weight.dtype == dtype
    )


@dataclass(frozen=True)
class Batch:
    """The statistics that a batch norm took from a batch, and what it does with them.

    Args:
        norms: mean and 1 / standard deviation.
        affine: the whole batch norm as one scale and one shift.
        count: values of a channel.
    """

    norms: Norms
    affine: Scaling
    count: int

    @staticmethod
    def of(kernels: Kernels, y: Tensor, sums: np.ndarray, norm: nn.BatchNorm2d) -> Batch:
        """The statistics of y, which are recorded.

        Args:
            kernels: for y's type.
            y: what the batch norm is given, [N, C, H, W].
            sums: float64 [N, C, 2], of its planes and of their squares.
            norm: the batch norm.
        """
        n, c, h, w = y.shape
        norms = kernels.norms(sums, 1, c, n * h * w, [norm], record=True)
        scale = norm.weight.detach().double().numpy() * norms.rstd
        shift = norm.bias.detach().double().numpy() - norms.mean * scale
        return Batch(norms, Scaling(scale, shift), n * h * w)

    def normed(self, kernels: Kernels, y: Tensor) -> Tensor:
        """What the batch norm gives."""
        planes, channels = _channels(y)
        out, scale = torch.empty_like(y), self.affine.scale[None]
        kernels.weighted_sum(
            planes, [View.of(y)], channels, scale, self.affine.shift, View.of(out), channels, add=False
        )
        return out

    def back(self, sums: np.ndarray) -> Back:
        """The way back through the batch norm.

        Args:
            sums: float64 [2, C], of g and of g * y over samples and pixels, g being the gradient behind it.

        Source: Ioffe and Szegedy 2015, §3.
        """
        norms, a = self.norms, self.affine.scale
        dgamma = norms.rstd * (sums[1] - norms.mean * sums[0])
        b = -a * norms.rstd * dgamma / self.count
        return Back(a, b, -a * sums[0] / self.count - b * norms.mean, dgamma, sums[0])


@dataclass(frozen=True)
class Back:
    """The gradient in front of a batch norm is a * g + b * y + d, float64 [C] each.

    Args:
        a: see above.
        b: see above.
        d: see above.
        gamma: the gradient of its scale.
        beta: the gradient of its shift.
    """

    a: np.ndarray
    b: np.ndarray
    d: np.ndarray
    gamma: np.ndarray
    beta: np.ndarray

    def upstream(self, g: Tensor) -> Upstream:
        """As the kernels in front of the batch norm take it.

        Args:
            g: the gradient behind it, [N, C, H, W].
        """
        view, channels = View.of(g), np.arange(len(self.a), dtype=np.int64)
        address, stride = (np.array([value], dtype=np.int64) for value in (view.address, view.stride))
        return Upstream(address, stride, channels, self.a, self.b, self.d)

    def weights(self, dtype: torch.dtype) -> tuple[Tensor, Tensor]:
        """The gradients of scale and shift as tensors."""
        return torch.from_numpy(self.gamma).to(dtype), torch.from_numpy(self.beta).to(dtype)


def gradient_sums(kernels: Kernels, g: Tensor, y: Tensor) -> np.ndarray:
    """float64 [2, C]: the sums of g and of g * y over samples and pixels, [N, C, H, W] both."""
    planes, channels = _channels(y)
    return np.ascontiguousarray(kernels.term_dots(planes, View.of(g), channels, [View.of(y)], channels)[::-1])


def refuse_twice() -> None:
    """Raises RuntimeError in a backward pass that is to be differentiated, which the kernels can't."""
    if torch.is_grad_enabled():
        raise RuntimeError(
            "the kernels of derived networks can't be differentiated twice: train with train.engine=plain, or "
            "call use_engine(network, 'plain')"
        )


def _channels(y: Tensor) -> tuple[tuple[int, int, int], np.ndarray]:
    return (y.shape[0], y.shape[1], y.shape[2] * y.shape[3]), np.arange(y.shape[1], dtype=np.int64)
