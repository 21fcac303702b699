"""From a file of ground truth to what a search's trace says about its cells."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from edgewise.errors import ConfigError
from edgewise.pipeline.settings import Settings
from edgewise.spaces import Genotype
from edgewise.tabular import Table, Truth, dataset_of

SPACE = "nb201"


def open_truth(file: str | None, settings: Settings) -> Callable[[Genotype], dict[str, Any]] | None:
    """Reads the table that `--truth` names; None without.

    The test accuracy that counts is that of the data set that `data.source` names (cifar10, cifar100, imagenet16),
    of CIFAR-10 where it names none of them.

    Args:
        file: see `Table.read`.
        settings: the search's.

    Raises:
        ConfigError: the search is of another space than the table.
        DataError: the table is missing or wrong.
    """
    if file is None:
        return None
    if settings.space != SPACE:
        raise ConfigError(
            f"--truth {file}: tables hold the cells of space {SPACE}, but this search is of space "
            f"{settings.space}: search {SPACE}, or leave --truth away"
        )
    return Truth(Table.read(file), dataset_of(settings.data.source) or "cifar10")
