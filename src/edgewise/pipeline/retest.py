"""Tests the network of a finished run again, on its own test images or on others."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from edgewise.config.build import build
from edgewise.config.toml import from_toml
from edgewise.data import Normalisation, as_text, load
from edgewise.errors import DataError
from edgewise.export import load_network
from edgewise.pipeline.settings import Settings
from edgewise.pipeline.sources import source_of_run
from edgewise.runs import folder as files
from edgewise.runs.folder import RunFolder
from edgewise.runtime.compute import Compute
from edgewise.train import TestResult, evaluate


def retest(
    path: Path | str, *, data: str | None, seed: int | None, compute: Compute
) -> tuple[TestResult, tuple[str, ...]]:
    """Tests a run's trained network.

    Args:
        path: the run folder.
        data: another source of images; None for the run's.
        seed: cuts the test images off where the source has no test part; None for the run's.
        compute: device and precision.

    Returns:
        The result, and the names of the classes.

    Raises:
        RunError: the run has no trained network.
        DataError: the images have other classes than the network.
    """
    folder = RunFolder.open(path)
    loaded = load_network(folder.path)
    settings = build(Settings, from_toml(folder.file(files.RECIPE)))
    source = replace(settings.data, image_size=loaded.facts.image_size)
    if data is not None:
        source = replace(source, source=as_text(data))
    else:
        source = source_of_run(source, folder.read_run(), folder.path)
    splits = load(
        source,
        seed=folder.read_run()["seed"] if seed is None else seed,
        arch_fraction=settings.search.arch_fraction,
    )
    if splits.class_names != loaded.facts.class_names:
        raise DataError(
            f"{source.source} has the classes {', '.join(splits.class_names)}; the network of {path} knows "
            f"{', '.join(loaded.facts.class_names)}: test it on images of the same classes"
        )
    normalisation = Normalisation(mean=loaded.facts.mean, std=loaded.facts.std)
    result = evaluate(loaded.network, splits.test.open(), normalisation, classes=splits.classes, compute=compute)
    return result, splits.class_names
