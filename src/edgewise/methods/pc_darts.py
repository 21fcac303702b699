"""PC-DARTS: partial channels, edge normalisation and warm-up."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

from edgewise.config.limits import Channels, EpochsOrNone
from edgewise.methods.part import Combination, Part
from edgewise.methods.stages import Stages


@dataclass(frozen=True)
class PartialChannels(Part):
    """One channel in K goes through the mixed operations; the others pass.

    Args:
        k: K; 1 is DARTS.

    Source: PC-DARTS §3.2; K = 4 on CIFAR, 2 on ImageNet.
    """

    k: Channels = 4
    kind: Literal["partial_channels"] = "partial_channels"
    sources: ClassVar[tuple[str, ...]] = ("pc-darts",)


@dataclass(frozen=True)
class EdgeNormalisation(Part):
    """Edges have weights of their own, beta: softmax over the edges into a node.

    Source: PC-DARTS §3.3.
    """

    kind: Literal["edge_normalisation"] = "edge_normalisation"
    sources: ClassVar[tuple[str, ...]] = ("pc-darts",)


@dataclass(frozen=True)
class WarmUp(Part):
    """alpha and beta stay frozen for the first epochs (of every stage), while the weights learn.

    Args:
        epochs: how many.

    Source: PC-DARTS, train_search.py of the authors' code (15 of 50).
    """

    epochs: EpochsOrNone = 15
    kind: Literal["warm_up"] = "warm_up"

    def refusals(self, recipe: Combination) -> list[str]:
        """Epochs must be left in which alpha learns."""
        total = recipe.search.epochs
        shortest, length = total, f"search.epochs = {total}"
        for stages in recipe.parts_of(Stages):
            if stages.size_faults(total):
                return []
            shortest = min(stages.lengths(total))
            length = f"a stage of {shortest} epochs ({length} in {len(stages.add_layers)} stages)"
        if self.epochs < shortest:
            return []
        return [
            f"warm_up.epochs = {self.epochs} leaves no epoch of {length} "
            "in which alpha learns: lower warm_up.epochs, raise search.epochs, or drop it (warm_up=none)"
        ]
