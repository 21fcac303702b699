"""What scores the genotypes of a black-box search; here, a table of ground truth."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Protocol

from edgewise.spaces import Genotype
from edgewise.tabular import Table, Truth
from edgewise.tabular.columns import parts_of


class Stopped(Exception):
    """The user asked for a stop while genotypes were being scored."""


class Scorer(Protocol):
    """Gives genotypes their scores."""

    @property
    def wants_kernels(self) -> bool:
        """Whether it trains where kernels would do it faster."""
        ...

    def scores(self, genotypes: Sequence[Genotype]) -> Iterator[float]:
        """Scores from 0 to 1, in order; raises Stopped where a stop was asked for."""
        ...

    def facts(self) -> dict[str, Any]:
        """What the scores follow from, for run.json."""
        ...

    def verdict(self, genotype: Genotype) -> dict[str, Any]:
        """What is known of the best genotype besides its score."""
        ...

    def close(self) -> None:
        """Ends what works in the background; a second call does nothing."""
        ...


class TableScorer:
    """Looks validation accuracy up, and test accuracy of the best at the end.

    Args:
        table: the ground truth.
        column: a column of validation accuracies.
    """

    def __init__(self, table: Table, column: str) -> None:
        self._table = table
        self._column = column

    @property
    def wants_kernels(self) -> bool:
        """No."""
        return False

    def scores(self, genotypes: Sequence[Genotype]) -> Iterator[float]:
        """Accuracies as shares of 1; raises DataError where a partial table lacks one."""
        for genotype in genotypes:
            yield round(self._table.accuracy(genotype, self._column) / 100, 8)

    def facts(self) -> dict[str, Any]:
        """The table and the column."""
        return {"table": self._table.name, "column": self._column, "architectures": len(self._table)}

    def verdict(self, genotype: Genotype) -> dict[str, Any]:
        """Test accuracies, rank and regret of the best, see `Truth`."""
        return {"truth": Truth(self._table, parts_of(self._column)[0])(genotype)}

    def close(self) -> None:
        """Does nothing."""
