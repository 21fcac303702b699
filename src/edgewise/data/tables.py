"""From tables of encoded images and labels to a source."""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import torch
from PIL import Image

from edgewise.core import DataError
from edgewise.data.columns import find_columns
from edgewise.data.settings import DataSettings
from edgewise.data.source import TEST_NAMES, Part, Source, choose_test

if TYPE_CHECKING:
    import pyarrow as pa

Where = Callable[[str, int], str]


def table_source(
    settings: DataSettings,
    tables: Mapping[str, pa.Table],
    features: Mapping[str, Any],
    *,
    where: Where,
    notes: Sequence[str] = (),
    flip_safe: bool = True,
) -> Source:
    """A source of tables.

    Args:
        settings: names the source, and the columns if the user did.
        tables: a table for each part; "train" must be there.
        features: the columns with their types, as the `datasets` library has them.
        where: names a row of a part, for messages.
        notes: lines for the user.
        flip_safe: whether a mirrored image is still the same object.

    Raises:
        DataError: a part, column or label is missing.
    """
    name = settings.source
    if "train" not in tables:
        raise DataError(f"{name} has no part named train, only {', '.join(tables)}: there is nothing to train on")
    image, label = find_columns(features, image=settings.image_column, label=settings.label_column, source=name)
    values, choice = _labelled(tables, features, label, where)
    names = _class_names(features[label], list(values.values()))
    index = {name: i for i, name in enumerate(names)}
    parts = {
        part: Part(
            labels=torch.tensor([index[str(value)] for value in found], dtype=torch.int64),
            open=_opener(tables[part].column(image)),
            where=partial(where, part),
        )
        for part, found in values.items()
    }
    train, *test = parts.values()
    notes = (*notes, *choice)
    return Source(name, train, test[0] if test else None, tuple(names), flip_safe=flip_safe, notes=notes)


def _labelled(
    tables: Mapping[str, pa.Table], features: Mapping[str, Any], label: str, where: Where
) -> tuple[Mapping[str, Sequence[Any]], list[str]]:
    """The labels of the training part and, if there is one, of the test part; and notes on the others."""
    values = {part: _labels(table.column(label), features[label]) for part, table in tables.items()}
    test, notes = _choose_parts(values)
    used = {part: values[part] for part in ("train", test) if part is not None}
    for part, labels in used.items():
        _check_labelled(labels, label, part, where)
    return used, notes


def _choose_parts(values: Mapping[str, Sequence[Any]]) -> tuple[str | None, list[str]]:
    """The part that serves as test set, and notes on those that are not used."""
    blank = [part for part in TEST_NAMES if part in values and all(value is None for value in values[part])]
    test, notes = choose_test([part for part in values if part not in blank])
    notes += [f"the part {part} has no labels and is not used" for part in blank]
    notes += [f"the part {part} is not used" for part in values if part not in ("train", *TEST_NAMES)]
    return test, notes


def _labels(column: pa.ChunkedArray, feature: Any) -> list[str | int | None]:
    """Labels as texts or numbers; None where there is none."""
    names = getattr(feature, "names", None)
    if names is None:
        return column.to_pylist()
    # -1 is the hub's sign for a label that is not given away.
    return [None if value is None or value < 0 else names[value] for value in column.to_pylist()]


def _check_labelled(values: Sequence[Any], label: str, part: str, where: Where) -> None:
    missing = [row for row, value in enumerate(values) if value is None]
    if missing:
        raise DataError(
            f"labels are missing: column {label!r} is empty at {where(part, missing[0])}, and in {len(missing)} "
            f"of the {len(values)} rows of {part} in all: fill them in or remove these rows"
        )


def _class_names(feature: Any, values: Sequence[Sequence[Any]]) -> list[str]:
    names = getattr(feature, "names", None)
    if names is not None:
        return list(names)
    found = {value for part in values for value in part}
    return [str(value) for value in sorted(found)]


def _opener(column: pa.ChunkedArray) -> Callable[[int], Image.Image]:
    def open_row(row: int) -> Image.Image:
        value = column[row].as_py()
        content = value.get("bytes") if isinstance(value, dict) else value
        path = value.get("path") if isinstance(value, dict) else None
        if content is not None:
            return Image.open(io.BytesIO(content))
        if not path:
            raise ValueError("the row holds no image")
        return Image.open(path)

    return open_row
