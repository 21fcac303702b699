"""What a derived cell really reaches, for the trace of a search."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from edgewise.spaces import Genotype
from edgewise.tabular.columns import DATASETS, Dataset, column
from edgewise.tabular.table import Table


def dataset_of(source: str) -> Dataset | None:
    """The benchmark's data set that images from `source` belong to; None where its name says nothing.

    Args:
        source: what the user named, such as "cifar10" or "data/cifar100/train.parquet".
    """
    plain = re.sub(r"[^a-z0-9]", "", source.lower())
    names = ("imagenet16", "cifar100", "cifar10")
    return next((name for name in names if name in plain), None)  # type: ignore[return-value]


@dataclass(frozen=True)
class Truth:
    """A callable that looks cells up in a table.

    Args:
        table: the ground truth.
        dataset: whose test accuracy is ranked.
    """

    table: Table
    dataset: Dataset

    def __call__(self, genotype: Genotype) -> dict[str, Any]:
        """Test accuracies after 200 epochs as shares of 1, rank and regret of a cell.

        Raises:
            GenotypeError: the cell is of another space.
            DataError: a partial table does not hold it.
        """
        entry = self.table.entry(genotype)
        own = column(self.dataset, "test")
        return {
            "index": entry.index,
            "arch": entry.arch,
            "dataset": self.dataset,
            "test_accuracy": round(entry.accuracies[own] / 100, 8),
            "rank": self.table.rank(genotype, own),
            "of": len(self.table),
            "regret": round(self.table.regret(genotype, own) / 100, 8),
            "test_accuracies": {name: round(entry.accuracies[column(name, "test")] / 100, 8) for name in DATASETS},
        }
