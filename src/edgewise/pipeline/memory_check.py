"""Whether networks of the wanted sizes fit into memory at all, before anything is searched or trained."""

from __future__ import annotations

import random
from dataclasses import replace

import torch

from edgewise.budget import EXACT
from edgewise.data import Splits
from edgewise.errors import ConfigError, GenotypeError
from edgewise.nn import HAND_MADE, StemName, SupernetSpec, build_network, build_supernet, count_params
from edgewise.pipeline.estimate import typical_genotype
from edgewise.pipeline.networks import network_spec
from edgewise.pipeline.settings import Settings
from edgewise.pipeline.sizing import Sizing
from edgewise.runtime.compute import Compute
from edgewise.runtime.memory import free_bytes
from edgewise.spaces import CellSpace, Genotype, random_genotype, space, validate
from edgewise.spaces.primitives import kind_of

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
        command: "run", "search", "train" or "select".
        genotype: the cells to train; a published network's while they are unknown.

    Raises:
        GenotypeError: `genotype` does not fit its space.
        ConfigError: a size is wrong for the space, or the weights alone need more memory than is free.
    """
    search, train = settings.search, settings.train
    with torch.device("meta"):
        if command in ("run", "search") and (search.channels > _CHANNELS or search.layers > _LAYERS):
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
        if genotype is not None or (command in ("run", "train") and large):
            cells = genotype or typical_genotype(settings.space)
            network = build_network(cells, network_spec(settings, splits, stem))
            if not settings.budget.limits:
                _check(count_params(network), "train", settings, compute)
    if command in ("run", "train") and settings.budget.limits:
        _check_budget(settings, splits, stem=stem, genotype=genotype)


def _check_budget(settings: Settings, splits: Splits, *, stem: StemName, genotype: Genotype | None) -> None:
    """Asks whether the smallest of what is known before the search fits: cells and hand-made networks."""
    limits = {name: limit for name, limit in settings.budget.limits.items() if name in EXACT}
    if not limits:
        return
    sizing = Sizing.of(settings, splits, stem=stem, budget=settings.budget, limits=limits)
    cells = genotype or least_genotype(space(settings.space))
    if cells is not None:
        sizing.check_cells(
            cells, what="a network of the given cells" if genotype else "even a network of skips alone"
        )
    for name in settings.compared if genotype is None else ():
        if name in HAND_MADE:
            sizing.check_hand_made(name)


def least_genotype(space: CellSpace) -> Genotype | None:
    """Cells whose networks need no more than those of any others: skips wherever a network can have one.

    None where skips alone make no valid cell of the space.
    """
    skip = next((name for name in space.primitives if kind_of(name) == "skip"), None)
    if skip is None:
        return None
    drawn = random_genotype(space, random.Random(0))
    cells = {
        name: replace(cell, edges=tuple(replace(edge, primitive=skip) for edge in cell.edges))
        for name, cell in drawn.cells.items()
    }
    try:
        return validate(replace(drawn, cells=cells))
    except GenotypeError:
        return None


def _check(params: int, section: str, settings: Settings, compute: Compute) -> None:
    needed, free = _BYTES * params, free_bytes(compute.device)
    if needed > free:
        sizes = getattr(settings, section)
        raise ConfigError(
            f"{section}.channels = {sizes.channels} and {section}.layers = {sizes.layers} make a network of "
            f"{params:,} weights, which need {needed / 1e9:,.1f} GB with gradients and optimiser, and "
            f"{free / 1e9:,.1f} GB are free: lower one of them"
        )
