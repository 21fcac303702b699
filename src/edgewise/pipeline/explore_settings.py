"""Everything that a black-box search follows from: a strategy, a space, and what scores a genotype."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

from annotated_types import Gt, Lt

from edgewise.budget import Budget
from edgewise.citations import CITATIONS
from edgewise.config.build import build, dump, merge
from edgewise.config.limits import MOST_EPOCHS, Queries
from edgewise.config.overrides import apply_sets
from edgewise.data import AugmentSettings, DataSettings, as_text
from edgewise.errors import ConfigError
from edgewise.methods.recipe import TrainSettings
from edgewise.pipeline.budgets import stated_budget, with_budget
from edgewise.pipeline.presets import PRESETS
from edgewise.spaces import space
from edgewise.strategies import SOURCES, EvolutionSettings, StrategySettings, strategy_settings
from edgewise.tabular import ACCURACIES, column

TABLE, TRAIN = "table:", "train:"
DEFAULT_COLUMN = column("cifar10", "valid")
SECTIONS = ("data", "train", "train_augment")
FORMS = "table:FILE, table:FILE:COLUMN or train:EPOCHS"


@dataclass(frozen=True)
class ExploreSettings:
    """A black-box search.

    Args:
        score: "table:FILE", "table:FILE:COLUMN" (accuracies that a table holds) or "train:EPOCHS" (a training of
            so many epochs on the weights split, scored on the arch split).
        strategy: how genotypes are chosen.
        space: the name of the space.
        queries: how many genotypes are scored; the same genotype again counts again.
        arch_fraction: the share of the training images that scores a training.
        data: where images come from, for a training.
        train: the training, but for its epochs.
        train_augment: what the training does to images.
        budget: the limits that each genotype's network is fitted to before it is trained; one that fits at no size
            scores 0.

    Raises:
        ConfigError: the score is malformed or does not fit the space; says how it is written.
    """

    score: str
    strategy: StrategySettings = field(default_factory=EvolutionSettings)
    space: str = "nb201"
    queries: Queries = 300
    arch_fraction: Annotated[float, Gt(0), Lt(1)] = 0.5
    data: DataSettings = field(default_factory=DataSettings)
    train: TrainSettings = field(default_factory=TrainSettings)
    train_augment: AugmentSettings = field(default_factory=AugmentSettings)
    budget: Budget = field(default_factory=Budget)

    def __post_init__(self) -> None:
        if not space(self.space).searchable:
            raise ConfigError(f"space {self.space} is read and trained, not searched: choose another (--space)")
        if self.table is not None and self.space != "nb201":
            raise ConfigError(
                f"a table of NAS-Bench-201 can't score genotypes of space {self.space}: use --space nb201, or "
                "score by training (--score train:5)"
            )
        if self.table is not None and self.budget.limits:
            raise ConfigError(
                "a table holds accuracies of networks of one size, which no limit can change: leave the budget "
                f"({self.budget.sentence()}) away, or score by training (--score train:5)"
            )
        if self.table is None:
            _ = self.epochs

    @property
    def table(self) -> tuple[Path, str] | None:
        """The file and the column of a table score; None for a training."""
        if not self.score.startswith(TABLE):
            return None
        file, colon, name = self.score.removeprefix(TABLE).rpartition(":")
        if not colon or "/" in name or "\\" in name or "." in name:
            file, name = self.score.removeprefix(TABLE), DEFAULT_COLUMN
        if name not in ACCURACIES or "_test" in name:
            readable = [known for known in ACCURACIES if "_valid" in known]
            raise ConfigError(
                f"score: a search can't read the column {name!r}; it chooses by validation accuracy, one of "
                f"{', '.join(readable)}, and test accuracy is looked up for the best at the end"
            )
        if not file:
            raise ConfigError(f"score: {self.score!r} names no file; expected {FORMS}")
        return Path(file), name

    @property
    def epochs(self) -> int:
        """The epochs of a training score."""
        text = self.score.removeprefix(TRAIN)
        is_number = text.isascii() and text.isdigit() and len(text) <= len(str(MOST_EPOCHS))
        if not self.score.startswith(TRAIN) or not is_number or not 1 <= int(text) <= MOST_EPOCHS:
            raise ConfigError(
                f"score: {self.score!r} is no score; expected {FORMS}, at most {MOST_EPOCHS:,} epochs"
            )
        return int(text)

    def bibtex(self) -> list[str]:
        """BibTeX of the strategy, and of the table where there is one."""
        keys = SOURCES[self.strategy.kind] + (("nas-bench-201",) if self.space == "nb201" else ())
        return [CITATIONS[key].bibtex for key in keys]


def resolve_explore(
    strategy: str,
    *,
    score: str,
    space: str = "nb201",
    queries: int = 300,
    preset: str | None = None,
    data: str | None = None,
    budget: Budget | None = None,
    sets: Sequence[str] = (),
) -> ExploreSettings:
    """Makes settings from a strategy's name, a preset of sizes for trainings, a data source and single settings.

    Args:
        strategy: a name of `edgewise.strategies.STRATEGIES`.
        score: see `ExploreSettings`.
        space: the name of the space.
        queries: how many genotypes are scored.
        preset: "tiny" (the default), "small" or "paper": sizes of a training.
        data: `data.source`.
        budget: what the trained networks may need.
        sets: texts like "strategy.population=50" or "train.lr=0.05".

    Raises:
        ConfigError: anything is unknown or malformed; every fault is named.
    """
    preset = preset or "tiny"
    if preset not in PRESETS:
        raise ConfigError(f"unknown preset {preset!r}: choose one of {', '.join(PRESETS)}")
    chosen = strategy_settings(strategy)
    table = dump(ExploreSettings(score=score, strategy=chosen, space=space))
    table = merge(table, {name: part for name, part in PRESETS[preset].items() if name in SECTIONS})
    table["queries"] = queries
    if data is not None:
        table = merge(table, {"data": {"source": as_text(data)}})
    table["budget"] = stated_budget(budget or Budget())
    given = [text.partition("=")[0].strip() for text in sets]
    return build(ExploreSettings, with_budget(apply_sets(table, ExploreSettings, sets), given=given))
