"""NATS-Bench's own files, read through its package."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from edgewise.errors import DataError
from edgewise.tabular.columns import ACCURACIES, Dataset, parts_of

PREFIX = "NATS-tss"
_NAMES: dict[Dataset, str] = {"cifar10": "cifar10", "cifar100": "cifar100", "imagenet16": "ImageNet16-120"}


def is_nats(path: Path) -> bool:
    """Whether the name is that of NATS-Bench's topology space: a folder (`-simple`) or a `.pickle.pbz2` file."""
    return path.name.startswith(PREFIX)


def nats_cells(path: Path) -> Mapping[str, Sequence[Any]]:
    """The columns of a table, from NATS-Bench's own files; takes minutes.

    Accuracies are means over the benchmark's seeds. As its authors do, CIFAR-10's validation accuracy is that of
    the network trained on half of the training images (`cifar10-valid`), its test accuracy that of the one trained
    on all of them.

    Args:
        path: the folder `NATS-tss-v1_0-...-simple`, or the file `NATS-tss-v1_0-....pickle.pbz2`.

    Raises:
        DataError: the package is not installed, or the files are missing or damaged.

    Source: Dong et al. 2021, get_more_info of the authors' package nats_bench.
    """
    if not path.exists():
        raise DataError(f"{path}: no such NATS-Bench file or folder; download it as its authors describe")
    try:
        from nats_bench import create  # pyright: ignore[reportMissingImports]
    except ImportError:
        raise DataError(
            f"{path} is read by the package nats_bench, which is not installed: pip install 'edgewise[nats]', "
            "or use a table in CSV or Parquet"
        ) from None
    try:
        api = create(str(path), "tss", fast_mode=path.is_dir(), verbose=False)
        rows = [_row(api, index, arch) for index, arch in enumerate(api.meta_archs)]
    except Exception as error:  # the package raises whatever its unpickling and look-ups raise
        raise DataError(f"{path} can't be read by nats_bench ({type(error).__name__}: {error})") from error
    return {column: [row[column] for row in rows] for column in rows[0]} if rows else {}


def _row(api: Any, index: int, arch: str) -> dict[str, Any]:
    cost = api.get_cost_info(index, "cifar10", hp="200")
    row = {
        "index": index,
        "arch": arch,
        "params": round(cost["params"] * 1e6),
        "flops": round(cost["flops"] * 1e6),
        "n_seeds_valid": len(api.query_by_index(index, "cifar10-valid", hp="200")),
    }
    for column in ACCURACIES:
        dataset, split, epochs = parts_of(column)
        source = "cifar10-valid" if (dataset, split) == ("cifar10", "valid") else _NAMES[dataset]
        found = api.get_more_info(index, source, hp=str(epochs), is_random=False)
        row[column] = found[f"{split}-accuracy"]
    return row
