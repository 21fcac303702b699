"""Whether networks of the wanted sizes fit into memory at all, before anything is searched or trained."""

from __future__ import annotations

import torch

from edgewise.core.compute import Compute
from edgewise.core.errors import ConfigError
from edgewise.core.memory import free_bytes
from edgewise.data import Splits
from edgewise.nn import StemName, SupernetSpec, build_network, build_supernet, count_params
from edgewise.pipeline.estimate import typical_genotype
from edgewise.pipeline.networks import network_spec
from edgewise.pipeline.settings import Settings
from edgewise.spaces import Genotype, space

# Below these, weights are small beside any memory: they need not be counted.
_CHANNELS, _LAYERS = 128, 64
# Weights, their gradients and the optimiser's memory of them, in float32.
_BYTES = 3 * 4


def check_sizes(
    settings: Settings,
    splits: Splits,
    *,
    stem: StemName,
    compute: Compute,
    command: str,
    genotype: Genotype | None,
) -> None:
    """Counts the weights of the supernet and of the network that is trained, without making them.

    Args:
        settings: the run's.
        splits: the run's.
        stem: of the networks.
        compute: says on which device they will lie.
        command: "run", "search" or "train".
        genotype: the cells to train; a published network's while they are unknown.

    Raises:
        GenotypeError: `genotype` does not fit its space.
        ConfigError: a size is wrong for the space, or the weights alone need more memory than is free.
    """
    search, train = settings.search, settings.train
    with torch.device("meta"):
        if command != "train" and (search.channels > _CHANNELS or search.layers > _LAYERS):
            spec = SupernetSpec(
                channels=search.channels,
                layers=search.layers,
                classes=splits.classes,
                in_channels=splits.channels,
                stem=stem,
                k=settings.k,
            )
            _check(count_params(build_supernet(space(settings.space), spec)), "search", settings, compute)
        large = train.channels > _CHANNELS or train.layers > _LAYERS
        if genotype is not None or (command != "search" and large):
            cells = genotype or typical_genotype(settings.space)
            network = build_network(cells, network_spec(settings, splits, stem))
            _check(count_params(network), "train", settings, compute)


def _check(params: int, section: str, settings: Settings, compute: Compute) -> None:
    needed, free = _BYTES * params, free_bytes(compute.device)
    if needed > free:
        sizes = getattr(settings, section)
        raise ConfigError(
            f"{section}.channels = {sizes.channels} and {section}.layers = {sizes.layers} make a network of "
            f"{params:,} weights, which need {needed / 1e9:,.1f} GB with gradients and optimiser, and "
            f"{free / 1e9:,.1f} GB are free: lower one of them"
        )
