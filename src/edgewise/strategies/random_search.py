"""Random search: the baseline that every search has to beat."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from edgewise.config.limits import Times
from edgewise.spaces import CellSpace, Genotype
from edgewise.spaces.decisions import genotype_of, random_choices
from edgewise.strategies.strategy import (
    Asked,
    Strategy,
    StrategySettings,
    load_stream,
    own_stream,
    register_strategy,
    stream_state,
)


@register_strategy
@dataclass(frozen=True)
class RandomSettings(StrategySettings):
    """Genotypes are drawn uniformly, with replacement.

    Args:
        kind: "random".
        batch: how many are asked for at once.

    Source: Li and Talwalkar 2019; the random search of NAS-Bench-201.
    """

    kind: Literal["random"] = "random"
    batch: Times = 20

    def make(self, space: CellSpace, *, seed: int) -> Strategy:
        """See `StrategySettings.make`."""
        return Random(self, space, seed)


class Random:
    """See `RandomSettings`.

    Args:
        settings: how many are asked for at once.
        space: what is searched.
        seed: the run's seed.
    """

    def __init__(self, settings: RandomSettings, space: CellSpace, seed: int) -> None:
        self.settings = settings
        self.space = space
        self._rng = own_stream(seed, "random")
        self._asked = Asked(lambda choices: genotype_of(space, choices, source="edgewise random search"))

    @property
    def width(self) -> int:
        """What is left of the batch."""
        return max(self.settings.batch - len(self._asked), 1)

    def ask(self) -> Genotype:
        """A genotype drawn uniformly."""
        return self._asked.add(random_choices(self.space, self._rng))

    def tell(self, genotype: Genotype, score: float) -> None:
        """Takes a score, and learns nothing from it; raises as `Strategy.tell`."""
        self._asked.take(genotype, score)

    def state_dict(self) -> dict[str, Any]:
        """The stream and the open genotypes."""
        return {"rng": stream_state(self._rng), "asked": self._asked.state()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restores `state_dict`."""
        load_stream(self._rng, state["rng"])
        self._asked.load(state["asked"])
