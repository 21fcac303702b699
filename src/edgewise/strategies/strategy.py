"""What every black-box search has in common: genotypes are asked for, scores are told."""

from __future__ import annotations

import math
import random
from collections.abc import Callable
from typing import Any, ClassVar, Protocol, TypeVar

from edgewise.config.schema import PartFamily, own_kind
from edgewise.errors import ConfigError, NonFiniteError
from edgewise.registry import Registry
from edgewise.runtime.random import Streams
from edgewise.spaces import CellSpace, Genotype

S = TypeVar("S", bound="type[StrategySettings]")


class Strategy(Protocol):
    """A search that needs no gradient. The same seed and the same scores give the same genotypes."""

    @property
    def space(self) -> CellSpace:
        """What is searched."""
        ...

    @property
    def width(self) -> int:
        """How many more genotypes may be asked for before the next score is told; never depends on the workers."""
        ...

    def ask(self) -> Genotype:
        """The next genotype to score."""
        ...

    def tell(self, genotype: Genotype, score: float) -> None:
        """Takes the score of a genotype that was asked for; larger is better.

        Raises:
            ConfigError: nobody asked for it.
            NonFiniteError: the score is infinite or NaN.
        """
        ...

    def state_dict(self) -> dict[str, Any]:
        """Everything that the rest of the search follows from, as plain values and tensors."""
        ...

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restores `state_dict`."""
        ...


class StrategySettings(PartFamily):
    """The constants of a strategy, and which one it is: a frozen dataclass with a `kind` of its own."""

    kind: Any
    """Its name on the command line."""
    sources: ClassVar[tuple[str, ...]] = ()
    """Citation keys of what it comes from."""

    def make(self, space: CellSpace, *, seed: int) -> Strategy:
        """The strategy at its beginning.

        Args:
            space: what is searched.
            seed: the run's seed.
        """
        raise NotImplementedError

    @classmethod
    def registered(cls) -> tuple[type, ...]:
        """The settings of all strategies."""
        return tuple(STRATEGIES.values())


STRATEGIES: Registry[type[StrategySettings]] = Registry("strategy")
"""The settings of every strategy by its name: the command line, the docs and the tests read it."""


def register_strategy(settings: S) -> S:
    """Adds a strategy; returns its settings, so that it decorates the class.

    Args:
        settings: a frozen dataclass with a field `kind: Literal["..."] = "..."`, every field with a default.

    Raises:
        ConfigError: it is no such class, or the name is taken.
    """
    STRATEGIES.register(own_kind(settings, StrategySettings), settings)
    return settings


class Asked:
    """Genotypes that wait for their scores, each with what it was made from.

    Args:
        build: makes the genotype again from that.
    """

    def __init__(self, build: Callable[[Any], Genotype]) -> None:
        self._build = build
        self._open: list[tuple[Genotype, Any]] = []

    def __len__(self) -> int:
        return len(self._open)

    def add(self, made_from: Any) -> Genotype:
        """Notes a question; returns its genotype."""
        genotype = self._build(made_from)
        self._open.append((genotype, made_from))
        return genotype

    def take(self, genotype: Genotype, score: float) -> Any:
        """What the genotype was made from; of equal genotypes, the one asked for first. Raises as `tell` does."""
        if not math.isfinite(score):
            raise NonFiniteError(f"the score of a genotype is {score}: tell a finite number, larger is better")
        for i, (asked, made_from) in enumerate(self._open):
            if asked == genotype:
                del self._open[i]
                return made_from
        raise ConfigError(
            f"a score was told for a genotype that was not asked for, or for the second time "
            f"({len(self._open)} wait for theirs): tell the genotypes that ask() returned, each once"
        )

    def state(self) -> list[Any]:
        """What the open genotypes were made from."""
        return [made_from for _, made_from in self._open]

    def load(self, state: list[Any]) -> None:
        """Restores `state`."""
        self._open = [(self._build(made_from), made_from) for made_from in state]


def own_stream(seed: int, name: str) -> random.Random:
    """A random stream that follows from the run's seed and the strategy's name alone."""
    return random.Random(Streams(seed).integer(f"strategy.{name}"))


def stream_state(rng: random.Random) -> list[Any]:
    """The position of a stream as plain values."""
    version, position, pending = rng.getstate()
    return [version, list(position), pending]


def load_stream(rng: random.Random, state: list[Any]) -> None:
    """Restores `stream_state`."""
    version, position, pending = state
    rng.setstate((version, tuple(position), pending))
