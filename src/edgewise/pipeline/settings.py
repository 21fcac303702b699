"""Everything that a run follows from: a recipe, the data, and what is done to images."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Annotated, Any, Literal, get_args

from edgewise.budget import Budget
from edgewise.citations import CITATIONS
from edgewise.config.build import build, dump, merge
from edgewise.config.limits import Few
from edgewise.config.overrides import apply_sets
from edgewise.config.schema import nearest
from edgewise.config.toml import from_toml
from edgewise.data import AugmentSettings, DataSettings, as_text
from edgewise.errors import ConfigError
from edgewise.methods import PartialChannels, Recipe, SearchSettings, WarmUp, citations, recipe
from edgewise.nn import HAND_MADE
from edgewise.pipeline.budgets import names_of, stated_budget, with_budget
from edgewise.pipeline.candidates import CandidateSettings
from edgewise.pipeline.presets import LEAST_OF_AN_OPERATION, OPTIONAL, PRESETS
from edgewise.plugins import load_installed
from edgewise.selection import Halving

Baseline = Literal["searched", "random", "random-search", "hand", "inverted", "resnet8"]
RANDOM_SEARCH: Baseline = "random-search"
NETWORKS = ("found", *get_args(Baseline))
"""Every network that a run may train, in their order."""


@dataclass(frozen=True)
class Settings(Recipe):
    """A recipe with its data.

    Args:
        data: where images come from.
        augment: what the search does to training images.
        train_augment: what the training of derived networks does to them.
        compare: networks that are trained beside the found one, each fitted to the same limits: "searched" are the
            search's own cells where a selection chose others, "random" is a random cell of the same space (after a
            selection, the best random candidate), "random-search" the best of random cells by a selection that
            costs as many seconds as search and selection, "hand" a residual network, "inverted" one of inverted
            residual blocks, "resnet8" MLPerf Tiny's.
        budget: what a network may need; without a limit, the others get the found one's number of weights.
        budgets: several budgets in the place of one: each gets its network, from one search.
        candidates: what a selection chooses from.
        selection: how one of the candidates is chosen after the search; None for the search's cells.
    """

    data: DataSettings = field(default_factory=DataSettings)
    augment: AugmentSettings = field(default_factory=AugmentSettings)
    train_augment: AugmentSettings = field(default_factory=AugmentSettings)
    compare: tuple[Baseline, ...] = ("searched", "random", "hand")
    budget: Budget = field(default_factory=Budget)
    budgets: Annotated[tuple[Budget, ...], Few] = ()
    candidates: CandidateSettings = field(default_factory=CandidateSettings)
    selection: Halving | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.selection is not None and not self.candidates.total:
            raise ConfigError(
                "selection: there is nothing to choose from, for every number of candidates is 0: set one of "
                "them, such as candidates.last=1, or choose without a selection (--set selection=none)"
            )
        if self.selection is None and RANDOM_SEARCH in self.compare:
            raise ConfigError(
                f"compare: {RANDOM_SEARCH!r} chooses among random cells for as many seconds as search and "
                "selection take, and there is no selection: state one (--set selection.rungs=3), or leave it out"
            )

        if self.budgets:
            names_of(self.budgets)
            if self.budget.limits:
                raise ConfigError(
                    f"budget and budgets both state limits ({self.budget.sentence()}): put those of `budget` into "
                    "each of `budgets`"
                )

    @property
    def for_each_budget(self) -> dict[str, Settings]:
        """The settings of each budget by its name; empty without several."""
        if not self.budgets:
            return {}
        names = names_of(self.budgets)
        return {name: replace(self, budget=one, budgets=()) for name, one in zip(names, self.budgets, strict=True)}

    @property
    def compared(self) -> tuple[Baseline, ...]:
        """The networks of `compare` that there can be: "searched" is another only after a selection."""
        return tuple(name for name in self.compare if name != "searched" or self.selection is not None)

    def bibtex(self) -> list[str]:
        """BibTeX of exactly what these settings use."""
        entries = list(citations(self))
        if self.augment.cutout or self.train_augment.cutout:
            entries.append(CITATIONS["cutout"])
        entries += [CITATIONS[HAND_MADE[name].source] for name in self.compare if name in HAND_MADE]
        return [entry.bibtex for entry in entries]


def resolve(
    name_or_file: str | Recipe,
    *,
    preset: str | None = None,
    data: str | None = None,
    budget: Budget | Sequence[Budget] | None = None,
    sets: Sequence[str] = (),
) -> Settings:
    """Makes settings from a recipe, a preset of sizes, a data source, a budget and single settings, in this order.

    Args:
        name_or_file: a recipe, its name, or a TOML file. A file may start from a recipe: `base = "pc-darts"`.
        preset: "tiny", "small" or "paper"; None is "tiny" for a recipe, and nothing for a file.
        data: `data.source`.
        budget: what a network may need; several for a network each.
        sets: texts like "arch.lr=0.001".

    Raises:
        ConfigError: anything is unknown, malformed or can't be combined; every fault is named.
    """
    load_installed()
    if isinstance(name_or_file, Recipe):
        return _built(_table_of(name_or_file), preset or "tiny", data, budget, sets)
    is_file = name_or_file.endswith(".toml") or Path(name_or_file).is_file()
    given: list[str] = []
    if is_file:
        table = from_toml(Path(name_or_file))
        given = [f"train.{name}" for name in ("layers",) if name in table.get("train", {})]
        table = _on_its_base(table, name_or_file)
    else:
        table = _table_of(recipe(name_or_file))
        preset = preset or "tiny"
    return _built(table, preset, data, budget, sets, given)


def _built(
    table: dict[str, Any],
    preset: str | None,
    data: str | None,
    budget: Budget | Sequence[Budget] | None,
    sets: Sequence[str],
    given: Sequence[str] = (),
) -> Settings:
    if preset is not None:
        table = _with_preset(table, preset)
    if data is not None:
        table = merge(table, {"data": {"source": as_text(data)}})
    if isinstance(budget, Budget):
        table = merge(table, {"budget": stated_budget(budget)})
    elif budget is not None:
        table = merge(table, {"budgets": [stated_budget(one) for one in budget]})
    given = [*given, *(text.partition("=")[0].strip() for text in sets)]
    return build(Settings, with_budget(apply_sets(table, Settings, sets), given=given))


def selecting(settings: Settings) -> Settings:
    """The same settings with a selection, the usual one where they have none."""
    return settings if settings.selection is not None else replace(settings, selection=Halving())


def comparing(settings: Settings, names: Sequence[str]) -> Settings:
    """The same settings with further networks to compare with.

    Args:
        settings: name some already.
        names: of networks; "none" takes those away that the settings name.

    Raises:
        ConfigError: there is no such network, or it can't be compared with.
    """
    added = [name for name in names if name != "none"]
    unknown = [name for name in added if name not in get_args(Baseline)]
    if unknown:
        raise ConfigError(f"--compare {unknown[0]}: no such network; {nearest(unknown[0], get_args(Baseline))}")
    wanted = {*added, *(() if "none" in names else settings.compare)}
    return replace(settings, compare=tuple(name for name in get_args(Baseline) if name in wanted))


def _table_of(base: Recipe) -> dict[str, Any]:
    return dump(base)


def _on_its_base(table: dict[str, Any], path: str) -> dict[str, Any]:
    base = table.pop("base", None)
    if base is None:
        return table
    if not isinstance(base, str):
        raise ConfigError(f"{path}: base = {base!r} must be the name of a recipe")
    return merge(_table_of(recipe(base)), table)


def _with_preset(table: dict[str, Any], name: str) -> dict[str, Any]:
    if name not in PRESETS:
        raise ConfigError(f"unknown preset {name!r}: choose one of {', '.join(PRESETS)}")
    sizes = {
        section: values
        for section, values in PRESETS[name].items()
        if section not in OPTIONAL or isinstance(table.get(section), dict)
    }
    warm_up, epochs = table.get("warm_up"), sizes.get("search", {}).get("epochs")
    if isinstance(warm_up, dict) and epochs is not None:
        # The same share of the search stays frozen.
        planned = table.get("search", {}).get("epochs", SearchSettings().epochs)
        frozen = warm_up.get("epochs", WarmUp().epochs)
        sizes["warm_up"] = {"epochs": round(frozen * epochs / planned)}
    partial, search = table.get("channels"), sizes.get("search")
    if isinstance(partial, dict) and search is not None:
        least = LEAST_OF_AN_OPERATION * partial.get("k", PartialChannels().k)
        sizes["search"] = search | {"channels": max(search["channels"], least)}
    return merge(table, sizes)
