"""Batch norm over the images of all processes, and gradients that flow between processes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from edgewise.core.processes import Processes
from edgewise.nn.noise import Noise


class _Sum(torch.autograd.Function):
    """The sum over processes; the gradient of what all of them do with it flows back to each."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, processes: Processes) -> Tensor:  # pyright: ignore[reportIncompatibleMethodOverride]
        ctx.processes = processes
        return processes.sum(x.detach().clone())

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:  # pyright: ignore[reportIncompatibleMethodOverride]
        return _Sum.apply(gradient, ctx.processes), None


class _Copies(torch.autograd.Function):
    """The tensors as they are; their gradients are means over the processes, by one sum for all of them."""

    @staticmethod
    def forward(ctx: Any, processes: Processes, *tensors: Tensor) -> tuple[Tensor, ...]:  # pyright: ignore[reportIncompatibleMethodOverride]
        ctx.processes = processes
        return tuple(tensor.view_as(tensor) for tensor in tensors)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:  # pyright: ignore[reportIncompatibleMethodOverride]
        flat = torch.cat([gradient.reshape(-1) for gradient in gradients])
        mean = _Sum.apply(flat, ctx.processes) / ctx.processes.world
        parts = mean.split([gradient.numel() for gradient in gradients])
        return None, *(part.view_as(gradient) for part, gradient in zip(parts, gradients, strict=True))


def mean_of(x: Tensor, processes: Processes) -> Tensor:
    """The mean of a tensor over the processes, differentiable as often as one likes."""
    return _Sum.apply(x, processes) / processes.world if processes.several else x


def copies(tensors: Sequence[Tensor], processes: Processes) -> list[Tensor]:
    """The same tensors in every process, whose gradients are those of the mean of all processes' losses.

    Args:
        tensors: equal in all processes.
        processes: who averages.
    """
    return list(_Copies.apply(processes, *tensors)) if processes.several else list(tensors)


def spread(x: Tensor, processes: Processes) -> Tensor:
    """The standard deviation of all values of all processes' tensors, as `Tensor.std` takes it."""
    if not processes.several:
        return x.std()
    count, mean, squares = (part.squeeze(-1) for part in _gathered(x.reshape(1, -1), 1, processes))
    total = count.sum()
    centre = (count * mean).sum() / total
    return ((squares + count * (mean - centre) ** 2).sum() / (total - 1)).sqrt().to(x.dtype)


def _gathered(x: Tensor, dim: int | tuple[int, ...], processes: Processes) -> tuple[Tensor, Tensor, Tensor]:
    """Count, mean and sum of squares about that mean over `dim`, [processes, what is left] each."""
    variance, mean = torch.var_mean(x, dim=dim, correction=0)
    count = x.numel() // mean.numel()
    own = torch.stack([torch.full_like(mean, count), mean, variance * count])
    # A row of zeros but for one's own: the sum of all processes' is the list of their values.
    places = own.new_zeros(processes.world, *own.shape)
    places = torch.cat([places[: processes.rank], own[None], places[processes.rank + 1 :]])
    every = _Sum.apply(places, processes)
    return every[:, 0], every[:, 1], every[:, 2]


def _statistics(x: Tensor, processes: Processes) -> tuple[Tensor, Tensor, Tensor]:
    """Number of values a channel, mean and variance of a batch over all processes, [C] each."""
    # The mean of half-precision numbers is taken in single precision.
    count, mean, squares = _gathered(x.float() if x.element_size() < 4 else x, (0, 2, 3), processes)
    total = count.sum(0)
    centre = (count * mean).sum(0) / total
    return total, centre, (squares + count * (mean - centre) ** 2).sum(0) / total


class _Normalise(torch.autograd.Function):
    """(x - mean) / sqrt(variance + eps) with the statistics of all processes' images.

    Source: Ioffe and Szegedy 2015, the gradient of §3, with its two sums taken over all processes.
    """

    @staticmethod
    def forward(  # pyright: ignore[reportIncompatibleMethodOverride]
        ctx: Any, x: Tensor, eps: float, processes: Processes
    ) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        total, mean, variance = _statistics(x, processes)
        ctx.save_for_backward(x, total, mean, variance)
        ctx.eps, ctx.processes = eps, processes
        ctx.mark_non_differentiable(total, mean, variance)
        return F.batch_norm(x, mean, variance, eps=eps), total, mean, variance

    @staticmethod
    def backward(ctx: Any, gradient: Tensor, *_: Tensor) -> tuple[Tensor, None, None]:  # pyright: ignore[reportIncompatibleMethodOverride]
        x, total, mean, variance = ctx.saved_tensors
        if torch.is_grad_enabled():
            # The gradient will be differentiated again: the statistics are to follow from x.
            total, mean, variance = _statistics(x, ctx.processes)
        scale = (variance + ctx.eps).rsqrt()[:, None, None]
        exact = gradient.to(mean.dtype)
        normal = (x.to(mean.dtype) - mean[:, None, None]) * scale
        sums = torch.stack([exact.sum((0, 2, 3)), (exact * normal).sum((0, 2, 3))])
        shift, tilt = (_Sum.apply(sums, ctx.processes) / total)[:, :, None, None].unbind()
        return (scale * (exact - shift - normal * tilt)).to(x.dtype), None, None


def normalise_together(x: Tensor, eps: float, processes: Processes) -> tuple[Tensor, Tensor, Tensor]:
    """Batch norm by the statistics of all processes' images; differentiable as often as one likes.

    Args:
        x: [B, C, H, W], this process's images.
        eps: added to the variance.
        processes: who shares a batch.

    Returns:
        x normalised, and the batch's mean and unbiased variance, [C] each.
    """
    out, total, mean, variance = _Normalise.apply(x, eps, processes)
    return out, mean, variance * (total / (total - 1))


class SynchronisedBatchNorm2d(nn.BatchNorm2d):
    """`nn.BatchNorm2d` whose batch are the images of all processes together.

    Its state has the names of `nn.BatchNorm2d`'s, it runs on any device, where torch's own `SyncBatchNorm` asks
    for a GPU, and it can be differentiated twice. Running statistics are the same bits in every process. Processes
    may have different numbers of images.

    Args:
        norm: the batch norm whose weights and statistics it takes over.
        processes: who shares a batch.
    """

    def __init__(self, norm: nn.BatchNorm2d, processes: Processes) -> None:
        super().__init__(
            norm.num_features, norm.eps, norm.momentum, norm.affine, track_running_stats=norm.track_running_stats
        )
        self.weight, self.bias = norm.weight, norm.bias
        self._buffers.update(norm._buffers)
        self.processes = processes
        self.train(norm.training)

    def forward(self, input: Tensor) -> Tensor:
        """Maps [B, C, H, W] to the same shape."""
        if not (self.training and self.processes.several):
            return super().forward(input)
        out, mean, unbiased = normalise_together(input, self.eps, self.processes)
        if self.track_running_stats:
            self._record(mean, unbiased)
        if self.affine:
            out = out * self.weight[:, None, None] + self.bias[:, None, None]
        return out

    @torch.no_grad()
    def _record(self, mean: Tensor, unbiased: Tensor) -> None:
        assert self.num_batches_tracked is not None
        assert self.running_mean is not None
        assert self.running_var is not None
        assert self.momentum is not None
        self.num_batches_tracked.add_(1)
        self.running_mean.lerp_(mean.to(self.running_mean.dtype), self.momentum)
        self.running_var.lerp_(unbiased.to(self.running_var.dtype), self.momentum)


def synchronise(module: nn.Module, processes: Processes) -> nn.Module:
    """Puts synchronised batch norms in the place of a network's own, and lets its noise draw for all processes.

    Args:
        module: the network; changed in place, and left alone where there is one process.
        processes: who shares a batch.
    """
    if not processes.several:
        return module
    for child in module.modules():
        if isinstance(child, Noise):
            child.processes = processes
        for name, inner in child.named_children():
            if type(inner) is nn.BatchNorm2d:
                setattr(child, name, SynchronisedBatchNorm2d(inner, processes))
    return module
