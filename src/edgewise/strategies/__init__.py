"""Searches that need no gradient: genotypes are asked for, scores are told."""

from edgewise.strategies.controller_settings import NasnetSettings, PolicySettings, ReinforceSettings
from edgewise.strategies.evolution import Evolution, EvolutionSettings
from edgewise.strategies.neat import Neat
from edgewise.strategies.neat_settings import NeatSettings
from edgewise.strategies.random_search import Random, RandomSettings
from edgewise.strategies.strategy import Strategy
from edgewise.strategies.table import (
    SOURCES,
    STRATEGIES,
    StrategySettings,
    make_strategy,
    strategy_settings,
)

__all__ = [
    "SOURCES",
    "STRATEGIES",
    "Evolution",
    "EvolutionSettings",
    "NasnetSettings",
    "Neat",
    "NeatSettings",
    "PolicySettings",
    "Random",
    "RandomSettings",
    "ReinforceSettings",
    "Strategy",
    "StrategySettings",
    "make_strategy",
    "strategy_settings",
]
