"""Batch norm over the images of all processes, and gradients that flow between processes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from edgewise.nn.noise import Noise
from edgewise.runtime.distributed import Processes


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
    total, _, squares = _over_all(*_moments(x.reshape(1, 1, 1, -1)), processes)
    return (squares / (total - 1)).sqrt().squeeze(0).to(x.dtype)


def _moments(x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Count, mean and sum of squares about that mean for each channel of [B, C, H, W], [C] each.

    In two passes: PyTorch 2.13's `var_mean` takes sixteen times as long on the CPU.
    """
    # The mean of half-precision numbers is taken in single precision.
    exact = x.float() if x.element_size() < 4 else x
    mean = exact.mean((0, 2, 3))
    centred = exact - mean[:, None, None]
    return torch.full_like(mean, x.numel() // len(mean)), mean, (centred * centred).sum((0, 2, 3))


def _over_all(count: Tensor, mean: Tensor, squares: Tensor, processes: Processes) -> tuple[Tensor, Tensor, Tensor]:
    """Count, mean and squares about the mean of all processes' values, from those of each."""
    own = torch.stack([count, mean, squares])
    # A row of zeros but for one's own: the sum of all processes' is the list of their values.
    places = own.new_zeros(processes.world, *own.shape)
    places = torch.cat([places[: processes.rank], own[None], places[processes.rank + 1 :]])
    counts, means, parts = _Sum.apply(places, processes).unbind(1)
    total = counts.sum(0)
    centre = (counts * means).sum(0) / total
    return total, centre, (parts + counts * (means - centre) ** 2).sum(0)


def _statistics(xs: Sequence[Tensor], processes: Processes) -> tuple[Tensor, Tensor, Tensor]:
    """Number of values, mean and variance of every channel of some tensors over all processes, in one exchange."""
    count, own, parts = (torch.cat(some) for some in zip(*map(_moments, xs), strict=True))
    total, mean, squares = _over_all(count, own, parts, processes)
    return total, mean, squares / total


class _Normalise(torch.autograd.Function):
    """(x - mean) / sqrt(variance + eps) for each tensor, with the statistics of all processes' images.

    Source: Ioffe and Szegedy 2015, the gradient of §3, with its two sums taken over all processes.
    """

    @staticmethod
    def forward(ctx: Any, eps: float, processes: Processes, *xs: Tensor) -> tuple[Tensor, ...]:  # pyright: ignore[reportIncompatibleMethodOverride]
        total, mean, variance = _statistics(xs, processes)
        ctx.save_for_backward(total, mean, variance, *xs)
        ctx.eps, ctx.processes = eps, processes
        unbiased = variance * (total / (total - 1))
        ctx.mark_non_differentiable(mean, unbiased)
        means, variances = (part.split(_widths(xs)) for part in (mean, variance))
        outs = [F.batch_norm(x, m, v, eps=eps) for x, m, v in zip(xs, means, variances, strict=True)]
        return *outs, mean, unbiased

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:  # pyright: ignore[reportIncompatibleMethodOverride]
        total, mean, variance, *xs = ctx.saved_tensors
        if torch.is_grad_enabled():
            # The gradient will be differentiated again: the statistics are to follow from the tensors.
            total, mean, variance = _statistics(xs, ctx.processes)
        return None, None, *_backward(gradients[: len(xs)], xs, (total, mean, variance), ctx.eps, ctx.processes)


def _widths(xs: Sequence[Tensor]) -> list[int]:
    return [x.shape[1] for x in xs]


def _backward(
    gradients: Sequence[Tensor],
    xs: Sequence[Tensor],
    statistics: tuple[Tensor, Tensor, Tensor],
    eps: float,
    processes: Processes,
) -> list[Tensor]:
    """The two sums of all tensors go through one exchange."""
    total, mean, variance = statistics
    scale = (variance + eps).rsqrt()
    means, scales = (part.split(_widths(xs)) for part in (mean, scale))
    exact = [gradient.to(mean.dtype) for gradient in gradients]
    normal = [
        (x.to(mean.dtype) - m[:, None, None]) * s[:, None, None] for x, m, s in zip(xs, means, scales, strict=True)
    ]
    straight = torch.cat([g.sum((0, 2, 3)) for g in exact])
    tilted = torch.cat([(g * n).sum((0, 2, 3)) for g, n in zip(exact, normal, strict=True)])
    sums = _Sum.apply(torch.stack([straight, tilted]), processes) / total
    shifts, tilts = (part.split(_widths(xs)) for part in sums.unbind())
    return [
        (s[:, None, None] * (g - shift[:, None, None] - n * tilt[:, None, None])).to(x.dtype)
        for x, g, n, s, shift, tilt in zip(xs, exact, normal, scales, shifts, tilts, strict=True)
    ]


def normalise_together(
    xs: Sequence[Tensor], eps: float, processes: Processes
) -> tuple[list[Tensor], Tensor, Tensor]:
    """Batch norm of some tensors by the statistics of all processes' images, differentiable as often as one likes.

    Args:
        xs: [B, C, H, W] each, with channels of their own; this process's images.
        eps: added to the variance.
        processes: who shares a batch; they exchange twice for all tensors, once here and once on the way back.

    Returns:
        The tensors normalised, and the batch's mean and unbiased variance, [all channels] each.
    """
    *outs, mean, unbiased = _Normalise.apply(eps, processes, *xs)
    return outs, mean, unbiased


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
        (out,), mean, unbiased = normalise_together([input], self.eps, self.processes)
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
