"""Everything that a run follows from: a recipe, the data, and what is done to images."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from edgewise.core.citations import CUTOUT, RESNET
from edgewise.core.errors import ConfigError
from edgewise.core.settings import build, dump, merge
from edgewise.core.settings_sets import apply_sets
from edgewise.core.settings_toml import from_toml
from edgewise.data import AugmentSettings, DataSettings, as_text
from edgewise.methods import Recipe, SearchSettings, WarmUp, citations, recipe
from edgewise.pipeline.presets import OPTIONAL, PRESETS

Baseline = Literal["random", "hand"]


@dataclass(frozen=True)
class Settings(Recipe):
    """A recipe with its data.

    Args:
        data: where images come from.
        augment: what the search does to training images.
        train_augment: what the training of derived networks does to them.
        compare: networks that are trained beside the found one, with the same budget: "random" is a random cell
            of the same space, "hand" a residual network of about the same size.
    """

    data: DataSettings = field(default_factory=DataSettings)
    augment: AugmentSettings = field(default_factory=AugmentSettings)
    train_augment: AugmentSettings = field(default_factory=AugmentSettings)
    compare: tuple[Baseline, ...] = ("random", "hand")

    def bibtex(self) -> list[str]:
        """BibTeX of exactly what these settings use."""
        entries = list(citations(self))
        if self.augment.cutout or self.train_augment.cutout:
            entries.append(CUTOUT)
        if "hand" in self.compare:
            entries.append(RESNET)
        return [entry.bibtex for entry in entries]


def resolve(
    name_or_file: str,
    *,
    preset: str | None = None,
    data: str | None = None,
    sets: Sequence[str] = (),
) -> Settings:
    """Makes settings from a recipe, a preset of sizes, a data source and single settings, in this order.

    Args:
        name_or_file: a recipe's name, or a TOML file. A file may start from a recipe: `base = "pc-darts"`.
        preset: "tiny", "small" or "paper"; None is "tiny" for a named recipe, and nothing for a file.
        data: `data.source`.
        sets: texts like "arch.lr=0.001".

    Raises:
        ConfigError: anything is unknown, malformed or can't be combined; every fault is named.
    """
    is_file = name_or_file.endswith(".toml") or Path(name_or_file).is_file()
    if is_file:
        table = _from_file(Path(name_or_file))
    else:
        table = _table_of(recipe(name_or_file))
        preset = preset or "tiny"
    if preset is not None:
        table = _with_preset(table, preset)
    if data is not None:
        table = merge(table, {"data": {"source": as_text(data)}})
    return build(Settings, apply_sets(table, Settings, sets))


def _table_of(base: Recipe) -> dict[str, Any]:
    return dump(base)


def _from_file(path: Path) -> dict[str, Any]:
    table = from_toml(path)
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
    return merge(table, sizes)
