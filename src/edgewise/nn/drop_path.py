"""Drop-path: in training, a whole branch is dropped for a sample now and then."""

from __future__ import annotations

import torch
from torch import Tensor


class DropPath:
    """Sets a branch to zero with probability p for each sample on its own, and scales the others by 1 / (1 - p).

    Args:
        probability: p, from 0 to below 1.
        generator: the random stream, on the CPU.

    Source: FractalNet; per sample and never on identity, as in DARTS' code.
    """

    def __init__(self, probability: float, generator: torch.Generator) -> None:
        self.probability = probability
        self.generator = generator

    def __call__(self, x: Tensor) -> Tensor:
        """Maps [B, C, H, W] to the same shape."""
        if self.probability <= 0.0:
            return x
        keep = 1.0 - self.probability
        kept = torch.rand(x.shape[0], 1, 1, 1, generator=self.generator) < keep
        return x * kept.to(x.device, x.dtype, non_blocking=True).div(keep)

    def drawn(self, branches: int, like: Tensor) -> DrawnDropPath:
        """The same for one forward pass of so many branches, with everything drawn beforehand.

        Args:
            branches: how often it will be called.
            like: a batch of the pass, [B, ...].
        """
        keep, shape = 1.0 - self.probability, (branches, like.shape[0], 1, 1, 1)
        kept = torch.rand(shape, generator=self.generator) < keep if keep < 1.0 else torch.ones(shape)
        return DrawnDropPath(kept.to(like.device, torch.float32, non_blocking=True).div(keep))


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
