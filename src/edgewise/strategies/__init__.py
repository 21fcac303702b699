"""Searches that need no gradient: genotypes are asked for, scores are told."""

# The order of these files is that of the strategies on the command line.
from edgewise.strategies.random_search import RandomSettings  # isort: skip
from edgewise.strategies.evolution import EvolutionSettings  # isort: skip
from edgewise.strategies.controller import NasnetSettings, PolicySettings, ReinforceSettings
from edgewise.strategies.neat import NeatSettings
from edgewise.strategies.strategy import STRATEGIES, Strategy, StrategySettings, register_strategy

__all__ = [
    "STRATEGIES",
    "EvolutionSettings",
    "NasnetSettings",
    "NeatSettings",
    "PolicySettings",
    "RandomSettings",
    "ReinforceSettings",
    "Strategy",
    "StrategySettings",
    "register_strategy",
]
