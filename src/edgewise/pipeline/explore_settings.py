"""Everything that a black-box search follows from: a strategy, a space, and what scores a genotype."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Annotated

from annotated_types import Gt, Lt

from edgewise.budget import Budget
from edgewise.citations import CITATIONS
from edgewise.config.build import build, dump, merge
from edgewise.config.limits import Queries
from edgewise.config.overrides import apply_sets
from edgewise.data import AugmentSettings, DataSettings, as_text
from edgewise.errors import ConfigError
from edgewise.methods import TrainSettings
from edgewise.pipeline.budgets import stated_budget, with_budget
from edgewise.pipeline.presets import PRESETS
from edgewise.pipeline.scores import Score, read_score
from edgewise.plugins import load_installed
from edgewise.spaces import space
from edgewise.strategies import STRATEGIES, EvolutionSettings, StrategySettings

SECTIONS = ("data", "train", "train_augment")


@dataclass(frozen=True)
class ExploreSettings:
    """A black-box search.

    Args:
        score: one of `edgewise.pipeline.scores.SCORES`: "table:FILE", "table:FILE:COLUMN" (accuracies that a table
            holds), "train:EPOCHS" (a training of so many epochs on the weights split, scored on the arch split).
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
        self.scored_by.check(space(self.space), self.budget)

    @property
    def scored_by(self) -> Score:
        """What scores genotypes."""
        return read_score(self.score)

    def bibtex(self) -> list[str]:
        """BibTeX of strategy, space and score."""
        keys = self.strategy.sources + space(self.space).sources + self.scored_by.sources
        return [CITATIONS[key].bibtex for key in dict.fromkeys(keys)]


def resolve_explore(
    strategy: str | StrategySettings,
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
        strategy: a name of `edgewise.strategies.STRATEGIES`, or the settings of one.
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
    load_installed()
    preset = preset or "tiny"
    if preset not in PRESETS:
        raise ConfigError(f"unknown preset {preset!r}: choose one of {', '.join(PRESETS)}")
    chosen = STRATEGIES.find(strategy)() if isinstance(strategy, str) else strategy
    table = dump(ExploreSettings(score=score, strategy=chosen, space=space))
    table = merge(table, {name: part for name, part in PRESETS[preset].items() if name in SECTIONS})
    table["queries"] = queries
    if data is not None:
        table = merge(table, {"data": {"source": as_text(data)}})
    table["budget"] = stated_budget(budget or Budget())
    given = [text.partition("=")[0].strip() for text in sets]
    return build(ExploreSettings, with_budget(apply_sets(table, ExploreSettings, sets), given=given))
