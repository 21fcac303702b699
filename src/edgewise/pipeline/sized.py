"""What a network of a run was made for, how large it is, and what it needs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from torch import nn

from edgewise.budget import Budget, figures_of
from edgewise.data import Splits
from edgewise.export import Measured, NetworkFacts, file_size
from edgewise.methods import Recipe
from edgewise.nn import NetworkSpec, StemName
from edgewise.pipeline.networks import network_spec
from edgewise.spaces import Genotype


@dataclass(frozen=True)
class Subject:
    """What saved and exported files say of the images and classes.

    Args:
        spec: classes, channels and stem; C and cells to begin with.
        image_size: side of the images in pixels.
        class_names: in the order of the logits.
        mean: per channel.
        std: per channel.
    """

    spec: NetworkSpec
    image_size: int
    class_names: tuple[str, ...]
    mean: tuple[float, ...]
    std: tuple[float, ...]

    def facts(self, design: Genotype | str, spec: NetworkSpec) -> NetworkFacts:
        """What a saved or exported network carries with it.

        Args:
            design: its cells, or which of `HAND_MADE` it is.
            spec: its size; see `spec_of_design`.
        """
        genotype, hand_made = (design, "") if isinstance(design, Genotype) else (None, design)
        return NetworkFacts(
            genotype, spec, self.class_names, self.mean, self.std, self.image_size, hand_made=hand_made
        )


def subject_of_run(recipe: Recipe, splits: Splits, stem: StemName) -> Subject:
    """The subject of a run.

    Args:
        recipe: says C and cells to begin with.
        splits: the images.
        stem: of the networks.
    """
    normal, spec = splits.normalisation, network_spec(recipe, splits, stem)
    return Subject(spec, splits.image_size, splits.class_names, normal.mean, normal.std)


@dataclass(frozen=True)
class Sized:
    """A network's size and what it needs.

    Args:
        channels: C, or the width of a hand-made network.
        layers: cells, or blocks a stage.
        params: see `Budget`.
        macs: see `Budget`.
        ram: see `Budget`.
        measured: size and latency as results.json keeps them; empty where nothing was exported.
    """

    channels: int
    layers: int
    params: int
    macs: int
    ram: int
    measured: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def of(cls, record: Mapping[str, Any]) -> Sized:
        """Reads `record`; what else stands in it is left out."""
        own = (int(record[name]) for name in ("channels", "layers", "params", "macs", "ram"))
        return cls(*own, measured={name: record[name] for name in ("size", "latency") if name in record})

    def record(self) -> dict[str, Any]:
        """As results.json keeps it."""
        own = {name: getattr(self, name) for name in ("channels", "layers", "params", "macs", "ram")}
        return own | dict(self.measured)


def measured_record(measured: Measured, network: nn.Module, budget: Budget) -> dict[str, Any]:
    """Size and latency as results.json keeps them; with int8 the size counts a byte a weight."""
    size = file_size(measured, network, budget.element_bytes)
    return {"size": size, "latency": asdict(measured.latency) | {"threads": measured.threads}}


def shares_of(entry: Mapping[str, Any], limits: Mapping[str, float]) -> dict[str, float]:
    """The share of each limit that an entry of results.json uses."""
    figures = figures_of(entry)
    return {name: figures[name] / limit for name, limit in limits.items() if name in figures}
