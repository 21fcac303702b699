"""Numbers that are too large are refused at once, and no count is without a bound."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, get_args, get_origin

import pytest

from edgewise.config.schema import fields_of
from edgewise.data import load
from edgewise.errors import ConfigError, EdgewiseError
from edgewise.pipeline import Options, Settings, resolve
from edgewise.pipeline.explore_settings import ExploreSettings, resolve_explore
from edgewise.pipeline.memory_check import check_sizes
from edgewise.runtime.compute import Compute
from edgewise.spaces import published
from edgewise.study.plan import make_cells
from edgewise.study.spec import StudySpec, spec_from_table
from tests.pipeline.small import small

HUGE = "9" * 20


def leaves(cls: type, path: str = "") -> Iterator[tuple[str, Any]]:
    for name, field in fields_of(cls).items():
        here = f"{path}.{name}" if path else name
        if field.parts:
            for part in field.parts:
                yield from leaves(part, here)
        else:
            yield here, field.annotation


def unbounded(annotation: Any, bounds: tuple[Any, ...] = ()) -> bool:
    """Whether a whole number without an upper bound is anywhere in a type."""
    if annotation is int:
        return not any(hasattr(bound, "le") or hasattr(bound, "lt") for bound in bounds)
    if get_origin(annotation) is Annotated:
        inner, *more = get_args(annotation)
        return unbounded(inner, tuple(more))
    return any(unbounded(inner) for inner in get_args(annotation) if not isinstance(inner, str))


def test_an_unbounded_number_would_be_found() -> None:
    assert unbounded(int)
    assert unbounded(tuple[int, ...])


@pytest.mark.parametrize("cls", [Settings, ExploreSettings, StudySpec])
def test_every_whole_number_of_the_settings_has_an_upper_bound(cls: type) -> None:
    found = list(leaves(cls))
    assert len(found) > 10
    # The values of a study's grid are bounded by the settings that they are put into.
    assert [path for path, annotation in found if unbounded(annotation) and path != "grid"] == []


WHOLE = [
    path
    for path, annotation in leaves(Settings)
    if "int" in str(annotation) and "Literal" not in str(annotation) and "tuple" not in str(annotation)
]


@pytest.mark.parametrize(
    "path", [path for path in WHOLE if path.split(".")[0] in ("search", "train", "data", "augment")]
)
def test_a_number_of_twenty_digits_is_refused_at_once_with_the_bound(path: str) -> None:
    began = time.process_time()
    with pytest.raises(ConfigError, match=rf"{path}: must be less than or equal to \d+"):
        resolve("pc-darts-gp", sets=[f"{path}={HUGE}"])
    assert time.process_time() - began < 5


@pytest.mark.parametrize(
    "value",
    ["0x" + "F" * 10_000, "9" * 5_000, "-" + "9" * 5_000, "1e400", "[" * 2_000, "inf", "{a=" * 500],
    ids=["hexadecimal", "digits", "negative", "exponent", "brackets", "infinity", "tables"],
)
def test_a_value_without_an_end_is_refused_in_a_few_lines(value: str) -> None:
    with pytest.raises(ConfigError) as caught:
        resolve("pc-darts-gp", sets=[f"search.epochs={value}"])
    assert len(str(caught.value)) < 1_500


def test_the_largest_number_of_epochs_is_checked_in_no_time() -> None:
    began = time.process_time()
    resolve("p-darts", sets=["search.epochs=1000000"])
    assert time.process_time() - began < 5


def test_recipe_files_with_endless_numbers_are_refused(tmp_path: Path) -> None:
    file = tmp_path / "r.toml"
    file.write_text(f'base = "darts"\n[search]\nepochs = {"9" * 5_000}\n')
    with pytest.raises(ConfigError, match=r"r\.toml: can't be read as TOML"):
        resolve(str(file))


@pytest.mark.parametrize("seed", [2**63, -(2**63), 10**5_000], ids=["one too many", "negative", "digits"])
def test_a_seed_of_more_than_63_bits_is_refused(seed: int) -> None:
    with pytest.raises(ConfigError, match="63 bits"):
        Options(seed=seed)


@pytest.mark.parametrize("epochs", ["9" * 5_000, "1000001", "0"])
def test_a_training_score_of_too_many_epochs_is_refused(epochs: str) -> None:
    with pytest.raises(ConfigError, match="1,000,000"):
        resolve_explore("random", score=f"train:{epochs}")


def test_a_study_of_too_many_runs_is_refused_before_it_is_laid_out() -> None:
    grid = {f"{part}.lr": [0.01 + i / 1e4 for i in range(60)] for part in ("weights", "arch", "train")}
    spec = spec_from_table({"name": "s", "methods": ["darts"], "grid": grid}, Path())
    began = time.process_time()
    with pytest.raises(ConfigError, match=r"216,000 runs, and 100,000 are the most"):
        make_cells(spec)
    assert time.process_time() - began < 2


@pytest.mark.parametrize(
    ("sets", "command", "section"),
    [
        (["search.channels=16384"], "search", "search"),
        (["search.channels=16384"], "run", "search"),
        (["train.channels=16384"], "run", "train"),
        (["train.channels=16384"], "train", "train"),
    ],
)
def test_networks_whose_weights_alone_do_not_fit_are_refused_before_the_search(
    sets: list[str], command: str, section: str
) -> None:
    settings = small(*sets)
    splits = load(settings.data, seed=0)
    genotype = published("PC_DARTS_cifar") if command == "train" else None
    with pytest.raises(ConfigError, match=rf"{section}\.channels = 16384 .* GB with gradients and optimiser"):
        check_sizes(settings, splits, stem="cifar", compute=Compute("cpu"), command=command, genotype=genotype)


def test_a_genotype_that_does_not_fit_its_space_is_refused_before_a_folder_is_made() -> None:
    settings = small()
    broken = dataclasses.replace(published("PC_DARTS_cifar"), space="nb201")
    with pytest.raises(EdgewiseError):
        check_sizes(
            settings,
            load(settings.data, seed=0),
            stem="cifar",
            compute=Compute("cpu"),
            command="train",
            genotype=broken,
        )
