"""Reads a table's columns from CSV or Parquet and checks every cell."""

from __future__ import annotations

import csv
from collections.abc import Callable, Mapping, Sequence
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np

from edgewise.errors import DataError, GenotypeError
from edgewise.spaces.nb201 import from_string
from edgewise.spaces.space import NB201
from edgewise.tabular.columns import ACCURACIES, REQUIRED, WHOLE

# Whole numbers that floating point holds exactly.
_MOST = 2**53
ARCHITECTURES = len(NB201.primitives) ** len(NB201.topology.edges)


def read_cells(path: Path) -> tuple[dict[str, Sequence[Any]], Callable[[int], str]]:
    """The columns of a file, unchecked, and how a message names one of its rows.

    Args:
        path: a CSV file with a header, or a Parquet file.

    Raises:
        DataError: the file is missing, of another kind or can't be read.
    """
    if not path.is_file():
        raise DataError(f"{path}: no such table; name a CSV or Parquet file of NAS-Bench-201")
    kind = path.suffix.lower()
    if kind == ".csv":
        return _read_csv(path), lambda row: f"{path}, line {row + 2}"
    if kind in (".parquet", ".pq"):
        return _read_parquet(path), lambda row: f"{path}, row {row}"
    raise DataError(
        f"{path}: expected a table in .csv or .parquet, found {path.suffix or 'no ending'}; NATS-Bench's own "
        "files are read where their name begins with NATS-tss"
    )


def _read_csv(path: Path) -> dict[str, Sequence[Any]]:
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            lines = list(csv.reader(file))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"{path} can't be read as CSV: {error}") from None
    if not lines:
        raise DataError(f"{path} is empty: expected a header with the columns {', '.join(REQUIRED)}")
    header, *rows = lines
    for number, row in enumerate(rows, 2):
        if len(row) != len(header):
            raise DataError(f"{path}, line {number}: {len(row)} cells, but the header has {len(header)} columns")
    columns = zip(*rows, strict=True) if rows else [()] * len(header)
    return dict(zip(header, columns, strict=True))


def _read_parquet(path: Path) -> dict[str, Sequence[Any]]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        return pq.read_table(path).to_pydict()
    except (OSError, pa.ArrowException) as error:
        raise DataError(f"{path} can't be read as Parquet: {error}") from None


def checked(
    cells: Mapping[str, Sequence[Any]], name: str, row_name: Callable[[int], str], *, partial: bool
) -> tuple[tuple[str, ...], dict[str, np.ndarray]]:
    """Architectures and numbers of a table.

    Args:
        cells: the columns, as `read_cells` gives them.
        name: the table's, for messages.
        row_name: names a row.
        partial: whether architectures may be missing.

    Returns:
        The architecture strings, and the other columns: whole numbers and accuracies in percent.

    Raises:
        DataError: a column or an architecture is missing, a string or a number is wrong, one stands twice.
    """
    missing = [column for column in REQUIRED if column not in cells]
    if missing:
        raise DataError(
            f"{name}: the columns {', '.join(missing)} are missing (found: {', '.join(map(str, cells))}); "
            f"a table of NAS-Bench-201 has {', '.join(REQUIRED)}"
        )
    archs = _architectures(cells["arch"], row_name)
    if len(archs) < ARCHITECTURES and not partial:
        raise DataError(
            f"{name}: {len(archs):,} of the {ARCHITECTURES:,} architectures of NAS-Bench-201 are there; "
            "use the whole table, or ask for a partial one (partial=True, --partial)"
        )
    if not archs:
        raise DataError(f"{name} has no rows")
    numbers = {column: _whole(cells[column], column, row_name) for column in WHOLE}
    numbers |= {column: _percent(cells[column], column, row_name) for column in ACCURACIES}
    _refuse_repeats(numbers["index"].tolist(), "index", row_name)
    return archs, numbers


def _architectures(column: Sequence[Any], row_name: Callable[[int], str]) -> tuple[str, ...]:
    archs = tuple(str(text).strip() for text in column)
    known = _all_strings()
    for row, arch in enumerate(archs):
        if arch not in known:
            try:
                from_string(arch)
            except GenotypeError as error:
                raise DataError(f"{row_name(row)}, column arch: {error}") from None
            raise DataError(f"{row_name(row)}, column arch: {arch!r} does not name its edges in order")
    _refuse_repeats(archs, "architecture", row_name)
    return archs


def _all_strings() -> frozenset[str]:
    sources = [source for source, _ in NB201.topology.edges]
    strings = []
    for ops in product(NB201.primitives, repeat=len(sources)):
        a, b, c, d, e, f = (f"{op}~{source}" for op, source in zip(ops, sources, strict=True))
        strings.append(f"|{a}|+|{b}|{c}|+|{d}|{e}|{f}|")
    return frozenset(strings)


def _refuse_repeats(values: Sequence[Any], what: str, row_name: Callable[[int], str]) -> None:
    first: dict[Any, int] = {}
    for row, value in enumerate(values):
        if value in first:
            raise DataError(
                f"{row_name(row)}: {what} {value} stands at {row_name(first[value])} already; keep one of the two"
            )
        first[value] = row


def _numbers(column: Sequence[Any], name: str, row_name: Callable[[int], str], what: str) -> np.ndarray:
    try:
        return np.array(column, dtype=np.float64)
    except (TypeError, ValueError):
        pass
    for row, value in enumerate(column):
        try:
            float(value)
        except (TypeError, ValueError):
            raise DataError(f"{row_name(row)}, column {name}: expected {what}, found {value!r}") from None
    raise DataError(f"column {name}: expected {what} in every row")


def _percent(column: Sequence[Any], name: str, row_name: Callable[[int], str]) -> np.ndarray:
    numbers = _numbers(column, name, row_name, "a percentage")
    bad = np.flatnonzero(~((numbers >= 0) & (numbers <= 100)))
    if len(bad):
        row = int(bad[0])
        raise DataError(f"{row_name(row)}, column {name}: expected a percentage, found {column[row]!r}")
    if numbers.max() <= 1:
        raise DataError(
            f"{row_name(0)} and on, column {name}: accuracies are percentages, but none is above {numbers.max()}: "
            "multiply them by 100"
        )
    return numbers


def _whole(column: Sequence[Any], name: str, row_name: Callable[[int], str]) -> np.ndarray:
    numbers = _numbers(column, name, row_name, "a whole number")
    good = (numbers >= 0) & (numbers <= _MOST) & (np.floor(numbers) == numbers)
    if not good.all():
        row = int(np.flatnonzero(~good)[0])
        raise DataError(f"{row_name(row)}, column {name}: expected a whole number, found {column[row]!r}")
    return numbers.astype(np.int64)
