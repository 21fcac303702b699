"""A search as a task of the loop: its random streams, batches, checkpoint and trace records."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch

from edgewise.data import Augment, Batches, Images, Splits, in_order
from edgewise.errors import NonFiniteError
from edgewise.methods import ArchParameters, Recipe, derive, strongest
from edgewise.nn import StemName, SupernetSpec, build_supernet, synchronise
from edgewise.runtime.compute import Compute
from edgewise.runtime.distributed import ALONE, Processes
from edgewise.runtime.random import Streams, seeded
from edgewise.search.bilevel import BilevelSearch, SearchBatches
from edgewise.search.diagnostics import discretisation_gap, hessian_eigenvalue
from edgewise.search.distributed import without_kernels
from edgewise.search.early_stopping import EarlyStopping
from edgewise.search.memory import explaining_search_memory
from edgewise.search.records import epoch_record, step_record
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
        truth: says what a genotype really reaches, as plain values with `test_accuracy`, `rank` and `regret`; for
            the trace and the progress line alone, nothing in the search depends on it.
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
        truth: Callable[[Genotype], dict[str, Any]] | None = None,
    ) -> None:
        self.truth = truth
        self.recipe = recipe = without_kernels(recipe, compute.processes)
        self.space = space(recipe.space)
        self.streams = Streams(seed)
        self.device = str(compute.device)
        self.compute = compute
        self.early_stopping = EarlyStopping(recipe)
        self._splits = splits
        self._stem: StemName = stem
        self.search = self._build(stage=0, kept=None)
        self.batches = self._batches(splits, augment, compute)
        # Diagnostics read the arch split through a stream of their own: switching them on moves nothing else.
        self.probe = self._stream_of("diagnostics", splits.arch, splits, augment, compute)
        self.sums = EpochSums(
            len(self.space.cell_types),
            len(self.search.meter.groups),
            len(self.space.topology.edges),
            compute.device,
        )
        self._last: StepReport | None = None

    def _build(self, *, stage: int, kept: dict[str, torch.Tensor] | None) -> BilevelSearch:
        """The supernet, alpha and beta of a stage, all of them new."""
        recipe, splits, stem, compute = self.recipe, self._splits, self._stem, self.compute
        added = 0 if recipe.stages is None else recipe.stages.add_layers[stage]
        spec = SupernetSpec(
            channels=recipe.search.channels,
            layers=recipe.search.layers + added,
            classes=splits.classes,
            in_channels=splits.channels,
            stem=stem,
            k=recipe.k,
            memory=recipe.search.memory,
        )
        name = "supernet" if stage == 0 else f"supernet of stage {stage}"
        present = None if kept is None else {cell: mask.tolist() for cell, mask in kept.items()}
        with seeded(self.streams.integer(name)):
            supernet = build_supernet(self.space, spec, present).to(compute.device)
        synchronise(supernet, compute.processes)
        arch = ArchParameters(
            self.space,
            beta=recipe.edge_normalisation is not None,
            generator=self.streams.generator("arch"),
            kept=kept,
        ).to(compute.device)
        return BilevelSearch(recipe, supernet, arch, self.streams, compute, stage=stage)

    def _enter(self, stage: int) -> None:
        """Begins a stage: every edge keeps its strongest primitives, everything else is new."""
        stages, arch = self.recipe.stages, self.search.arch
        assert stages is not None
        kept = None
        if stage > 0:
            strengths = arch.strengths(self.recipe.relaxation)
            kept = {
                name: strongest(values, arch.kept(name), stages.primitives[stage])
                for name, values in strengths.items()
            }
        self.search = self._build(stage=stage, kept=kept)

    def _batches(self, splits: Splits, augment: Augment | None, compute: Compute) -> SearchBatches:
        weights, arch = (
            self._stream_of(name, images, splits, augment, compute, compute.processes)
            for name, images in (("weights", splits.weights), ("arch", splits.arch))
        )
        return SearchBatches(weights, arch)

    def _stream_of(
        self,
        name: str,
        images: Images,
        splits: Splits,
        augment: Augment | None,
        compute: Compute,
        processes: Processes = ALONE,
    ) -> Batches:
        return Batches(
            images,
            batch_size=min(self.recipe.search.batch_size, len(images)),
            generator=self.streams.generator(f"batches.{name}"),
            normalisation=splits.normalisation,
            augment=augment,
            drop_last=True,
            device=compute.device,
            processes=processes,
        )

    @property
    def epochs(self) -> int:
        """Epochs of the search: those of the recipe, those that a roll-back repeats, or those until a stop."""
        stopped = self.early_stopping.stopped
        planned = self.recipe.search.epochs if stopped is None else stopped["detected"] + 1
        return planned + self.early_stopping.shift

    @property
    def steps(self) -> int:
        """Steps of an epoch: full weights batches."""
        return len(self.batches.weights)

    def genotype(self) -> Genotype:
        """The genotype of a stopped search, else the one that alpha and beta stand for now."""
        if self.early_stopping.stopped is not None:
            return Genotype.from_dict(self.early_stopping.stopped["genotype"], where="the stopped search")
        return derive(
            self.space,
            self.search.arch,
            self.recipe.relaxation,
            self.recipe.derivation,
            source=f"edgewise {self.recipe.name}, seed {self.streams.seed}",
        )

    def step(self, epoch: int, step: int) -> dict[str, Any] | None:
        """Does one step; the record of a step is made where `search.trace_steps` asks for it."""
        scheduled = epoch - self.early_stopping.shift
        stage = self.recipe.locate(scheduled)[0]
        if stage != self.search.stage:
            self._enter(stage)
        with explaining_search_memory(self.recipe):
            report = self.search.step(self.batches, scheduled)
        self.sums.add(report)
        self._last = report
        return step_record(report, epoch, step) if self.recipe.search.trace_steps else None

    def figures(self) -> dict[str, float]:
        """Mean loss and accuracy on both splits so far this epoch."""
        loss, accuracy, _ = self.sums.weights_means()
        figures = {"loss": loss, "accuracy": accuracy}
        arch_loss, arch_accuracy, *_ = self.sums.arch_means()
        if arch_loss is not None and arch_accuracy is not None:
            figures |= {"arch loss": arch_loss, "arch accuracy": arch_accuracy}
        if self.truth is not None:
            real = self.truth(self.genotype())
            figures |= {"real test accuracy": real["test_accuracy"], "rank": real["rank"]}
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
        """The epoch's record for the trace; after it, the stop rule may end the search or roll it back."""
        scheduled = epoch - self.early_stopping.shift
        parts = {"alpha or beta": self.search.arch.parameters(), "weights": self.search.supernet.parameters()}
        self.compute.processes.check_same(parts, f"at the end of epoch {epoch + 1} of the search")
        genotype = self.genotype()
        assert self._last is not None
        record = {"phase": self.phase, "epoch": epoch} | epoch_record(self.search, self.sums, self._last, genotype)
        record |= {
            "schedule_epoch": scheduled,
            "stage": self.search.stage,
            "layers": self.search.supernet.spec.layers,
            "weight_decay": self.search.weight_decay(scheduled),
            "hessian": self._hessian(scheduled),
            "gap": self._gap(scheduled, genotype),
            "decision": None,
        }
        if self.truth is not None:
            record["truth"] = self.truth(genotype)
        if self.early_stopping.due(scheduled):
            record["decision"] = self._decide(scheduled, record)
        self.sums.reset()
        return record

    def _hessian(self, scheduled: int) -> dict[str, float] | None:
        every, last = self.recipe.diagnostics.hessian_every, self.recipe.search.epochs - 1
        asked = every > 0 and (scheduled % every == 0 or scheduled == last)
        if not asked and not self.early_stopping.due(scheduled):
            return None
        processes = self.compute.processes
        with processes.alone(), explaining_search_memory(self.recipe):
            found = hessian_eigenvalue(self.search, self.probe.next(), self.streams.generator("hessian"))
        return processes.broadcast(found)

    def _gap(self, scheduled: int, genotype: Genotype) -> dict[str, float] | None:
        diagnostics, last = self.recipe.diagnostics, self.recipe.search.epochs - 1
        every = diagnostics.gap_every
        if every == 0 or (scheduled % every and scheduled != last):
            return None
        arch = self._splits.arch
        images = Images(arch.pixels[: diagnostics.gap_images], arch.labels[: diagnostics.gap_images])
        size = min(self.recipe.search.batch_size, len(images))
        batches = in_order(images, size, self._splits.normalisation, self.compute.device)
        with self.compute.processes.alone():
            found = discretisation_gap(self.search, batches, genotype)
        return self.compute.processes.broadcast(found)

    def _decide(self, scheduled: int, record: dict[str, Any]) -> dict[str, Any] | None:
        """Hands the eigenvalue to the stop rule, and rolls back if it says so."""
        search, adaptation = self.search, self.recipe.adaptation
        # 3e-4 * 10 is a little less than 0.003.
        at_limit = adaptation is not None and search.weight_decay(scheduled) >= adaptation.most * (1 - 1e-9)
        decision = self.early_stopping.decide(
            scheduled,
            record["hessian"]["eigenvalue"],
            record["genotype"],
            state=search.state_dict,
            at_limit=at_limit,
        )
        if decision is not None and decision["action"] == "roll back":
            assert adaptation is not None
            factor = search.weight_decay_factor * adaptation.times
            search.load_state_dict(self.early_stopping.roll_back(scheduled, decision["epoch"]))
            search.weight_decay_factor = factor
        return decision

    def _all_batches(self) -> tuple[Batches, ...]:
        return self.batches.weights, self.batches.arch, self.probe

    def state_dict(self) -> dict[str, Any]:
        """Weights, alpha, beta, optimisers, streams, positions in the splits, sums of the epoch."""
        return {
            "search": self.search.state_dict(),
            "streams": self.streams.state_dict(),
            "batches": [stream.state_dict() for stream in self._all_batches()],
            "stage": self.search.stage,
            "kept": {name: self.search.arch.kept(name) for name in self.space.cell_types},
            "watch": self.early_stopping.state_dict(),
            "sums": self.sums.state_dict(),
            "torch": torch.get_rng_state(),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restores `state_dict`."""
        if state["stage"] != self.search.stage:
            self.search = self._build(stage=state["stage"], kept=state["kept"])
        self.search.load_state_dict(state["search"])
        self.early_stopping.load_state_dict(state["watch"])
        self.streams.load_state_dict(state["streams"])
        for batches, saved in zip(self._all_batches(), state["batches"], strict=True):
            batches.load_state_dict(saved)
        self.sums.load_state_dict(state["sums"])
        torch.set_rng_state(state["torch"])
