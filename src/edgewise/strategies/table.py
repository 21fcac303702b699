"""The one table of strategies: the command line, the docs and the tests read it."""

from __future__ import annotations

from edgewise.errors import ConfigError
from edgewise.spaces import CellSpace
from edgewise.strategies.controller_settings import NasnetSettings, ReinforceSettings
from edgewise.strategies.evolution import Evolution, EvolutionSettings
from edgewise.strategies.neat import Neat
from edgewise.strategies.neat_settings import NeatSettings
from edgewise.strategies.random_search import Random, RandomSettings
from edgewise.strategies.strategy import Strategy

StrategySettings = RandomSettings | EvolutionSettings | ReinforceSettings | NasnetSettings | NeatSettings

STRATEGIES: dict[str, type[StrategySettings]] = {
    "random": RandomSettings,
    "evolution": EvolutionSettings,
    "reinforce": ReinforceSettings,
    "nasnet": NasnetSettings,
    "neat": NeatSettings,
}

SOURCES: dict[str, tuple[str, ...]] = {
    "random": (),
    "evolution": ("amoebanet",),
    "reinforce": ("nasnet",),
    "nasnet": ("nasnet",),
    "neat": ("neat",),
}
"""Citation keys of each strategy."""


def strategy_settings(name: str) -> StrategySettings:
    """The settings of a strategy, all at their defaults.

    Raises:
        ConfigError: no strategy has that name.
    """
    if name not in STRATEGIES:
        raise ConfigError(f"unknown strategy {name!r}: choose one of {', '.join(STRATEGIES)}")
    return STRATEGIES[name]()


def make_strategy(settings: StrategySettings, space: CellSpace, *, seed: int) -> Strategy:
    """A strategy at its beginning.

    Args:
        settings: which one, and its constants.
        space: what is searched.
        seed: the run's seed.
    """
    if isinstance(settings, RandomSettings):
        return Random(settings, space, seed)
    if isinstance(settings, EvolutionSettings):
        return Evolution(settings, space, seed)
    if isinstance(settings, NeatSettings):
        return Neat(settings, space, seed)
    from edgewise.strategies.controller import Controller

    return Controller(settings, space, seed)
