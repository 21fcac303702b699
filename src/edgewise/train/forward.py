"""The forward pass of a training step: in the layout and, where asked for, in the compiled form that pay."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import torch
from torch import Tensor

from edgewise.nn import BranchCounter, DropPath, evaluation_mode
from edgewise.runtime.compiling import Compiled
from edgewise.runtime.compute import Compute

Logits = tuple[Tensor, Tensor | None]


class Trainable(Protocol):
    """A network with logits and, in training, auxiliary logits."""

    def training_forward(self, x: Tensor, drop_path: DropPath | None) -> Logits:
        """Maps images to logits and auxiliary logits (None without an auxiliary head)."""
        ...


class TrainingPass:
    """Images to logits.

    Batches of another size than the full one run uncompiled: compiling once more for the last batch of an epoch
    would cost more than it saves.

    Args:
        network: a module that is `Trainable`; on the device already.
        compute: device, layout, and whether to compile.
        batch_size: of a full batch.
        drops: whether drop-path will be switched on at some time.
    """

    def __init__(self, network: torch.nn.Module, compute: Compute, *, batch_size: int, drops: bool) -> None:
        self._network = network
        self._channels_last = compute.channels_last
        if self._channels_last:
            network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self._batch_size = batch_size
        self._drops = drops
        self._branches: int | None = None
        self._compiled: Callable[[Tensor, DropPath | None], Logits] | None = None
        if compute.compiles:
            self._compiled = Compiled(self._plain, compute.device)

    @property
    def _plain(self) -> Callable[[Tensor, DropPath | None], Logits]:
        network: Trainable = self._network  # type: ignore[assignment]
        return network.training_forward

    def __call__(self, x: Tensor, drop_path: DropPath) -> Logits:
        """Logits and auxiliary logits.

        Args:
            x: [B, C, H, W].
            drop_path: of this step.
        """
        if self._channels_last:
            x = x.contiguous(memory_format=torch.channels_last)
        if self._compiled is None and x.is_cpu:
            return self._plain(x, drop_path)
        # Drawn together: a compiled pass draws nothing, and an accelerator is sent one table instead of many.
        drawn = drop_path.drawn(self._count(x), x) if self._drops else None
        if self._compiled is None or len(x) != self._batch_size:
            return self._plain(x, drawn)
        return self._compiled(x, drawn)

    @torch.no_grad()
    def _count(self, x: Tensor) -> int:
        """How many branches one pass asks drop-path for."""
        if self._branches is None:
            counter = BranchCounter()
            with evaluation_mode(self._network):
                self._plain(x[:1], counter)
            self._branches = counter.branches
        return self._branches
