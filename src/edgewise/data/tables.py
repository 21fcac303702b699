"""From tables of encoded images and labels to a source."""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import torch
from PIL import Image

from edgewise.data.columns import find_columns
from edgewise.data.decode import open_image
from edgewise.data.labels import note_on, read_labels
from edgewise.data.settings import DataSettings
from edgewise.data.source import Part, Source
from edgewise.data.split_names import choose_test, choose_train, role_of
from edgewise.errors import DataError

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
        tables: a table for each part; a training part must be there.
        features: the columns with their types, as the `datasets` library has them.
        where: names a row of a part, for messages.
        notes: lines for the user.
        flip_safe: whether a mirrored image is still the same object.

    Raises:
        DataError: a part, column or label is missing.
    """
    name = settings.source
    train = choose_train(tables, name)
    if train is None:
        raise DataError(f"{name} has no part named train, only {', '.join(tables)}: there is nothing to train on")
    image, label = find_columns(features, image=settings.image_column, label=settings.label_column, source=name)
    values, choice = _labelled(
        name,
        tables,
        train,
        lambda part: read_labels(tables[part].column(label), features[label], label, partial(where, part)),
    )
    for part, found in values.items():
        _check_labelled(found, label, part, where)
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
    notes = (*notes, *choice, *note_on(features[label], label))
    test = [part for key, part in parts.items() if key != train]
    return Source(name, parts[train], test[0] if test else None, tuple(names), flip_safe=flip_safe, notes=notes)


def _labelled(
    name: str, tables: Mapping[str, pa.Table], train: str, read: Callable[[str], Sequence[Any]]
) -> tuple[dict[str, Sequence[Any]], list[str]]:
    """The labels of the training part and, if there is one, of the test part; and notes on the others.

    Args:
        name: the source, for messages.
        tables: all parts.
        train: the training part.
        read: gives a part's labels.
    """
    tests = {part: read(part) for part in tables if role_of(part) in ("test", "validation")}
    blank = [part for part, labels in tests.items() if all(label is None for label in labels)]
    test, notes = choose_test([part for part in tests if part not in blank], name)
    notes += [f"the part {part} has no labels and is not used" for part in blank]
    notes += [f"the part {part} is not used" for part in tables if part not in (train, *tests)]
    return {train: read(train)} | ({} if test is None else {test: tests[test]}), notes


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
            return open_image(io.BytesIO(content))
        if not path:
            raise ValueError("the row holds no image")
        return open_image(path)

    return open_row
