"""What a search measures about itself."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from edgewise.config.limits import EpochsOrNone, Images
from edgewise.methods.part import Part


@dataclass(frozen=True)
class Diagnostics(Part):
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

    def citations(self) -> tuple[str, ...]:
        """The eigenvalue's source, where it is measured."""
        return ("robust-darts",) if self.hessian_every > 0 else ()
