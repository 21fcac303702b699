"""Drop-path: in training, a whole branch is dropped for a sample now and then."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from edgewise.runtime.distributed import ALONE, Processes
from edgewise.runtime.transfer import to_device


class DropPath:
    """Sets a branch to zero with probability p for each sample on its own, and scales the others by 1 / (1 - p).

    Args:
        probability: p, from 0 to below 1.
        generator: the random stream, on the CPU.
        processes: who shares a batch; all draw for the whole of it.

    Source: FractalNet; per sample and never on identity, as in DARTS' code.
    """

    def __init__(self, probability: float, generator: torch.Generator, processes: Processes = ALONE) -> None:
        self.probability = probability
        self.generator = generator
        self.processes = processes

    def __call__(self, x: Tensor) -> Tensor:
        """Maps [B, C, H, W] to the same shape."""
        if self.probability <= 0.0:
            return x
        keep = 1.0 - self.probability
        kept = self.processes.drawn(self._draw, (x.shape[0], 1, 1, 1)) < keep
        return x * to_device(kept, x.device, x.dtype).div(keep)

    def _draw(self, shape: Sequence[int]) -> Tensor:
        return torch.rand(shape, generator=self.generator)

    def drawn(self, branches: int, like: Tensor) -> DrawnDropPath:
        """The same for one forward pass of so many branches, with everything drawn beforehand.

        Args:
            branches: how often it will be called.
            like: a batch of the pass, [B, ...].
        """
        keep = 1.0 - self.probability

        def draw(shape: Sequence[int]) -> Tensor:
            return self._draw((branches, *shape)).transpose(0, 1)

        if keep < 1.0:
            kept = self.processes.drawn(draw, (like.shape[0], 1, 1, 1)).transpose(0, 1) < keep
        else:
            kept = torch.ones(branches, like.shape[0], 1, 1, 1)
        kind = torch.promote_types(like.dtype, torch.float32)
        return DrawnDropPath(to_device(kept, like.device, kind).div(keep))


class DrawnDropPath(DropPath):
    """A drop-path that draws nothing any more, so that a pass with it can be compiled.

    Args:
        factors: what each branch's samples are multiplied with, [branches, B, 1, 1, 1], in the order of calls.
    """

    def __init__(self, factors: Tensor) -> None:
        self.factors = factors
        self.used = 0

    def __call__(self, x: Tensor) -> Tensor:
        """Maps [B, C, H, W] to the same shape."""
        factor = self.factors[self.used]
        self.used += 1
        return x * factor.to(x.dtype)


class BranchCounter(DropPath):
    """Stands in for a drop-path and counts the branches that it would have been asked for."""

    def __init__(self) -> None:
        self.branches = 0

    def __call__(self, x: Tensor) -> Tensor:
        """x as it is."""
        self.branches += 1
        return x
