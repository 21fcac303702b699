"""The columns of a table of NAS-Bench-201."""

from __future__ import annotations

from typing import Literal, get_args

from edgewise.errors import ConfigError

Dataset = Literal["cifar10", "cifar100", "imagenet16"]
Split = Literal["valid", "test"]
DATASETS: tuple[Dataset, ...] = get_args(Dataset)
SPLITS: tuple[Split, ...] = get_args(Split)
EPOCHS = (200, 12)
DEFAULT_COLUMN = "cifar10_valid"


def column(dataset: Dataset, split: Split, epochs: int = 200) -> str:
    """The name of an accuracy's column.

    Args:
        dataset: "cifar10", "cifar100" or "imagenet16" (ImageNet16-120).
        split: "valid" or "test".
        epochs: of the training, 200 or 12.
    """
    return f"{dataset}_{split}" + ("_e12" if epochs == 12 else "")


ACCURACIES = tuple(column(dataset, split, epochs) for epochs in EPOCHS for dataset in DATASETS for split in SPLITS)
"""The columns of accuracies, in percent."""

WHOLE = ("index", "params", "flops", "n_seeds_valid")
"""The columns of whole numbers."""

REQUIRED = ("arch", *WHOLE, *ACCURACIES)


def checked_column(name: str) -> str:
    """Returns `name` if it is a column of accuracies, else raises ConfigError."""
    if name not in ACCURACIES:
        raise ConfigError(f"unknown column {name!r}: choose one of {', '.join(ACCURACIES)}")
    return name


def parts_of(name: str) -> tuple[Dataset, Split, int]:
    """The data set, split and epochs of a column of accuracies.

    Raises:
        ConfigError: there is no such column.
    """
    dataset, split, *short = checked_column(name).split("_")
    return dataset, split, 12 if short else 200  # type: ignore[return-value]
