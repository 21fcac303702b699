"""What comes back to the branches of one pass."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Upstream:
    """What reaches each branch from behind: dy = a * g + b * y + d.

    Args:
        address: of g, a branch each.
        stride: between samples of g, a branch each.
        channel: [branches * channels], where each channel's plane lies in g.
        a: [branches * channels], as b and d.
        b: see a.
        d: see a.
        samples: [branches, N], what a is multiplied with for each sample; None for 1.
    """

    address: np.ndarray
    stride: np.ndarray
    channel: np.ndarray
    a: np.ndarray
    b: np.ndarray
    d: np.ndarray
    samples: np.ndarray | None = None

    @property
    def struct(self) -> tuple[int | np.ndarray | None, ...]:
        """`Upstream` in calls.h."""
        return self.address, self.stride, self.channel, self.a, self.b, self.d, self.samples
