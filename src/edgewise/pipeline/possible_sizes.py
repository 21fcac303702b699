"""What sizes of given cells and of hand-made networks meet limits, before anything is trained."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edgewise.budget import FIGURES, TITLES, Budget, figures_of, show_used
from edgewise.config.build import build
from edgewise.config.overrides import apply_sets
from edgewise.config.toml import from_toml
from edgewise.data import DataSettings, load
from edgewise.errors import ConfigError
from edgewise.nn import HAND_MADE, NetworkSpec, choose_stem
from edgewise.nn.hand_made import ALIASES
from edgewise.pipeline.budgets import with_budget
from edgewise.pipeline.candidates import Design
from edgewise.pipeline.sized import Sized, Subject, shares_of
from edgewise.pipeline.sizing import Sizing, size_of
from edgewise.runs import folder as files
from edgewise.runs.folder import RunFolder
from edgewise.spaces import Genotype, name_genotype, read_genotype

CIFAR = {"classes": 10, "image_size": 32, "channels": 3}
LAYERS = 5


@dataclass(frozen=True)
class Fit:
    """What was found for one of the given networks.

    Args:
        name: what the table calls it.
        sized: its size; None where none fits.
        failure: why none fits.
        used: the share of each limit.
        hand_made: whether `layers` are blocks a stage.
    """

    name: str
    sized: Sized | None
    failure: str
    used: dict[str, float]
    hand_made: bool


def fit_budget(sets: Sequence[str]) -> Budget:
    """The budget of single settings such as "budget.params=100k".

    Raises:
        ConfigError: there is no limit, one is malformed, or size and latency can't be measured here.
    """
    table = apply_sets({}, Budget, [text.removeprefix("budget.") for text in sets])
    budget = build(Budget, with_budget({"budget": table})["budget"])
    if not budget.limits:
        raise ConfigError(
            "no limit is stated: give --max-params, --max-macs, --max-size, --max-ram, --max-latency or --for"
        )
    return budget


def fit_networks(given: Sequence[str | Genotype], budget: Budget, subject: Subject) -> list[Fit]:
    """Fits each of the given networks to the same limits.

    Args:
        given: genotypes as `read_genotype` takes them, or names of hand-made networks.
        budget: the limits.
        subject: images and classes, and the cells to begin with.

    Raises:
        GenotypeError: one of them is neither.
    """
    sizing = Sizing(budget, budget.limits, subject)
    fits = []
    for design in [_design(one) for one in given]:
        hand_made = design.genotype is None
        name = HAND_MADE[design.name].title if hand_made else design.name
        try:
            sized = size_of(design, sizing, what=name)
            fits.append(Fit(name, sized, "", shares_of(sized.record(), budget.limits), hand_made))
        except ConfigError as error:
            fits.append(Fit(name, None, str(error), {}, hand_made))
    return fits


def subject_of(given: Sequence[str], *, data: str | None, layers: int, sizes: dict[str, int | None]) -> Subject:
    """The images that networks are fitted for: those of a source, else of a run among the given, else CIFAR-10's.

    Args:
        given: see `fit_networks`.
        data: a source of images; see `DataSettings`.
        layers: cells to begin with.
        sizes: "classes", "image_size" and "channels" that were stated; they count before all else.
    """
    stated = {name: value for name, value in sizes.items() if value is not None}
    facts: dict[str, Any] = dict(CIFAR)
    if data is not None:
        splits = load(DataSettings(source=data, image_size=stated.get("image_size")), seed=0, arch_fraction=0.5)
        facts = {"classes": splits.classes, "image_size": splits.image_size, "channels": splits.channels}
    else:
        facts |= next((found for one in given if (found := _facts_of_run(one))), {})
    facts |= stated
    spec = NetworkSpec(
        channels=16,
        layers=layers,
        classes=facts["classes"],
        in_channels=facts["channels"],
        stem=choose_stem(facts["image_size"]),
    )
    names = tuple(f"class {index}" for index in range(facts["classes"]))
    plain = (0.5,) * facts["channels"]
    return Subject(spec, facts["image_size"], names, plain, plain)


def designs_of(given: Sequence[str | Genotype]) -> list[Design]:
    """The candidates that were given.

    Args:
        given: see `fit_networks`.

    Raises:
        GenotypeError: one of them is neither.
        ConfigError: two have the same name, or fewer than two are given.
    """
    designs = [_design(one) for one in given]
    names = [design.name for design in designs]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ConfigError(f"{', '.join(twice)}: given more than once: leave all but one of each away")
    if len(designs) < 2:
        raise ConfigError("there is nothing to choose from: give two networks or more")
    return designs


def _design(one: str | Genotype) -> Design:
    name = ALIASES.get(one, one) if isinstance(one, str) else ""
    return Design(name, "hand") if name in HAND_MADE else Design(name_genotype(one), "given", read_genotype(one))


def _facts_of_run(one: str | Genotype) -> dict[str, int]:
    if not isinstance(one, str) or not (Path(one) / files.RUN).is_file():
        return {}
    data = RunFolder.open(one).read_run().get("data")
    if not data or "image_size" not in data:
        return {}
    return {"classes": len(data["classes"]), "image_size": data["image_size"], "channels": data["channels"]}


def fit_table(fits: Sequence[Fit], limits: dict[str, float]) -> tuple[tuple[str, ...], list[tuple[str, ...]]]:
    """Heads and rows of the table of fitted sizes.

    Args:
        fits: see `fit_networks`.
        limits: of the budget.
    """
    entries = [{} if fit.sized is None else figures_of(fit.sized.record()) for fit in fits]
    known = [name for name in FIGURES if any(name in entry for entry in entries) or name in limits]
    rows = []
    for fit, entry in zip(fits, entries, strict=True):
        size = "does not fit"
        if fit.sized is not None:
            size = f"{fit.sized.channels} x {fit.sized.layers}{' a stage' if fit.hand_made else ''}"
        cells = (show_used(name, entry[name], fit.used) if name in entry else "-" for name in known)
        rows.append((fit.name, size, *cells))
    return ("network", "C x cells", *(TITLES[name] for name in known)), rows


def fit_derived(run: Path, genotype: Genotype, sets: Sequence[str]) -> str:
    """The largest network of cells that were derived from a run, in a sentence.

    Args:
        run: the run's folder; says images, classes and the cells to begin with.
        genotype: the cells.
        sets: see `fit_budget`.

    Raises:
        ConfigError: the limits have a fault, or no network of these cells fits them.
    """
    budget = fit_budget(sets)
    table = from_toml(RunFolder.open(run).file(files.RECIPE))
    layers = table.get("train", {}).get("layers", LAYERS)
    subject = subject_of([str(run)], data=None, layers=layers, sizes={})
    (fit,) = fit_networks([genotype], budget, subject)
    if fit.sized is None:
        raise ConfigError(fit.failure)
    figures = figures_of(fit.sized.record())
    shown = ", ".join(f"{TITLES[name]} {show_used(name, value, fit.used)}" for name, value in figures.items())
    return f"{budget.sentence()}: {fit.sized.channels} channels, {fit.sized.layers} cells; {shown}"
