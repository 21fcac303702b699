"""A search as a task of the loop: its random streams, batches, checkpoint and trace records."""

from __future__ import annotations

from typing import Any

import torch

from edgewise.core.compute import Compute
from edgewise.core.errors import NonFiniteError
from edgewise.core.seeding import seeded
from edgewise.core.streams import Streams
from edgewise.data import Augment, Batches, Splits
from edgewise.methods import ArchParameters, Recipe, derive
from edgewise.nn import StemName, Supernet, SupernetSpec
from edgewise.search.bilevel import BilevelSearch, SearchBatches
from edgewise.search.step import EpochSums, StepReport
from edgewise.spaces import Genotype, space


class SearchTask:
    """One search, resumable at every step.

    Args:
        recipe: the method and its sizes.
        splits: the images; the test split is not opened.
        augment: what is done to training images.
        stem: the supernet's stem.
        seed: the seed of every random stream of the search.
        compute: device and precision.
    """

    phase = "search"
    title = "search"

    def __init__(
        self,
        recipe: Recipe,
        splits: Splits,
        augment: Augment | None,
        *,
        stem: StemName,
        seed: int,
        compute: Compute,
    ) -> None:
        self.recipe = recipe
        self.space = space(recipe.space)
        self.streams = Streams(seed)
        self.device = str(compute.device)
        self.search = self._build(splits, stem, compute)
        self.batches = self._batches(splits, augment, compute)
        self.sums = EpochSums(len(self.space.cell_types), len(self.search.meter.groups), compute.device)
        self._last: StepReport | None = None

    def _build(self, splits: Splits, stem: StemName, compute: Compute) -> BilevelSearch:
        recipe = self.recipe
        spec = SupernetSpec(
            channels=recipe.search.channels,
            layers=recipe.search.layers,
            classes=splits.classes,
            in_channels=splits.channels,
            stem=stem,
            k=recipe.k,
        )
        with seeded(self.streams.integer("supernet")):
            supernet = Supernet(self.space, spec).to(compute.device)
        arch = ArchParameters(
            self.space,
            beta=recipe.edge_normalisation is not None,
            generator=self.streams.generator("arch"),
        ).to(compute.device)
        return BilevelSearch(recipe, supernet, arch, self.streams, compute)

    def _batches(self, splits: Splits, augment: Augment | None, compute: Compute) -> SearchBatches:
        weights, arch = (
            Batches(
                images,
                batch_size=min(self.recipe.search.batch_size, len(images)),
                generator=self.streams.generator(f"batches.{name}"),
                normalisation=splits.normalisation,
                augment=augment,
                drop_last=True,
                device=compute.device,
            )
            for name, images in (("weights", splits.weights), ("arch", splits.arch))
        )
        return SearchBatches(weights, arch)

    @property
    def epochs(self) -> int:
        """Epochs of the search."""
        return self.recipe.search.epochs

    @property
    def steps(self) -> int:
        """Steps of an epoch: full weights batches."""
        return len(self.batches.weights)

    def genotype(self) -> Genotype:
        """The genotype that alpha and beta stand for now."""
        return derive(
            self.space,
            self.search.arch,
            self.recipe.relaxation,
            self.recipe.derivation,
            source=f"edgewise {self.recipe.name}, seed {self.streams.seed}",
        )

    def step(self, epoch: int, step: int) -> dict[str, Any] | None:
        """Does one step; the record of a step is made where `search.trace_steps` asks for it."""
        report = self.search.step(self.batches, epoch)
        self.sums.add(report)
        self._last = report
        return self._step_record(report, epoch, step) if self.recipe.search.trace_steps else None

    def figures(self) -> dict[str, float]:
        """Mean loss and accuracy on both splits so far this epoch."""
        loss, accuracy, _ = self.sums.weights_means()
        figures = {"loss": loss, "accuracy": accuracy}
        arch_loss, arch_accuracy, *_ = self.sums.arch_means()
        if arch_loss is not None and arch_accuracy is not None:
            figures |= {"arch loss": arch_loss, "arch accuracy": arch_accuracy}
        return figures

    def check_finite(self, epoch: int) -> None:
        """Raises NonFiniteError if a loss, gradient norm, alpha or beta is not finite."""
        names = ("weights loss", "weights accuracy", "weights gradient")
        arch_names = ("arch loss", "arch accuracy", "alpha gradient", "beta gradient")
        means = zip(names + arch_names, [*self.sums.weights_means(), *self.sums.arch_means()], strict=True)
        for name, value in means:
            if value is not None and not abs(value) < float("inf"):
                raise NonFiniteError(f"{name} is {value} in epoch {epoch + 1} of the search")
        self.search.arch.check_finite(f"in epoch {epoch + 1}")

    def finish_epoch(self, epoch: int) -> dict[str, Any]:
        """The epoch's record for the trace."""
        loss, accuracy, grad_norm = self.sums.weights_means()
        arch_loss, arch_accuracy, alpha_norm, beta_norm = self.sums.arch_means()
        arch = self.search.arch
        genotype = self.genotype()
        assert self._last is not None
        record = {
            "phase": self.phase,
            "epoch": epoch,
            "steps": self.sums.steps,
            "arch_steps": self.sums.arch_steps,
            "weights_loss": loss,
            "weights_accuracy": accuracy,
            "arch_loss": arch_loss,
            "arch_accuracy": arch_accuracy,
            "lr": self._last.lr,
            "arch_lr": self._last.arch_lr,
            "weights_grad_norm": grad_norm,
            "alpha_grad_norm": alpha_norm,
            "beta_grad_norm": beta_norm if len(arch.beta) else None,
            "alpha": {name: alpha.tolist() for name, alpha in arch.alpha.items()},
            "beta": {name: beta.tolist() for name, beta in arch.beta.items()} if len(arch.beta) else None,
            "genotype": genotype.to_dict(),
            "skips": {name: cell.skips for name, cell in genotype.cells.items()},
            "pools": {name: cell.pools for name, cell in genotype.cells.items()},
            "conflicts": self._conflicts(),
        }
        self.sums.reset()
        return record

    def _conflicts(self) -> dict[str, Any] | None:
        if not self.sums.arch_steps:
            return None
        before, after = self.sums.conflict_means()
        groups = [
            {
                "cell": cell_type,
                "node": node,
                "edges": len(edges),
                "steps": self.sums.arch_steps,
                "conflict_rate_before": before[c][g][0],
                "conflict_rate_after": after[c][g][0],
                "cosine_before": before[c][g][1],
                "cosine_after": after[c][g][1],
            }
            for c, cell_type in enumerate(self.search.arch.alpha)
            for g, (node, edges) in enumerate(self.search.meter.groups)
        ]
        projection = self.recipe.projection
        return {
            "direction": self.search.meter.direction,
            "projected": projection is not None,
            "order": None if projection is None else projection.order,
            "groups": groups,
        }

    def _step_record(self, report: StepReport, epoch: int, step: int) -> dict[str, Any]:
        record: dict[str, Any] = {
            "phase": "search-step",
            "epoch": epoch,
            "step": step,
            "weights_loss": report.loss.item(),
            "weights_accuracy": report.accuracy.item(),
            "weights_grad_norm": report.grad_norm.item(),
        }
        if report.arch is not None:
            record |= {
                "arch_loss": report.arch.loss.item(),
                "arch_accuracy": report.arch.accuracy.item(),
                "alpha_grad_norm": report.arch.alpha_norm.item(),
                "conflicts_before": report.arch.before.tolist(),
                "conflicts_after": report.arch.after.tolist(),
            }
        return record

    def state_dict(self) -> dict[str, Any]:
        """Weights, alpha, beta, optimisers, streams, positions in the splits, sums of the epoch."""
        return {
            "search": self.search.state_dict(),
            "streams": self.streams.state_dict(),
            "batches": [self.batches.weights.state_dict(), self.batches.arch.state_dict()],
            "sums": self.sums.state_dict(),
            "torch": torch.get_rng_state(),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restores `state_dict`."""
        self.search.load_state_dict(state["search"])
        self.streams.load_state_dict(state["streams"])
        for batches, saved in zip((self.batches.weights, self.batches.arch), state["batches"], strict=True):
            batches.load_state_dict(saved)
        self.sums.load_state_dict(state["sums"])
        torch.set_rng_state(state["torch"])
