"""A table of NAS-Bench-201: what each of its 15,625 architectures reaches."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from edgewise.errors import DataError, GenotypeError
from edgewise.spaces import Genotype
from edgewise.spaces.nb201 import from_string, to_string
from edgewise.tabular.columns import ACCURACIES, checked_column
from edgewise.tabular.nats import is_nats, nats_cells
from edgewise.tabular.read_table import checked, read_cells

Query = Genotype | str | int
"""An architecture: its genotype, its NAS-Bench-201 string or its index."""


@dataclass(frozen=True)
class Entry:
    """What is known of one architecture.

    Args:
        index: its number in the benchmark.
        arch: its NAS-Bench-201 string.
        seeds: over how many trainings the accuracies after 200 epochs are averaged (column n_seeds_valid).
        params: number of weights of the CIFAR-10 network.
        flops: of one 32x32 image, in the benchmark's own count.
        accuracies: column -> percent.
    """

    index: int
    arch: str
    seeds: int
    params: int
    flops: int
    accuracies: Mapping[str, float]

    def genotype(self) -> Genotype:
        """The architecture as a genotype."""
        return from_string(self.arch)


class Table:
    """All architectures of NAS-Bench-201 with their accuracies; look-ups take microseconds.

    Columns of a file: `index` (whole number, the benchmark's), `arch` (the published string), `params` and `flops`
    (whole numbers, CIFAR-10 network), `n_seeds_valid` (trainings that were averaged), and the accuracies in
    percent, `{cifar10|cifar100|imagenet16}_{valid|test}` after 200 epochs, the same with `_e12` after 12 epochs.

    Args:
        archs: the architecture strings.
        numbers: column -> values, in the order of `archs`.
        name: the table's, for messages.

    Source: Dong and Yang 2020; Dong et al. 2021 (NATS-Bench).
    """

    def __init__(self, archs: tuple[str, ...], numbers: Mapping[str, np.ndarray], name: str) -> None:
        self.name = name
        self.archs = archs
        self._numbers = numbers
        self._row = {arch: row for row, arch in enumerate(archs)}
        self._row_of_index = {index: row for row, index in enumerate(numbers["index"].tolist())}
        self._sorted = {column: np.sort(numbers[column]) for column in ACCURACIES}

    @classmethod
    def read(cls, path: Path | str, *, partial: bool = False) -> Table:
        """Reads a table from CSV or Parquet, or NATS-Bench's own file or folder (`NATS-tss-...`).

        Args:
            path: the file.
            partial: whether architectures may be missing.

        Raises:
            DataError: the file is missing or wrong; says where and what was found.
        """
        path = Path(path)
        if is_nats(path):
            cells, row_name = nats_cells(path), lambda row: f"{path}, index {row}"
        else:
            cells, row_name = read_cells(path)
        archs, numbers = checked(cells, str(path), row_name, partial=partial)
        return cls(archs, numbers, str(path))

    def __len__(self) -> int:
        return len(self.archs)

    def row(self, query: Query) -> int:
        """The row of an architecture.

        Raises:
            GenotypeError: the query is no architecture of the space.
            DataError: the table has no such architecture.
        """
        if isinstance(query, Genotype):
            key = to_string(query)
        elif isinstance(query, str):
            key = query.strip()
        else:
            return self._row_at(query)
        row = self._row.get(key)
        if row is None:
            key = to_string(from_string(key))
            row = self._row.get(key)
        if row is None:
            raise DataError(f"{self.name} has no architecture {key}: it is a partial table")
        return row

    def _row_at(self, index: int) -> int:
        row = self._row_of_index.get(index)
        if row is None:
            known = self._numbers["index"]
            raise GenotypeError(
                f"{self.name} has no index {index}: its {len(self):,} run from {known.min()} to {known.max()}"
            )
        return row

    def entry(self, query: Query) -> Entry:
        """All that is known of an architecture; raises as `row` does."""
        row = self.row(query)
        return Entry(
            index=int(self._numbers["index"][row]),
            arch=self.archs[row],
            seeds=int(self._numbers["n_seeds_valid"][row]),
            params=int(self._numbers["params"][row]),
            flops=int(self._numbers["flops"][row]),
            accuracies={column: float(self._numbers[column][row]) for column in ACCURACIES},
        )

    def accuracy(self, query: Query, column: str) -> float:
        """An accuracy in percent; raises as `row` does, and ConfigError for an unknown column."""
        return float(self._numbers[checked_column(column)][self.row(query)])

    def rank(self, query: Query, column: str) -> int:
        """1 for the best of a column; equal accuracies share the better rank. Raises as `accuracy` does."""
        values = self._sorted[checked_column(column)]
        return len(values) - int(np.searchsorted(values, self.accuracy(query, column), side="right")) + 1

    def regret(self, query: Query, column: str) -> float:
        """Percentage points to the best of a column; raises as `accuracy` does."""
        return float(self._sorted[checked_column(column)][-1]) - self.accuracy(query, column)

    def optimum(self, column: str) -> Entry:
        """The best architecture of a column, the first of equal ones; raises ConfigError for an unknown column."""
        return self.entry(int(self._numbers["index"][int(np.argmax(self.values(column)))]))

    def values(self, column: str) -> np.ndarray:
        """A column of accuracies in percent, in the order of `archs`; not to be changed."""
        return self._numbers[checked_column(column)]

    def rank_correlation(self, column: str, other: str) -> float:
        """Spearman's correlation of two columns over all architectures, ties with their mean rank."""
        ranks = [_mean_ranks(self.values(name)) for name in (column, other)]
        return float(np.corrcoef(ranks)[0, 1])


def _mean_ranks(values: np.ndarray) -> np.ndarray:
    _, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    last = np.cumsum(counts)
    return (last - (counts - 1) / 2)[inverse]
