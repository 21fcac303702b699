"""Parquet files on this machine."""

from __future__ import annotations

import os
import re
from bisect import bisect_right
from collections.abc import Sequence
from itertools import accumulate
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgewise.data.settings import DataSettings
from edgewise.data.source import Source
from edgewise.data.split_names import choose_train, is_plain, word_of
from edgewise.data.tables import table_source
from edgewise.errors import DataError
from edgewise.runtime.memory import free_bytes

if TYPE_CHECKING:
    import pyarrow as pa


def parquet_source(settings: DataSettings, files: Sequence[Path]) -> Source:
    """A source of parquet files; words like train, test or validation in names say which part they are of.

    Args:
        settings: names the source, and the columns if the user did.
        files: at least one.

    Raises:
        DataError: a file can't be read, or it is unclear what it is, or a part, column or label is missing.
    """
    parts = _by_part(sorted(files), settings.source)
    sizes = _sizes([path for paths in parts.values() for path in paths])
    # The library stumbles over files without rows.
    filled = {part: [path for path in paths if sizes[path]] for part, paths in parts.items()}
    parts = {part: paths for part, paths in filled.items() if paths}
    if not parts:
        raise DataError(f"{settings.source} has no images: its {len(sizes)} parquet files have no rows")
    offsets = {part: [0, *accumulate(sizes[path] for path in paths)][:-1] for part, paths in parts.items()}

    def where(part: str, row: int) -> str:
        file = bisect_right(offsets[part], row) - 1
        return f"{parts[part][file]}, row {row - offsets[part][file]}"

    notes = [f"the part {part} has no rows and is not used" for part in filled if part not in parts]
    if _is_mapped(settings, list(sizes)):
        tables, features, place = _map(parts, settings.source)
        notes.append(f"the parquet files are unpacked, still encoded, into the cache of `datasets` ({place}) once")
    else:
        tables, features = _read(parts, settings.source)
    return table_source(settings, tables, features, where=where, notes=notes)


def _by_part(files: Sequence[Path], source: str) -> dict[str, list[Path]]:
    parts: dict[str, list[Path]] = {}
    # The folder that holds all files may be called anything: "test project" makes no test part.
    several = len({path.parent for path in files}) > 1
    for path in files:
        folder = path.parent.name
        word = word_of(path.stem) or (word_of(folder) if several or is_plain(folder) else None)
        parts.setdefault(word or "", []).append(path)
    unnamed = parts.pop("", [])
    if unnamed and parts:
        raise DataError(
            f"{source}: {', '.join(path.name for path in unnamed[:5])} could belong to any part, beside files "
            f"named {' and '.join(parts)}: let their names say train, test or validation, or move them away"
        )
    return parts or {"train": unnamed}


def _sizes(paths: Sequence[Path]) -> dict[Path, int]:
    """The rows of each file; all of them have the same columns."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    sizes = {}
    columns: dict[Path, list[str]] = {}
    for path in paths:
        try:
            metadata = pq.read_metadata(path)
        except (pa.ArrowException, OSError) as error:
            raise DataError(
                f"{path} is not a readable parquet file ({_first_line(error)}): fetch it again or move it away"
            ) from error
        sizes[path] = metadata.num_rows
        columns[path] = metadata.schema.to_arrow_schema().names
        if columns[path] != columns[paths[0]]:
            raise DataError(
                f"{path} has the columns {', '.join(columns[path])}, {paths[0].name} has "
                f"{', '.join(columns[paths[0]])}: all parquet files of a data set must have the same columns"
            )
    return sizes


def _is_mapped(settings: DataSettings, paths: Sequence[Path]) -> bool:
    """Whether even the encoded images stay on disk."""
    if settings.stream == "auto":
        return 2 * sum(path.stat().st_size for path in paths) > free_bytes("cpu")
    return settings.stream == "always"


def _map(parts: dict[str, list[Path]], source: str) -> tuple[dict[str, pa.Table], dict[str, Any], str]:
    """Tables that the system reads from disk page by page, and where they lie."""
    import datasets

    data_files = {part: [_escape(path) for path in paths] for part, paths in parts.items()}
    try:
        found = datasets.load_dataset("parquet", data_files=data_files)
    except Exception as error:  # as in `_read`
        raise _unlike(error, source) from error
    tables = {str(part): rows.data.table for part, rows in found.items()}
    first = found[choose_train(parts, source) or next(iter(parts))]
    place = os.path.dirname(first.cache_files[0]["filename"]) if first.cache_files else "memory"
    return tables, dict(first.features), place


def _unlike(error: Exception, source: str) -> DataError:
    cause = error.__cause__ or error
    return DataError(
        f"{source} can't be read as one table ({type(cause).__name__}: {_first_line(cause)}): all its parquet "
        f"files must have columns of the same types"
    )


def _read(parts: dict[str, list[Path]], source: str) -> tuple[dict[str, pa.Table], dict[str, Any]]:
    """The tables in memory, images still encoded, and the types of their columns.

    Pyarrow opens the files itself: given Python's files, its threads read through Python, and one that still does
    when Python ends aborts the process (https://github.com/apache/arrow/issues/45214).
    """
    import datasets
    import pyarrow as pa
    import pyarrow.parquet as pq
    from datasets.table import table_cast

    try:
        first = parts[choose_train(parts, source) or next(iter(parts))][0]
        features = datasets.Features.from_arrow_schema(pq.read_schema(first))
        tables = {
            part: pa.concat_tables(
                table_cast(pq.ParquetFile(path).read(), features.arrow_schema) for path in paths
            )
            for part, paths in parts.items()
        }
    except Exception as error:  # the library raises its own types, pyarrow's and built-in ones
        raise _unlike(error, source) from error
    return tables, dict(features)


def _escape(path: Path) -> str:
    return re.sub(r"([*?\[])", r"[\1]", os.path.abspath(path))


def _first_line(error: BaseException) -> str:
    return str(error).partition("\n")[0][:200]
