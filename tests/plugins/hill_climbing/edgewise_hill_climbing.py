"""A strategy that keeps the best of its neighbours, and a score that counts parameters."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from edgewise.errors import ConfigError
from edgewise.nn import NetworkSpec, build_network
from edgewise.pipeline import Score, ScoredSearch, ScoringPlace, register_score
from edgewise.spaces import CellSpace, Genotype
from edgewise.spaces.decisions import choices_of, genotype_of, neighbour, random_choices
from edgewise.strategies import Strategy, StrategySettings, register_strategy
from edgewise.strategies.strategy import Asked, load_stream, own_stream, stream_state


@register_strategy
@dataclass(frozen=True)
class HillClimbingSettings(StrategySettings):
    """One change at a time; what is worse is forgotten.

    Args:
        patience: failures in a row after which it begins anew elsewhere.
    """

    patience: int = 10
    kind: Literal["hill-climbing"] = "hill-climbing"

    def make(self, space: CellSpace, *, seed: int) -> Strategy:
        """See `StrategySettings.make`."""
        return HillClimbing(self, space, seed)


class HillClimbing:
    """See `HillClimbingSettings`."""

    def __init__(self, settings: HillClimbingSettings, space: CellSpace, seed: int) -> None:
        self.settings, self.space = settings, space
        self._rng = own_stream(seed, "hill-climbing")
        self._asked = Asked(lambda choices: genotype_of(space, choices, source="hill climbing"))
        self._best: tuple[Any, float] | None = None
        self._failures = 0

    @property
    def width(self) -> int:
        """One at a time."""
        return 1

    def ask(self) -> Genotype:
        """A neighbour of the best, or a start."""
        if self._best is None:
            return self._asked.add(random_choices(self.space, self._rng))
        best = genotype_of(self.space, self._best[0])
        return self._asked.add(choices_of(neighbour(best, self.space, self._rng), self.space))

    def tell(self, genotype: Genotype, score: float) -> None:
        """Takes what is better; raises as `Strategy.tell`."""
        choices = self._asked.take(genotype, score)
        if self._best is None or score > self._best[1]:
            self._best, self._failures = (choices, score), 0
        else:
            self._failures += 1
            if self._failures >= self.settings.patience:
                self._best, self._failures = None, 0

    def state_dict(self) -> dict[str, Any]:
        """Stream, open questions, the best and the failures."""
        return {
            "rng": stream_state(self._rng),
            "asked": self._asked.state(),
            "best": self._best,
            "failures": self._failures,
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restores `state_dict`."""
        load_stream(self._rng, state["rng"])
        self._asked.load(state["asked"])
        self._best, self._failures = state["best"], state["failures"]


@register_score("few-parameters")
@dataclass(frozen=True)
class FewParameters(Score):
    """1000 / parameters of a network of C channels: small ones score high."""

    channels: int
    forms = "few-parameters:CHANNELS"

    @classmethod
    def read(cls, rest: str) -> FewParameters:
        """See `Score.read`."""
        if not rest.isdigit():
            raise ConfigError(f"CHANNELS is a number (value found: {rest!r})")
        return FewParameters(int(rest))

    def scorer(self, search: ScoredSearch, place: ScoringPlace) -> Counting:
        """See `Score.scorer`."""
        return Counting(NetworkSpec(channels=self.channels, layers=3, classes=10))


class Counting:
    """Counts."""

    wants_kernels = False

    def __init__(self, spec: NetworkSpec) -> None:
        self._spec = spec

    def scores(self, genotypes: Sequence[Genotype]) -> Iterator[float]:
        """One score each."""
        for genotype in genotypes:
            network = build_network(genotype, self._spec)
            yield 1000 / sum(parameter.numel() for parameter in network.parameters())

    def facts(self) -> dict[str, Any]:
        """The size of networks."""
        return {"channels": self._spec.channels}

    def verdict(self, genotype: Genotype) -> dict[str, Any]:
        """Nothing more."""
        return {}

    def close(self) -> None:
        """Does nothing."""
