"""Batch norms of many branches in one call, and what they record."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class Norms:
    """Normalises for a cell and keeps what its batch norms are to record, until `record` writes it at once.

    All batch norms of a cell have the same momentum and epsilon, and no affine part.

    Args:
        training: whether they use the batch's statistics.
    """

    def __init__(self, *, training: bool) -> None:
        self.training = training
        self._norms: list[nn.BatchNorm2d] = []
        self._means: list[Tensor] = []
        self._variances: list[Tensor] = []

    def __call__(self, x: Tensor, norms: Sequence[nn.BatchNorm2d], *, channels: int) -> Tensor:
        """Normalises [B, len(norms) * channels, H, W], or in training [B, channels, H, W] on behalf of all norms.

        Args:
            x: what is normalised.
            norms: one for each block of channels.
            channels: of a block.
        """
        first = norms[0]
        if not self.training:
            mean, variance = (
                torch.cat([getattr(norm, name) for norm in norms]) for name in ("running_mean", "running_var")
            )
            return F.batch_norm(x, mean, variance, eps=first.eps)
        if not first.track_running_stats:
            return F.batch_norm(x, None, None, training=True, eps=first.eps)
        assert first.running_mean is not None
        mean, variance = first.running_mean.new_zeros(2, x.shape[1]).unbind()
        out = F.batch_norm(x, mean, variance, training=True, momentum=1.0, eps=first.eps)
        copies = len(norms) * channels // x.shape[1]
        self._norms += norms
        self._means += [*mean.split(channels)] * copies
        self._variances += [*variance.split(channels)] * copies
        return out

    @torch.no_grad()
    def record(self) -> None:
        """Moves the running statistics of all batch norms that were used."""
        if not self._norms:
            return
        norms, momentum = self._norms, self._norms[0].momentum
        assert momentum is not None
        running = [getattr(norm, name) for name in ("running_mean", "running_var") for norm in norms]
        torch._foreach_lerp_(running, self._means + self._variances, momentum)
        torch._foreach_add_([norm.num_batches_tracked for norm in norms], 1)
