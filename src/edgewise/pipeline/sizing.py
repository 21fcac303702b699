"""The size of each network of a run: the largest that meets the same limits as the others."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from torch import nn

from edgewise.budget import FIGURES, MEASURED, Budget, show_figure, show_limits
from edgewise.data import Splits
from edgewise.errors import ConfigError
from edgewise.export import Expected, Measured, for_inference, measure_export, to_metadata
from edgewise.methods import Recipe
from edgewise.nn import NetworkSpec, StemName, residual_network_of_size
from edgewise.nn.build import build_design, spec_of_design
from edgewise.nn.fit import Fitted, Fitting, largest_width
from edgewise.nn.hand_made import ALIASES, hand_made
from edgewise.pipeline.candidates import Design
from edgewise.pipeline.sized import Sized, Subject, measured_record, shares_of, subject_of_run
from edgewise.runtime.random import seeded
from edgewise.spaces import Genotype

# Cells that are tried beside the recipe's number of them, the nearest first.
NEAR = (0, -1, 1, -2, 2, 3)
FEWEST = 3


@dataclass(frozen=True)
class Sizing:
    """Fits networks to limits; nothing is trained.

    Args:
        budget: whether cells are fitted too, and bytes a value.
        limits: by the names of `FIGURES`: the budget's, or the weights of the found network.
        subject: images and classes; C and cells to begin with.
    """

    budget: Budget
    limits: Mapping[str, float]
    subject: Subject

    @classmethod
    def of(
        cls, recipe: Recipe, splits: Splits, *, stem: StemName, budget: Budget, limits: Mapping[str, float]
    ) -> Sizing:
        """What fits the networks of a recipe for a run's images.

        Args:
            recipe: says C and cells to begin with.
            splits: the images.
            stem: of the networks.
            budget: see `Sizing`.
            limits: see `Sizing`.
        """
        return cls(budget, limits, subject_of_run(recipe, splits, stem))

    def cells(self, genotype: Genotype, *, what: str) -> Sized:
        """The largest network of given cells.

        Args:
            genotype: the cells.
            what: what messages call them.

        Raises:
            ConfigError: even the narrowest network breaks a limit; says which, with its figures.
        """
        return self._fit(genotype, what).sized()

    def hand_made(self, name: str) -> Sized:
        """The largest hand-made network of a kind; see `cells`."""
        return self._fit_hand_made(name).sized()

    def check_cells(self, genotype: Genotype, *, what: str) -> None:
        """Raises ConfigError, as `cells` does, if even their smallest network breaks a counted limit."""
        self._fit(genotype, what).check()

    def check_hand_made(self, name: str) -> None:
        """Raises ConfigError, as `hand_made` does, if even the smallest breaks a counted limit."""
        self._fit_hand_made(name).check()

    def hand_made_of(self, params: int) -> Sized:
        """The residual network of about so many weights: within 5 % above or below, where there is one."""
        spec = self.subject.spec
        with seeded(0):
            near = residual_network_of_size(
                params, layers=spec.layers, classes=spec.classes, in_channels=spec.in_channels, stem=spec.stem
            )
        return self._fit_hand_made("hand").at(near.width, len(near.blocks) // 3)

    def given(self, genotype: Genotype) -> Sized:
        """The figures of the network whose size is that of the subject's spec."""
        spec = self.subject.spec
        return self._fit(genotype, "").at(spec.channels, spec.layers)

    def measure(self, network: nn.Module, design: Genotype | str, spec: NetworkSpec) -> dict[str, Any]:
        """Exports a network and measures the file; see `export` and `measured_record`."""
        return measured_record(self.export(network, design, spec), network, self.budget)

    def export(self, network: nn.Module, design: Genotype | str, spec: NetworkSpec) -> Measured:
        """Exports a network as it is, with what it carries in its metadata, and measures the file.

        Args:
            network: the network.
            design: its cells, or which of `HAND_MADE` it is.
            spec: its size; see `spec_of_design`.
        """
        return measure_export(
            network,
            image_size=self.subject.image_size,
            in_channels=self.subject.spec.in_channels,
            metadata=to_metadata(for_inference(self.subject.facts(design, spec))),
        )

    def _fit(self, genotype: Genotype, what: str) -> _Fit:
        wanted, deepens = self.subject.spec.layers, self.budget.fit_layers
        depths = [wanted + more for more in (NEAR if deepens else (0,)) if wanted + more >= FEWEST]
        return _Fit(self, genotype, what, depths, FEWEST if deepens else min(depths))

    def _fit_hand_made(self, name: str) -> _Fit:
        kind, design = hand_made(name), ALIASES.get(name, name)
        return _Fit(self, design, f"the {kind.title}", kind.depths(self.subject.spec.layers), 1)


def size_of(design: Design, sizing: Sizing, *, what: str) -> Sized:
    """The largest size of a candidate.

    Args:
        design: the candidate.
        sizing: the limits.
        what: what messages call its cells.

    Raises:
        ConfigError: it fits at no size.
    """
    return sizing.hand_made(design.name) if design.genotype is None else sizing.cells(design.genotype, what=what)


class _Fit:
    """The search for one network's size. Exports correct what is expected of sizes that were not exported.

    Args:
        sizing: the limits.
        design: its cells, or which of `HAND_MADE` it is.
        what: what messages call it.
        depths: numbers of cells to choose from, the preferred one first.
        shallowest: the fewest that are tried where none of these fits.
    """

    def __init__(
        self,
        sizing: Sizing,
        design: Genotype | str,
        what: str,
        depths: Sequence[int],
        shallowest: int,
    ) -> None:
        self._sizing = sizing
        self._design = design
        self._what = what
        self._depths, self._shallowest = depths, shallowest
        subject, value_bytes = sizing.subject, sizing.budget.element_bytes
        self._expected = Expected(
            value_bytes=value_bytes, image_size=subject.image_size, in_channels=subject.spec.in_channels
        )
        self._fitting = Fitting(
            lambda channels, layers: build_design(design, self._spec(channels, layers)),
            sizing.limits,
            subject.image_size,
            subject.spec.in_channels,
            value_bytes,
            predicted={"size": self._expected.size, "latency_ms": self._expected.latency},
        )
        self._exports: dict[tuple[int, int], dict[str, Any]] = {}

    def at(self, channels: int, layers: int) -> Sized:
        """The figures of a size."""
        figures = self._fitting.figures(channels, layers)
        measured = self._exports.get((channels, layers), {})
        return Sized(channels, layers, figures.params, figures.macs, figures.ram, measured)

    def sized(self) -> Sized:
        """The largest size that meets every limit, of the depths or, where none of them fits, of a shallower one.

        Raises:
            ConfigError: there is none.
        """
        found = self._fitting.best(self._depths, start=self._sizing.subject.spec.channels)
        if any(name in self._sizing.limits for name in MEASURED):
            found = self._measured(found)
        for layers in range(max(self._depths), self._shallowest - 1, -1) if found is None else ():
            found = found or self._widest(layers, self._fitting.least)
        if found is None:
            raise ConfigError(self._too_small())
        return self.at(found.channels, found.layers)

    def check(self) -> None:
        """Raises ConfigError if even the smallest size breaks a limit that is counted."""
        if self._fitting.share(self._fitting.least, self._shallowest, exact=True) > 1:
            raise ConfigError(self._too_small())

    def _measured(self, expected: Fitted | None) -> Fitted | None:
        """Exports what is expected to be the largest, chooses the depth anew, and finds its width by exports."""
        first = (expected.channels, expected.layers) if expected else (self._fitting.least, self._depths[0])
        self._export(*first)
        expected = self._fitting.best(self._depths, start=first[0])
        channels, layers = (expected.channels, expected.layers) if expected else first
        found = self._widest(layers, channels)
        while found is not None and found.layers + 1 in self._depths:
            if self._share(found.channels, found.layers + 1) > 1:
                break
            found = self._widest(found.layers + 1, found.channels)
        return found

    def _widest(self, layers: int, start: int) -> Fitted | None:
        """The widest network of so many cells whose figures, exported where that is needed, meet every limit."""
        least = self._fitting.least
        width = largest_width(lambda channels: self._share(channels, layers), start=max(start, least), least=least)
        return None if width is None else self._fitting.at(width, layers)

    def _share(self, channels: int, layers: int) -> float:
        limits = self._sizing.limits
        exact = self._fitting.share(channels, layers, exact=True)
        if exact > 1 or not any(name in limits for name in MEASURED):
            return exact
        if (channels, layers) not in self._exports:
            self._export(channels, layers)
        return max(exact, *shares_of(self._exports[channels, layers], limits).values())

    def _export(self, channels: int, layers: int) -> None:
        spec = self._spec(channels, layers)
        with seeded(0):  # weights that nobody trains: the run's own draws go on where they were
            network = build_design(self._design, spec)
        measured = self._sizing.export(network, self._design, spec)
        self._exports[channels, layers] = measured_record(measured, network, self._sizing.budget)
        self._expected.learn(network, measured)

    def _spec(self, channels: int, layers: int) -> NetworkSpec:
        plain = replace(self._sizing.subject.spec, auxiliary=False)
        return spec_of_design(self._design, channels, layers, plain)

    def _too_small(self) -> str:
        limits, layers = self._sizing.limits, self._shallowest
        narrowest = self._fitting.at(self._fitting.least, layers)
        values = self.at(narrowest.channels, layers).record()
        values |= {name: narrowest.used[name] * limits[name] for name in narrowest.used}
        figures = ", ".join(f"{name} {show_figure(name, values[name])}" for name in FIGURES if name in values)
        broken = ", ".join(name for name, share in narrowest.used.items() if share > 1) or "taken together"
        expected = [name for name in narrowest.used if name in MEASURED]
        depth = "cells" if isinstance(self._design, Genotype) else "blocks a stage"
        guess = f" ({' and '.join(expected)} as expected of it)" if expected and not self._exports else ""
        return (
            f"{self._what} fits the budget at no size: the smallest, {narrowest.channels} channels and {layers} "
            f"{depth}, needs {figures}{guess}, and the limits are "
            f"{show_limits(limits)} (broken: {broken}): raise what is broken, or choose smaller images "
            "(--image-size) or one byte a value (--int8)"
        )
