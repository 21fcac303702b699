"""What a part may do in a search: a class for each question that a search asks its parts.

The other three are `Relaxation`, `GradientEstimator` and `Derivation`, one of which every recipe has.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from edgewise.methods.arch import ArchParameters
from edgewise.methods.part import AddedPart, Part
from edgewise.methods.schedule import SchedulePosition
from edgewise.nn import Hooks
from edgewise.runtime.distributed import ALONE, Processes
from edgewise.runtime.random import Streams
from edgewise.spaces.topology import Direction, Topology

Mixtures = dict[str, Tensor]
"""[edges, primitives] for each cell type: rows sum to 1."""

MixtureLoss = Callable[[Mixtures], Tensor]
"""The loss of the weights batch under a mixture, a scalar."""

Kept = Mapping[str, Tensor | None]
"""[edges, primitives] bool for each cell type, the primitives that are there; None for all."""


class AlphaPenalty(AddedPart):
    """Adds to the loss from which alpha and beta learn.

    Its gradient is added behind a gradient projection, which is about the gradients of the cross-entropy; the loss
    and the conflicts that are reported are those of the cross-entropy.
    """

    def penalty(self, arch: ArchParameters, position: SchedulePosition) -> Tensor:
        """A scalar, differentiable in alpha and beta.

        Args:
            arch: alpha and beta.
            position: how far the search, or its stage, has come.
        """
        raise NotImplementedError


@dataclass(frozen=True)
class TrainingPass:
    """One forward pass of training, as a part that changes outputs sees it.

    Args:
        stage: of the search, counted from 0.
        position: how far the stage has come.
        frozen_epochs: epochs at its start in which alpha and beta do not learn.
        streams: the run's random streams, of which a part uses its own alone.
        device: where the outputs lie.
        processes: who shares the batch.
    """

    stage: int
    position: SchedulePosition
    frozen_epochs: int
    streams: Streams
    device: torch.device
    processes: Processes = ALONE


class OutputChange(AddedPart):
    """Changes outputs of operations or edges in forward passes of training."""

    def hooks(self, run: TrainingPass) -> Hooks:
        """The change of one forward pass; names every generator from which it draws."""
        raise NotImplementedError


class WeightDecayRule(AddedPart):
    """Sets the weight decay of the weights, epoch by epoch; a recipe has one at most."""

    def weight_decay(self, base: float, position: SchedulePosition, factor: float) -> float:
        """The weight decay of an epoch.

        Args:
            base: `weights.weight_decay`.
            position: how far the whole search has come.
            factor: what roll-backs have multiplied it with; 1 before the first.
        """
        raise NotImplementedError


class MixturePerturbation(Part):
    """Makes the mixture under which the weights learn another one than alpha's."""

    def epsilon(self, position: SchedulePosition) -> float:
        """The radius of an epoch."""
        raise NotImplementedError

    def perturb(
        self, mixtures: Mixtures, kept: Kept, loss: MixtureLoss, epsilon: float, generator: torch.Generator
    ) -> Mixtures:
        """The mixture that the weights learn under.

        Args:
            mixtures: alpha's.
            kept: the primitives that are there.
            loss: of the weights batch under another mixture.
            epsilon: the radius.
            generator: the part's random stream, on the CPU.
        """
        raise NotImplementedError


class AlphaGradientChange(Part):
    """Changes the gradient of alpha before the optimiser gets it."""

    direction: Direction
    """Whose conflicts are measured: those of the edges into a node ("in"), or out of one ("out")."""
    stream: ClassVar[str]
    """The random stream that it draws from."""

    def on(
        self, topology: Topology, device: torch.device | None = None
    ) -> Callable[[Tensor, torch.Generator], Tensor]:
        """The change of gradients [cell types, edges, primitives], with a random stream, for one topology."""
        raise NotImplementedError
