"""Regularised evolution: the oldest dies, not the worst."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

from edgewise.config.limits import Times
from edgewise.errors import ConfigError
from edgewise.spaces import CellSpace, Genotype
from edgewise.spaces.decisions import choices_of, genotype_of, neighbour, random_choices
from edgewise.strategies.strategy import (
    Asked,
    Strategy,
    StrategySettings,
    load_stream,
    own_stream,
    register_strategy,
    stream_state,
)

Choices = tuple[int, ...]


@register_strategy
@dataclass(frozen=True)
class EvolutionSettings(StrategySettings):
    """The population is filled at random; then the best of a sample is mutated, and the oldest member dies.

    Args:
        kind: "evolution".
        population: members that live at a time.
        sample: how many are drawn without replacement to choose a parent from.
        batch: how many children are asked for before a score is told; 1 is the published algorithm, more keeps
            more workers busy.

    Raises:
        ConfigError: the sample is larger than the population.

    Source: Real et al. 2019, algorithm 1 and §2.2: population 100, sample 25. Deviation: no identity mutation.
    """

    kind: Literal["evolution"] = "evolution"
    sources: ClassVar[tuple[str, ...]] = ("amoebanet",)
    population: Times = 100
    sample: Times = 25
    batch: Times = 1

    def __post_init__(self) -> None:
        if self.sample > self.population:
            raise ConfigError(
                f"a sample of {self.sample} can't be drawn from a population of {self.population}: lower sample"
            )

    def make(self, space: CellSpace, *, seed: int) -> Strategy:
        """See `StrategySettings.make`."""
        return Evolution(self, space, seed)


class Evolution:
    """See `EvolutionSettings`.

    Args:
        settings: population and sample.
        space: what is searched.
        seed: the run's seed.
    """

    def __init__(self, settings: EvolutionSettings, space: CellSpace, seed: int) -> None:
        self.settings = settings
        self.space = space
        self._rng = own_stream(seed, "evolution")
        self._population: deque[tuple[Choices, float]] = deque()
        self._asked = Asked(lambda choices: genotype_of(space, choices, source="edgewise evolution"))

    @property
    def width(self) -> int:
        """What is missing in the population, or what is left of the batch."""
        missing = self.settings.population - len(self._population) - len(self._asked)
        return missing if missing > 0 else max(self.settings.batch - len(self._asked), 1)

    def ask(self) -> Genotype:
        """A random genotype until the population is full, then a child."""
        known = len(self._population)
        if known + len(self._asked) < self.settings.population or not known:
            return self._asked.add(random_choices(self.space, self._rng))
        drawn = self._rng.sample(list(self._population), min(self.settings.sample, known))
        parent, _ = max(drawn, key=lambda member: member[1])
        child = neighbour(genotype_of(self.space, parent), self.space, self._rng)
        return self._asked.add(choices_of(child, self.space))

    def tell(self, genotype: Genotype, score: float) -> None:
        """The genotype joins the population and the oldest leaves it; raises as `Strategy.tell`."""
        self._population.append((self._asked.take(genotype, score), score))
        if len(self._population) > self.settings.population:
            self._population.popleft()

    def state_dict(self) -> dict[str, Any]:
        """The stream, the population from the oldest on, and the open genotypes."""
        return {
            "rng": stream_state(self._rng),
            "population": list(self._population),
            "asked": self._asked.state(),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restores `state_dict`."""
        load_stream(self._rng, state["rng"])
        self._population = deque((tuple(choices), score) for choices, score in state["population"])
        self._asked.load(state["asked"])
