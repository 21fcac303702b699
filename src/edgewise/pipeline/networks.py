"""The networks that a run trains: the found one, and those it is compared with."""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from torch import nn

from edgewise.data import Splits
from edgewise.methods import Recipe
from edgewise.nn import (
    HAND_MADE,
    Cost,
    NetworkSpec,
    StemName,
    build_network,
    count_params,
    measure_cost,
    residual_network_of_size,
)
from edgewise.nn.build import build_design, spec_of_design
from edgewise.runtime.random import Streams, seeded
from edgewise.spaces import Genotype, random_genotype, space


@dataclass(frozen=True)
class Candidate:
    """A network to train.

    Args:
        name: "found", "random" or one of `HAND_MADE`.
        network: the module.
        design: its cells, or which of `HAND_MADE` it is.
        spec: its size; see `spec_of_design`.
        cost: of one image, without an auxiliary head.
    """

    name: str
    network: nn.Module
    design: Genotype | str
    spec: NetworkSpec
    cost: Cost

    @property
    def genotype(self) -> Genotype | None:
        """Its cells; None for a network made by hand."""
        return self.design if isinstance(self.design, Genotype) else None

    def record(self) -> dict[str, Any]:
        """What is known before the training."""
        return {
            "params": self.cost.params,
            "macs": self.cost.macs,
            "cells": None if self.genotype is None else self.genotype.statistics(),
            "genotype": None if self.genotype is None else self.genotype.to_dict(),
        }


def network_spec(recipe: Recipe, splits: Splits, stem: StemName) -> NetworkSpec:
    """The size of the derived network for these images."""
    return NetworkSpec(
        channels=recipe.train.channels,
        layers=recipe.train.layers,
        classes=splits.classes,
        in_channels=splits.channels,
        stem=stem,
        auxiliary=recipe.train.auxiliary > 0,
    )


def build_candidate(
    name: str,
    found: Genotype | None,
    recipe: Recipe,
    splits: Splits,
    *,
    stem: StemName,
    seed: int,
    size: Mapping[str, int] | None = None,
    design: Genotype | str | None = None,
) -> Candidate:
    """Builds the found network, a random one of the same space, or a hand-made one.

    Args:
        name: "found", "random" or one of `HAND_MADE`.
        found: the genotype of the search; None where `design` says all.
        recipe: says channels and layers where `size` does not.
        splits: say classes, image size and channels.
        stem: the stem of all of them.
        seed: of the start weights and of the random cell.
        size: `channels` and `layers` that were fitted. Without it, as in runs that version 0.1 began, a random
            network has the recipe's, and a hand-made one about as many weights as the found one.
        design: its cells, or one of `HAND_MADE`, where the name does not say that.
    """
    streams = Streams(seed)
    spec = network_spec(recipe, splits, stem)
    if design is None:
        assert found is not None
        design = name if name in HAND_MADE else cells_of(name, found, seed)
    if size is not None:
        spec = spec_of_design(design, size["channels"], size["layers"], spec)
    with seeded(streams.integer(f"weights of {name}")):
        if size is not None or isinstance(design, Genotype):
            network = build_design(design, spec)
        else:
            assert found is not None
            network = residual_network_of_size(
                measure_size(found, spec),
                layers=spec.layers,
                classes=spec.classes,
                in_channels=spec.in_channels,
                stem=stem,
            )
    cost = measure_cost(network, image_size=splits.image_size, in_channels=splits.channels)
    return Candidate(name, network, design, spec, cost)


def cells_of(name: str, found: Genotype, seed: int) -> Genotype:
    """The cells of the found or of the random network.

    Args:
        name: "found" or "random".
        found: the genotype of the search.
        seed: of the run.
    """
    if name != "random":
        return found
    return random_genotype(space(found.space), random.Random(Streams(seed).integer("random cell")))


def measure_size(genotype: Genotype, spec: NetworkSpec) -> int:
    """Number of weights of a derived network without its auxiliary head."""
    return count_params(build_network(genotype, replace(spec, auxiliary=False)))
