"""Forward passes of a search: the supernet with its mixture and with what the recipe's parts do to outputs."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from edgewise.data import Batch
from edgewise.methods import (
    ArchParameters,
    OutputChange,
    Recipe,
    SchedulePosition,
    TrainingPass,
)
from edgewise.methods.gradient import Weights
from edgewise.methods.schedule import START
from edgewise.nn import (
    NO_HOOKS,
    AnySupernet,
    Hooks,
    Mixture,
    copies,
    evaluation_mode,
    frozen_statistics,
    frozen_weights,
    mean_of,
)
from edgewise.runtime.compiling import Compiled
from edgewise.runtime.compute import Compute
from edgewise.runtime.random import Streams
from edgewise.search.losses import cross_entropy


class SupernetPasses:
    """Runs the supernet of a search; every pass draws anew what the recipe draws.

    Args:
        recipe: the method.
        supernet: on the device already.
        arch: alpha and beta; on the device already.
        streams: the run's random streams; every part that draws has its own.
        compute: device and precision.
        stage: which stage of the recipe this is, from 0.
    """

    def __init__(
        self,
        recipe: Recipe,
        supernet: AnySupernet,
        arch: ArchParameters,
        streams: Streams,
        compute: Compute,
        *,
        stage: int = 0,
    ) -> None:
        self.recipe = recipe
        self.supernet = supernet
        self.arch = arch
        self.streams = streams
        self.compute = compute
        self.stage = stage
        supernet.use_engine(recipe.search.engine)
        self._changes = recipe.parts_of(OutputChange)
        self._forward = supernet
        if compute.compiles_searches and not recipe.draws_in_passes:
            supernet.prepare()
            self._forward = Compiled(supernet.forward, compute.device)

    def mixture(self, position: SchedulePosition = START) -> dict[str, Mixture]:
        """The mixtures of one pass; a relaxation that samples draws anew."""
        relaxation = self.recipe.relaxation
        generator = self.streams.generator("relaxation") if relaxation.draws else None
        return self.arch.mixture(relaxation, position=position, generator=generator)

    def hooks(self, position: SchedulePosition = START) -> Hooks:
        """What the recipe does to outputs in one pass of training."""
        if not self._changes:
            return NO_HOOKS
        frozen, device = self.recipe.frozen_epochs, self.compute.device
        run = TrainingPass(self.stage, position, frozen, self.streams, device, self.compute.processes)
        return Hooks.together([part.hooks(run) for part in self._changes])

    def arch_logits(
        self,
        batch: Batch,
        position: SchedulePosition,
        weights: Weights | None = None,
    ) -> Tensor:
        """Logits of a pass that alpha and beta learn from.

        Args:
            batch: of either split; its labels are not read.
            position: how far the search, or its stage, has come.
            weights: other weights than the supernet's, by name. A pass with them leaves the running statistics of
                batch norms alone; one with the supernet's own records them, as any training step does.
        """
        inputs = (batch.x, self.mixture(position), self.arch.edge_weights(), self.hooks(position))
        if weights is None:
            with self.compute.autocast():
                return self._forward(*inputs)
        # What is differentiated by the weights is the loss of all processes' images.
        shared = dict(zip(weights, copies(list(weights.values()), self.compute.processes), strict=True))
        with self.compute.autocast(), frozen_statistics(self.supernet):
            return torch.func.functional_call(self.supernet, shared, inputs)

    def weights_logits(self, batch: Batch, position: SchedulePosition) -> Tensor:
        """Logits of a pass that the weights learn from; alpha and beta get no gradient.

        Args:
            batch: of the weights split.
            position: how far the search, or its stage, has come.
        """
        with torch.no_grad():
            mixture = self.mixture(position)
            edge_weights = self.arch.edge_weights()
            mixture = self.perturbed(mixture, edge_weights, batch, position)
        with self.compute.autocast():
            return self._forward(batch.x, mixture, edge_weights, self.hooks(position))

    def perturbed(
        self,
        mixture: dict[str, Mixture],
        edge_weights: dict[str, Tensor] | None,
        batch: Batch,
        position: SchedulePosition,
    ) -> dict[str, Mixture]:
        """The mixture that the weights learn under; alpha itself stays as it is."""

        def loss(weights: dict[str, Tensor]) -> Tensor:
            processes = self.compute.processes
            shared = zip(weights, copies(list(weights.values()), processes), strict=True)
            mixtures = {name: replace(mixture[name], weights=value) for name, value in shared}
            with evaluation_mode(self.supernet), frozen_weights(self.supernet), self.compute.autocast():
                logits = self.supernet(batch.x, mixtures, edge_weights)
                return mean_of(cross_entropy(logits, batch.y), processes)

        part = self.recipe.perturbation
        if part is None:
            return mixture
        found = part.perturb(
            {name: value.weights for name, value in mixture.items()},
            {name: self.arch.kept(name) for name in mixture},
            loss,
            part.epsilon(position),
            self.streams.generator("perturbation"),
        )
        return {name: replace(mixture[name], weights=value) for name, value in found.items()}
