"""Small parts of a recipe that are settings alone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from edgewise.config.limits import Channels, EpochsOrNone, Images


@dataclass(frozen=True)
class PartialChannels:
    """One channel in K goes through the mixed operations; the others pass.

    Args:
        k: K; 1 is DARTS.

    Source: PC-DARTS §3.2; K = 4 on CIFAR, 2 on ImageNet.
    """

    k: Channels = 4
    kind: Literal["partial_channels"] = "partial_channels"


@dataclass(frozen=True)
class EdgeNormalisation:
    """Edges have weights of their own, beta: softmax over the edges into a node.

    Source: PC-DARTS §3.3.
    """

    kind: Literal["edge_normalisation"] = "edge_normalisation"


@dataclass(frozen=True)
class WarmUp:
    """alpha and beta stay frozen for the first epochs (of every stage), while the weights learn.

    Args:
        epochs: how many.

    Source: PC-DARTS, train_search.py of the authors' code (15 of 50).
    """

    epochs: EpochsOrNone = 15
    kind: Literal["warm_up"] = "warm_up"


@dataclass(frozen=True)
class Diagnostics:
    """What a search measures about itself besides its losses; both cost time, and nothing when 0.

    Args:
        hessian_every: epochs between the largest eigenvalues of the arch loss's Hessian; 0 for never.
        gap_every: epochs between the discretisation gaps (supernet accuracy with the mixture and with the derived
            choice alone); 0 for never.
        gap_images: images of the arch split that the gap is measured on, at most.
    """

    hessian_every: EpochsOrNone = 0
    gap_every: EpochsOrNone = 0
    gap_images: Images = 1000
    kind: Literal["diagnostics"] = "diagnostics"
