"""Beta decay: a penalty that keeps the architecture parameters of an edge from growing apart too early."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal

import torch
from annotated_types import Ge
from torch import Tensor

from edgewise.methods.arch import ArchParameters
from edgewise.methods.relaxation import kept_or_least
from edgewise.methods.roles import AlphaPenalty
from edgewise.methods.schedule import SchedulePosition


@dataclass(frozen=True)
class BetaDecay(AlphaPenalty):
    """weight * epoch / epochs times the mean over a cell's edges of logsumexp(alpha[edge]), for each cell type.

    Its gradient is softmax(alpha) of each edge, over the number of edges: under it, what is strong falls faster.

    Args:
        weight: what the factor rises to, linearly; 0 switches it off.

    Source: beta-DARTS §3.2 (the Beta-Decay loss); optimizers.py of the authors' code: 50 * epoch / 100 on
    NAS-Bench-201. Neither says whether it would be projected: it is not.
    """

    weight: Annotated[float, Ge(0)] = 50.0
    kind: Literal["beta_decay"] = "beta_decay"
    sources: ClassVar[tuple[str, ...]] = ("beta-darts",)

    def penalty(self, arch: ArchParameters, position: SchedulePosition) -> Tensor:
        """See `AlphaPenalty.penalty`; primitives that an edge has dropped do not count."""
        means = [kept_or_least(alpha, arch.kept(name)).logsumexp(-1).mean() for name, alpha in arch.alpha.items()]
        return self.weight * position.epoch / position.epochs * torch.stack(means).sum()
