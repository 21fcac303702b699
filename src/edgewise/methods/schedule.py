"""Learning-rate schedules as functions of the epoch."""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass(frozen=True)
class SchedulePosition:
    """How far a search, or a stage of it, has come.

    Args:
        epoch: counted from 0.
        epochs: how many there are.
    """

    epoch: int
    epochs: int


START = SchedulePosition(0, 1)


def cosine(epoch: float, epochs: int, *, lr: float, lr_min: float) -> float:
    """The learning rate of an epoch: half a cosine from `lr` at epoch 0 to `lr_min` at epoch `epochs`.

    Source: SGDR, equation 5, without restarts.
    """
    return lr_min + 0.5 * (lr - lr_min) * (1.0 + math.cos(math.pi * epoch / epochs))
