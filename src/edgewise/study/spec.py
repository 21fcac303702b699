"""What a study is: methods x spaces x data x settings x seeds, read from one TOML file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Annotated, Any, Literal

from annotated_types import Ge, Le, MaxLen

from edgewise.config.build import build
from edgewise.config.limits import MOST_SEED, MOST_TIMES, TimesOrNone
from edgewise.config.toml import from_toml
from edgewise.study.checks import flat_grid, table_problems

GridValue = bool | int | float | str
Seeds = Annotated[tuple[Annotated[int, Ge(0), Le(MOST_SEED)], ...], MaxLen(MOST_TIMES)]


@dataclass(frozen=True)
class Variant:
    """A method made of another one, under a name of its own.

    Args:
        name: what the study calls it.
        recipe: a recipe's name or a TOML file.
        sets: what is changed in it, as texts like "projection.direction=out".
        title: how tables call it; its name where left out.
    """

    name: str
    recipe: str
    sets: tuple[str, ...] = ()
    title: str = ""


@dataclass(frozen=True)
class Scale:
    """A size at which the study can be run.

    Args:
        name: "tiny", "small" or "paper", which is also the preset.
        seeds: the seeds at this size.
        sets: further settings at this size.
        retrain_best: how often the best found network is trained anew at this size.
    """

    name: Literal["tiny", "small", "paper"]
    seeds: Seeds = (0,)
    sets: tuple[str, ...] = ()
    retrain_best: TimesOrNone = 0


@dataclass(frozen=True)
class Published:
    """A row of a published table, as it stands there.

    Args:
        row: the row's name in that table.
        source: where the figures stand; who measured them, if somebody else.
        method: the study's method that the row is about; empty where the study has none.
        error: top-1 test error, in percent.
        gpu_days: search cost, in GPU days.
        params: size of the network, in millions of parameters.
        note: what else is said about the row.
    """

    row: str
    source: str
    method: str = ""
    error: float | None = None
    gpu_days: float | None = None
    params: float | None = None
    note: str = ""


@dataclass(frozen=True)
class StudySpec:
    """A study.

    Args:
        name: of the study; its folder is called so where none is named.
        title: its heading.
        summary: what it is about.
        command: "run" (search, train, test) or "search".
        preset: sizes; None is "tiny" for named recipes and nothing for files.
        methods: names of recipes or variants, or TOML files.
        variants: methods that are made of others.
        spaces: spaces to search; empty for each method's own.
        data: sources of images.
        seeds: one run of every cell of the design for each.
        base: settings of all runs, as texts like "search.epochs=20".
        grid: for each dotted setting its values; every combination is a cell of the design.
        baseline: the method that the others are tested against; empty to test every pair.
        retrain_best: how many times each cell's best found network is trained anew; 0 for never.
        scales: sizes to choose from by `--scale`.
        scale: the chosen size.
        published: rows of a published table to print beside the study's own.
        claims: what the published table does not say and what else keeps the two apart.
    """

    name: str
    methods: tuple[str, ...]
    title: str = ""
    summary: str = ""
    command: Literal["run", "search"] = "run"
    preset: Literal["tiny", "small", "paper"] | None = None
    variants: tuple[Variant, ...] = ()
    spaces: tuple[str, ...] = ()
    data: tuple[str, ...] = ("digits",)
    seeds: Seeds = (0,)
    base: tuple[str, ...] = ()
    grid: dict[str, tuple[GridValue, ...]] = field(default_factory=dict)
    baseline: str = ""
    retrain_best: TimesOrNone = 0
    scales: tuple[Scale, ...] = ()
    scale: Literal["tiny", "small", "paper"] | None = None
    published: tuple[Published, ...] = ()
    claims: tuple[str, ...] = ()

    def title_of(self, method: str) -> str:
        """How tables call a method."""
        return next((v.title or v.name for v in self.variants if v.name == method), method)


def read_spec(path: Path, changes: Mapping[str, Any] | None = None) -> StudySpec:
    """Reads a study from a TOML file; recipe files that it names are looked for beside it.

    Args:
        path: the file.
        changes: what the command line says otherwise: whole settings by name; "base" is added to the file's.

    Raises:
        ConfigError: lists every unknown name, wrong type, empty list and repeated entry, with dotted paths.
    """
    return spec_from_table(from_toml(path), path.parent, changes)


def spec_from_table(table: Mapping[str, Any], folder: Path, changes: Mapping[str, Any] | None = None) -> StudySpec:
    """Makes a study from a plain table.

    Args:
        table: what the TOML file holds.
        folder: where recipe files that it names are looked for.
        changes: see `read_spec`.

    Raises:
        ConfigError: see `read_spec`.
    """
    whole = dict(table)
    if isinstance(whole.get("grid"), Mapping):
        whole["grid"] = flat_grid(whole["grid"])
    changes = dict(changes or {})
    chosen = changes.pop("scale", None)
    more = tuple(changes.pop("base", ()))
    whole |= changes
    problems = table_problems(whole, folder, chosen)
    spec = build(StudySpec, whole, known=problems)
    if chosen is not None:
        scale = next(scale for scale in spec.scales if scale.name == chosen)
        spec = replace(
            spec,
            scale=scale.name,
            preset=scale.name,
            seeds=spec.seeds if "seeds" in changes else scale.seeds,
            base=(*spec.base, *scale.sets),
            retrain_best=spec.retrain_best if "retrain_best" in changes else scale.retrain_best,
        )
    spec = replace(spec, base=(*spec.base, *more))
    return _with_files_found(spec, folder)


def _with_files_found(spec: StudySpec, folder: Path) -> StudySpec:
    def found(name: str) -> str:
        return str((folder / name).resolve()) if name.endswith(".toml") else name

    variants = tuple(replace(variant, recipe=found(variant.recipe)) for variant in spec.variants)
    return replace(spec, methods=tuple(map(found, spec.methods)), variants=variants)
