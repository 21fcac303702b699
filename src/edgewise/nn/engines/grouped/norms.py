"""Batch norms of many operations in one call, and what they record."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from edgewise.nn.synchronised import SynchronisedBatchNorm2d, normalise_together
from edgewise.runtime.distributed import ALONE


class Norms:
    """Normalises for a cell and keeps what its batch norms are to record, until `record` writes it at once.

    All batch norms of a cell have as many channels, the same momentum and epsilon, and no affine part.

    Args:
        known: all that may be used in this pass, each at most once.
        training: whether they use the batch's statistics.
    """

    def __init__(self, known: Sequence[nn.BatchNorm2d], *, training: bool) -> None:
        self.training = training
        first = known[0] if known else None
        self._processes = first.processes if isinstance(first, SynchronisedBatchNorm2d) else ALONE
        self._records = training and bool(known) and known[0].track_running_stats
        self._used: list[nn.BatchNorm2d] = []
        self._blocks: list[int] = []
        self._taken = 0
        if self._records:
            mean = known[0].running_mean
            assert mean is not None
            self._channels = known[0].num_features
            self._mean, self._variance = mean.new_zeros(2, len(known) * self._channels).unbind()

    def __call__(self, pairs: Sequence[tuple[Tensor, Sequence[nn.BatchNorm2d]]]) -> list[Tensor]:
        """Normalises tensors in blocks of channels; several processes exchange the statistics of all at once.

        Args:
            pairs: a tensor and its batch norms: [B, len(norms) * C, H, W], a block for each batch norm; or, in
                training, [B, C, H, W], one block on behalf of all.
        """
        if not self.training or not pairs:
            return [self._evaluate(x, norms) for x, norms in pairs]
        xs, eps = [x for x, _ in pairs], pairs[0][1][0].eps
        if not self._records:
            return self._normalise(xs, None, eps)
        size = sum(x.shape[1] for x in xs)
        outs = self._normalise(xs, [t.narrow(0, self._taken, size) for t in (self._mean, self._variance)], eps)
        for x, norms in pairs:
            first, blocks = self._taken // self._channels, x.shape[1] // self._channels
            self._blocks += [first + i % blocks for i in range(len(norms))]
            self._used += norms
            self._taken += x.shape[1]
        return outs

    def _evaluate(self, x: Tensor, norms: Sequence[nn.BatchNorm2d]) -> Tensor:
        running = [[getattr(norm, name) for norm in norms] for name in ("running_mean", "running_var")]
        return F.batch_norm(x, torch.cat(running[0]), torch.cat(running[1]), eps=norms[0].eps)

    def _normalise(self, xs: Sequence[Tensor], written: Sequence[Tensor] | None, eps: float) -> list[Tensor]:
        """By the batch's statistics; mean and variance, [all channels], are written where that is asked."""
        if self._processes.several:
            outs, *found = normalise_together(xs, eps, self._processes)
            with torch.no_grad():
                for place, value in zip(written or (), found, strict=False):
                    place.copy_(value)
            return outs
        outs, taken = [], 0
        for x in xs:
            places = (None, None) if written is None else (t.narrow(0, taken, x.shape[1]) for t in written)
            outs.append(F.batch_norm(x, *places, training=True, momentum=1.0, eps=eps))
            taken += x.shape[1]
        return outs

    def record(self) -> None:
        """Moves the running statistics of all batch norms that were used."""
        if not self._used:
            return
        momentum = self._used[0].momentum
        assert momentum is not None
        batch, running = [], []
        for tensor, name in ((self._mean, "running_mean"), (self._variance, "running_var")):
            blocks = tensor.split(self._channels)
            batch += [blocks[i] for i in self._blocks]
            running += [getattr(norm, name) for norm in self._used]
        counts = [norm.num_batches_tracked for norm in self._used if norm.num_batches_tracked is not None]
        with torch.no_grad():
            torch._foreach_lerp_(running, batch, momentum)  # type: ignore[attr-defined]
            torch._foreach_add_(counts, 1)  # type: ignore[attr-defined]
