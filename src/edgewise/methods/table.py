"""The one table of recipes: the command line, the docs, `cite` and the combination tests read it."""

from __future__ import annotations

from dataclasses import replace

from edgewise.core.errors import ConfigError
from edgewise.methods.parts import EdgeNormalisation, PartialChannels, WarmUp
from edgewise.methods.projection import Projection
from edgewise.methods.recipe import ArchSettings, Recipe, SearchSettings, WeightsSettings

DARTS_V1 = Recipe(
    name="darts",
    summary="DARTS, first order",
    search=SearchSettings(batch_size=64),
    weights=WeightsSettings(lr=0.025, lr_min=0.001),
    arch=ArchSettings(lr=3e-4),
    sources=("darts",),
)

PC_DARTS = Recipe(
    name="pc-darts",
    summary="PC-DARTS: partial channels (K = 4) and edge normalisation",
    channels=PartialChannels(k=4),
    edge_normalisation=EdgeNormalisation(),
    warm_up=WarmUp(epochs=15),
    sources=("darts",),
)

PC_DARTS_GP = replace(
    PC_DARTS,
    name="pc-darts-gp",
    summary="PC-DARTS with gradient projection between the edges into a node, in random order",
    projection=Projection("in", "random"),
)

RECIPES: dict[str, Recipe] = {recipe.name: recipe for recipe in (DARTS_V1, PC_DARTS, PC_DARTS_GP)}


def recipe(name: str) -> Recipe:
    """The recipe called `name`.

    Raises:
        ConfigError: no recipe has that name.
    """
    if name not in RECIPES:
        raise ConfigError(f"unknown recipe {name!r}: choose one of {', '.join(RECIPES)}, or a TOML file")
    return RECIPES[name]
