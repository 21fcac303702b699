"""Small networks with statistics that are not the defaults."""

from __future__ import annotations

import random

import pytest
import torch

from edgewise.export import NetworkFacts
from edgewise.nn import AnyNetwork, NetworkSpec, build_network
from edgewise.runtime.random import seeded
from edgewise.spaces import DARTS, Genotype, random_genotype


def make(
    genotype: Genotype | None = None,
    *,
    size: int = 16,
    channels: int = 3,
    classes: int = 4,
    stem: str = "cifar",
    auxiliary: bool = False,
) -> tuple[AnyNetwork, NetworkFacts]:
    """A network whose batch norms have seen images, and its facts."""
    genotype = genotype or random_genotype(DARTS, random.Random(3))
    spec = NetworkSpec(
        channels=8,
        layers=3,
        classes=classes,
        in_channels=channels,
        stem=stem,  # type: ignore[arg-type]
        auxiliary=auxiliary,
    )
    with seeded(1):
        network = build_network(genotype, spec).train()
        network(torch.randn(8, channels, size, size))
    names = tuple(f"class {i}" for i in range(classes))
    means, stds = (0.4, 0.5, 0.6)[:channels], (0.2, 0.25, 0.3)[:channels]
    return network.eval(), NetworkFacts(genotype, spec, names, means, stds, size)


@pytest.fixture
def made() -> tuple[AnyNetwork, NetworkFacts]:
    return make()


def images(facts: NetworkFacts, count: int = 3) -> torch.Tensor:
    shape = (count, facts.spec.in_channels, facts.image_size, facts.image_size)
    return torch.rand(shape, generator=torch.Generator().manual_seed(5))
