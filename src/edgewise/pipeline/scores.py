"""What scores the genotypes of a black-box search: the table of scores; ground truth and functions as scores."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Protocol, TypeVar

from edgewise.budget import Budget
from edgewise.data import AugmentSettings, DataSettings
from edgewise.errors import ConfigError
from edgewise.methods import TrainSettings
from edgewise.registry import Registry
from edgewise.runtime.compute import Precision
from edgewise.spaces import CellSpace, Genotype
from edgewise.tabular import ACCURACIES, Table, Truth, column
from edgewise.tabular.columns import parts_of

Stop = Callable[[], bool]
S = TypeVar("S", bound="type[Score]")


class Stopped(Exception):
    """The user asked for a stop while genotypes were being scored."""


class Scorer(Protocol):
    """Gives genotypes their scores."""

    @property
    def wants_kernels(self) -> bool:
        """Whether it trains where kernels would do it faster."""
        ...

    def scores(self, genotypes: Sequence[Genotype]) -> Iterator[float]:
        """Scores from 0 to 1, in order; raises Stopped where a stop was asked for."""
        ...

    def facts(self) -> dict[str, Any]:
        """What the scores follow from, for run.json."""
        ...

    def verdict(self, genotype: Genotype) -> dict[str, Any]:
        """What is known of the best genotype besides its score."""
        ...

    def close(self) -> None:
        """Ends what works in the background; a second call does nothing."""
        ...


@dataclass(frozen=True)
class ScoringPlace:
    """Where genotypes are scored.

    Args:
        seed: the run's seed.
        device: see `Compute`.
        precision: see `Compute`.
        workers: processes that may work; the scores do not depend on it.
        stop: says whether the user asked for a stop.
    """

    seed: int
    device: str
    precision: Precision
    workers: int = 1
    stop: Stop = lambda: False


class ScoredSearch(Protocol):
    """What a score may read of the search that asks for it: see `ExploreSettings`."""

    @property
    def space(self) -> str:
        """The name of the space."""
        ...

    @property
    def arch_fraction(self) -> float:
        """The share of the training images that scores."""
        ...

    @property
    def data(self) -> DataSettings:
        """Where images come from."""
        ...

    @property
    def train(self) -> TrainSettings:
        """The size of networks, and their training."""
        ...

    @property
    def train_augment(self) -> AugmentSettings:
        """What a training does to images."""
        ...

    @property
    def budget(self) -> Budget:
        """What networks may need."""
        ...


class Score:
    """A way to score genotypes, written `NAME:REST` in settings and on the command line."""

    forms: ClassVar[str]
    """How it is written, for people, such as "train:EPOCHS"; empty where nobody writes it."""
    sources: ClassVar[tuple[str, ...]] = ()
    """Citation keys of what it comes from."""

    @classmethod
    def read(cls, rest: str) -> Score:
        """The score that stands behind the name and the colon.

        Raises:
            ConfigError: it is malformed; says what was found.
        """
        raise NotImplementedError

    def check(self, space: CellSpace, budget: Budget) -> None:
        """Raises ConfigError where genotypes of a space, or limits on their networks, can't be scored by it."""

    @property
    def file(self) -> Path | None:
        """The file that it reads, if any: found again when a run is gone on with from elsewhere."""
        return None

    def moved(self, file: str) -> str:
        """The text of the same score with its file elsewhere."""
        raise NotImplementedError

    def scorer(self, search: ScoredSearch, place: ScoringPlace) -> Scorer:
        """What gives genotypes their scores."""
        raise NotImplementedError


SCORES: Registry[type[Score]] = Registry("score")
"""Every score by its name."""


def register_score(name: str) -> Callable[[S], S]:
    """Adds a score under a name; decorates its class."""

    def add(score: S) -> S:
        SCORES.register(name, score)
        return score

    return add


def read_score(text: str) -> Score:
    """The score that a text of the form `NAME:REST` means.

    Raises:
        ConfigError: there is none of that name, or the rest is malformed.
    """
    name, colon, rest = text.partition(":")
    forms = " or ".join(", ".join(filter(None, (score.forms for score in SCORES.values()))).rsplit(", ", 1))
    if name not in SCORES or not colon:
        raise ConfigError(f"score: {text!r} is no score; expected {forms}")
    try:
        return SCORES[name].read(rest)
    except ConfigError as error:
        raise ConfigError(f"score: {text!r}: {error}; expected {forms}") from error


@register_score("table")
@dataclass(frozen=True)
class TableScore(Score):
    """Accuracies of a table of NAS-Bench-201.

    Args:
        path: the table.
        column: of validation accuracies.
    """

    path: Path
    column: str
    forms: ClassVar[str] = "table:FILE, table:FILE:COLUMN"

    @classmethod
    def read(cls, rest: str) -> TableScore:
        """See `Score.read`."""
        file, colon, name = rest.rpartition(":")
        if not colon or "/" in name or "\\" in name or "." in name:
            file, name = rest, column("cifar10", "valid")
        if name not in ACCURACIES or "_test" in name:
            readable = [known for known in ACCURACIES if "_valid" in known]
            raise ConfigError(
                f"a search can't read the column {name!r}; it chooses by validation accuracy, one of "
                f"{', '.join(readable)}, and test accuracy is looked up for the best at the end"
            )
        if not file:
            raise ConfigError("names no file")
        return TableScore(Path(file), name)

    def check(self, space: CellSpace, budget: Budget) -> None:
        """See `Score.check`."""
        if space.name != "nb201":
            raise ConfigError(
                f"a table of NAS-Bench-201 can't score genotypes of space {space.name}: use --space nb201, or "
                "score by training (--score train:5)"
            )
        if budget.limits:
            raise ConfigError(
                "a table holds accuracies of networks of one size, which no limit can change: leave the budget "
                f"({budget.sentence()}) away, or score by training (--score train:5)"
            )

    @property
    def file(self) -> Path:
        """The table."""
        return self.path

    def moved(self, file: str) -> str:
        """See `Score.moved`."""
        return f"table:{file}:{self.column}"

    def scorer(self, search: ScoredSearch, place: ScoringPlace) -> TableScorer:
        """Reads the table."""
        return TableScorer(Table.read(self.path), self.column)


@register_score("function")
@dataclass(frozen=True)
class FunctionScore(Score):
    """A function that Python gave: its name alone is kept in a run folder.

    Args:
        name: of the function.
    """

    name: str
    forms: ClassVar[str] = ""

    @classmethod
    def read(cls, rest: str) -> FunctionScore:
        """See `Score.read`."""
        return FunctionScore(rest)

    def scorer(self, search: ScoredSearch, place: ScoringPlace) -> Scorer:
        """Raises ConfigError: a name is no function."""
        raise ConfigError(
            f"score: function:{self.name} is a function of Python: give it there (edgewise.explore(score=...), "
            "edgewise.resume_explore(..., score=...)), or register a score of its own"
        )


class TableScorer:
    """Looks validation accuracy up, and test accuracy of the best at the end.

    Args:
        table: the ground truth.
        column: a column of validation accuracies.
    """

    def __init__(self, table: Table, column: str) -> None:
        self._table = table
        self._column = column

    @property
    def wants_kernels(self) -> bool:
        """No."""
        return False

    def scores(self, genotypes: Sequence[Genotype]) -> Iterator[float]:
        """Accuracies as shares of 1; raises DataError where a partial table lacks one."""
        for genotype in genotypes:
            yield round(self._table.accuracy(genotype, self._column) / 100, 8)

    def facts(self) -> dict[str, Any]:
        """The table and the column."""
        return {"table": self._table.name, "column": self._column, "architectures": len(self._table)}

    def verdict(self, genotype: Genotype) -> dict[str, Any]:
        """Test accuracies, rank and regret of the best, see `Truth`."""
        return {"truth": Truth(self._table, parts_of(self._column)[0])(genotype)}

    def close(self) -> None:
        """Does nothing."""


class FunctionScorer:
    """A function of genotypes as a score, in this process.

    Args:
        function: from a genotype to a finite score; larger is better.
        name: what run.json calls it; the function's own by default.
    """

    def __init__(self, function: Callable[[Genotype], float], name: str | None = None) -> None:
        self._function = function
        self.name = name or getattr(function, "__name__", type(function).__name__)

    @property
    def wants_kernels(self) -> bool:
        """No."""
        return False

    def scores(self, genotypes: Sequence[Genotype]) -> Iterator[float]:
        """What the function says, in order."""
        for genotype in genotypes:
            yield float(self._function(genotype))

    def facts(self) -> dict[str, Any]:
        """The function's name."""
        return {"function": self.name}

    def verdict(self, genotype: Genotype) -> dict[str, Any]:
        """Nothing."""
        return {}

    def close(self) -> None:
        """Does nothing."""


def scored_by(score: str | Scorer | Callable[[Genotype], float]) -> tuple[str, Scorer | None]:
    """The text of a score for the settings, and what scores if that does not follow from the text.

    Args:
        score: a text, a function of genotypes, or an object that scores.
    """
    if isinstance(score, str):
        return score, None
    if callable(score):
        score = FunctionScorer(score)
    return f"function:{getattr(score, 'name', type(score).__name__)}", score
