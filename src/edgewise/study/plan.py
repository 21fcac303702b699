"""From a study to its runs: every cell of the design, with settings, seed and folder."""

from __future__ import annotations

import hashlib
import itertools
import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from edgewise.config.build import raise_all, to_toml
from edgewise.config.limits import MOST_RUNS
from edgewise.errors import ConfigError
from edgewise.pipeline import Settings, resolve
from edgewise.study.spec import GridValue, StudySpec, Variant

LONGEST = 96
"""Characters of a cell's name in a path."""


@dataclass(frozen=True)
class Cell:
    """A cell of the design: what is the same for its runs, whatever the seed.

    Args:
        method: its name in the study.
        title: how tables call the method.
        space: its name.
        data: the source of the images.
        grid: settings and values of the grid.
        settings: all of it, resolved.
        folder: where its runs are, within the study's folder.
        stem: what their names begin with.
    """

    method: str
    title: str
    space: str
    data: str
    grid: tuple[tuple[str, GridValue], ...]
    settings: Settings = field(repr=False)
    folder: str
    stem: str

    @property
    def key(self) -> str:
        """A name that no other cell has."""
        return f"{self.folder}/{self.stem}".rstrip("-/")

    def label(self) -> str:
        """The cell in words: method, and what the grid sets."""
        return ", ".join([self.title, *(f"{path} = {_text(value)}" for path, value in self.grid)])


@dataclass(frozen=True)
class PlannedRun:
    """A run of a study.

    Args:
        cell: the cell it belongs to.
        seed: of the run.
        command: "run", "search" or "train".
        name: the run folder, within the study's folder.
        genotype: the JSON of the cells to train, for "train".
    """

    cell: Cell = field(repr=False)
    seed: int
    command: str
    name: str
    genotype: str | None = None

    def recipe(self) -> str:
        """The content of the run's recipe.toml."""
        return to_toml(self.cell.settings)

    def fingerprint(self) -> str:
        """A hash of everything that the run follows from, apart from device and versions."""
        text = "\n".join([self.command, str(self.seed), self.recipe(), self.genotype or ""])
        return hashlib.sha256(text.encode()).hexdigest()

    def epochs(self) -> int:
        """Epochs of all its phases, if none stops early."""
        settings = self.cell.settings
        search = settings.search.epochs if self.command in ("run", "search") else 0
        networks = {"run": 1 + len(settings.compared), "search": 0, "train": 1}[self.command]
        selection = 0
        if self.command == "run" and settings.selection is not None:
            selection = settings.selection.cost(settings.candidates.total)
        return search + selection + networks * settings.train.epochs

    def __str__(self) -> str:
        return self.name


def make_cells(spec: StudySpec) -> list[Cell]:
    """The cells of the design, in the order of the study's lists.

    Raises:
        ConfigError: settings do not fit; lists every fault, each with the method or grid values where it occurs.
    """
    planned = math.prod(
        map(len, (spec.methods, spec.spaces or (None,), spec.data, spec.seeds, *spec.grid.values()))
    )
    if planned > MOST_RUNS:
        raise ConfigError(
            f"study {spec.name} would have {planned:,} runs, and {MOST_RUNS:,} are the most: shorten "
            "methods, spaces, data, seeds or grid"
        )
    problems: dict[str, list[str]] = {}
    cells: list[Cell] = []
    for method, space, data, grid in _design(spec):
        try:
            cells.append(_cell(spec, method, space, data, grid))
        except ConfigError as error:
            where = ", ".join([method, *(f"{path} = {_text(value)}" for path, value in grid)])
            problems.setdefault(str(error).replace("\n", "\n  "), []).append(where)
    raise_all([f"{_shortened(where)}: {text}" for text, where in problems.items()], f"study {spec.name}")
    return _with_own_names(cells)


def _shortened(names: Sequence[str]) -> str:
    return f"{'; '.join(names[:3])}{'; ...' if names[3:] else ''}"


def plan_runs(spec: StudySpec, cells: Sequence[Cell]) -> list[PlannedRun]:
    """One run for every cell and seed; the first seed of all cells first, so that a stopped study compares."""
    return [
        PlannedRun(cell, seed, spec.command, f"{cell.folder}/{cell.stem}seed{seed}")
        for seed in spec.seeds
        for cell in cells
    ]


def _design(spec: StudySpec) -> Iterator[tuple[str, str | None, str, tuple[tuple[str, GridValue], ...]]]:
    axes = [[(path, value) for value in values] for path, values in spec.grid.items()]
    for method, space, data in itertools.product(spec.methods, spec.spaces or (None,), spec.data):
        for grid in itertools.product(*axes):
            yield method, space, data, grid


def _cell(
    spec: StudySpec, method: str, space: str | None, data: str, grid: tuple[tuple[str, GridValue], ...]
) -> Cell:
    variant = next((v for v in spec.variants if v.name == method), Variant(method, method))
    # What a method finds is compared, unless the study asks for a selection among candidates.
    alone = ["selection=none"] if spec.preset is not None or not variant.recipe.endswith(".toml") else []
    sets = [*alone, *spec.base, *variant.sets, *(f"{path}={_toml(value)}" for path, value in grid)]
    if space is not None:
        sets.append(f"space={space}")
    settings = resolve(variant.recipe, preset=spec.preset, data=data, sets=sets)
    is_file = method.endswith(".toml")
    parts = [settings.space] if len(spec.spaces) > 1 else []
    parts += [_last_name(data)] if len(spec.data) > 1 else []
    parts += [f"{path}={_text(value)}" for path, value in grid]
    stem = "".join(f"{_slug(part)}-" for part in parts)
    if len(stem) > LONGEST:
        stem = f"{stem[: LONGEST - 10]}-{hashlib.sha256(stem.encode()).hexdigest()[:8]}-"
    return Cell(
        method=method,
        title=settings.name if is_file else spec.title_of(method),
        space=settings.space,
        data=data,
        grid=grid,
        settings=settings,
        folder=_slug(Path(method).stem if is_file else method),
        stem=stem,
    )


def _with_own_names(cells: list[Cell]) -> list[Cell]:
    """Refuses two cells that would share a folder: their names differ in nothing that a path can show."""
    seen: dict[str, Cell] = {}
    for cell in cells:
        other = seen.setdefault(cell.key, cell)
        if other is not cell:
            raise ConfigError(
                f"{other.label()} on {other.data} and {cell.label()} on {cell.data} would share "
                f"the folder {cell.key}: "
                "give one of them another name (a variant, or another name of the data's folder)"
            )
    return cells


def _last_name(source: str) -> str:
    named = [part for part in re.split(r"[/\\]", source) if part and "*" not in part]
    return named[-1].removesuffix(".parquet") if named else "data"


def _slug(text: str) -> str:
    return re.sub(r"[^A-Za-z0-9._=+-]+", "_", text).strip(".") or "_"


def _text(value: GridValue) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _toml(value: GridValue) -> str:
    import tomli_w

    return tomli_w.dumps({"v": value}).removeprefix("v = ").strip()
