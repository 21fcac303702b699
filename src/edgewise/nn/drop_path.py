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
