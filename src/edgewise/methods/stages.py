"""P-DARTS: stages in which the supernet grows deeper and every edge loses its weakest primitives."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Annotated, ClassVar, Literal

import torch
from annotated_types import Le
from torch import Tensor

from edgewise.config.limits import MOST_LAYERS, Few, TimesOrNone
from edgewise.methods.hessian_stop import HessianStop
from edgewise.methods.part import Combination, Part
from edgewise.methods.schedule import SchedulePosition
from edgewise.spaces.space import SPACES

AddedLayers = Annotated[int, Le(MOST_LAYERS)]


@dataclass(frozen=True)
class Stages(Part):
    """A search in stages of equal length.

    Every stage has a new supernet: its weights, alpha, beta and both optimisers start anew, as in the authors'
    code (the weights of operations that are kept are not carried over), and the learning rate's cosine starts
    again. The edges keep the strongest primitives of the stage before. Warm-up counts in every stage.

    Args:
        add_layers: per stage, how many cells more than `search.layers` the supernet has. In the skeleton of
            NAS-Bench-201 they are spread over its three stages of cells.
        primitives: per stage, how many primitives an edge has; an edge that has fewer keeps them all.

    Source: P-DARTS §3.2, train_search.py of the authors' code: 5, 11 and 17 cells; 8, 5 and 3 primitives.
    """

    add_layers: Annotated[tuple[AddedLayers, ...], Few] = (0, 6, 12)
    primitives: Annotated[tuple[TimesOrNone, ...], Few] = (8, 5, 3)
    kind: Literal["stages"] = "stages"
    sources: ClassVar[tuple[str, ...]] = ("p-darts",)

    def refusals(self, recipe: Combination) -> list[str]:
        """Sizes that do not go with each other, with the space or with the search, and a stop rule."""
        faults = self.size_faults(recipe.search.epochs)
        if recipe.parts_of(HessianStop):
            faults.append(
                "stages and stop: alpha starts anew in every stage, so eigenvalues of different stages can't be "
                "compared; drop one of them (stages=none or stop=none)"
            )
        space = SPACES.get(recipe.space)
        if space is not None and self.primitives and self.primitives[0] < len(space.primitives):
            faults.append(
                f"stages.primitives[0] = {self.primitives[0]}: the edges of space {recipe.space} start with "
                f"{len(space.primitives)} primitives, and nothing is known about them yet: give at least that many"
            )
        return faults

    def size_faults(self, epochs: int) -> list[str]:
        """What is wrong with the stages for a search of so many epochs, a sentence each."""
        faults = []
        if len(self.add_layers) != len(self.primitives) or not self.add_layers:
            faults.append(
                f"stages.add_layers has {len(self.add_layers)} entries and stages.primitives "
                f"{len(self.primitives)}: give one of each for every stage"
            )
        if any(count < 2 for count in self.primitives):
            faults.append(
                f"stages.primitives = {list(self.primitives)}: an edge keeps at least 2, of which one may be "
                "`none`"
            )
        if any(count < 0 for count in self.add_layers):
            faults.append(f"stages.add_layers = {list(self.add_layers)}: entries are 0 or more")
        if len(self.add_layers) > epochs:
            faults.append(
                f"{len(self.add_layers)} stages need at least as many epochs, and search.epochs = {epochs}: raise "
                "it, or drop the stages (stages=none)"
            )
        return faults

    def locate(self, epoch: int, epochs: int) -> tuple[int, SchedulePosition]:
        """The stage of an epoch of the whole search, and how far that stage has come."""
        starts = self._starts(epochs)
        stage = max(s for s in range(len(self.add_layers)) if starts[s] <= epoch)
        return stage, SchedulePosition(epoch - starts[stage], starts[stage + 1] - starts[stage])

    def lengths(self, epochs: int) -> list[int]:
        """The epochs of each stage of a search of so many."""
        return [stop - start for start, stop in pairwise(self._starts(epochs))]

    def _starts(self, epochs: int) -> list[int]:
        count = len(self.add_layers)
        return [stage * epochs // count for stage in range(count + 1)]


def strongest(strengths: Tensor, kept: Tensor | None, count: int) -> Tensor:
    """Marks the `count` strongest primitives of each edge among those that are kept.

    Args:
        strengths: [edges, primitives].
        kept: [edges, primitives] bool; None for all.
        count: how many remain. Equal strengths: the later primitive remains.

    Returns:
        [edges, primitives] bool, on the CPU.
    """
    values = strengths.detach().cpu().double()
    present = torch.ones_like(values, dtype=torch.bool) if kept is None else kept.cpu()
    values = values.masked_fill(~present, -1.0)
    order = values.argsort(dim=-1, stable=True, descending=False)
    top = order[:, -min(count, values.shape[-1]) :]
    return torch.zeros_like(present).scatter_(-1, top, 1) & present
