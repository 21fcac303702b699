"""Label columns of every type: taken, or refused with what they hold and what to do."""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

import datasets
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from edgewise.data import DataSettings, Splits, load
from edgewise.errors import DataError
from tests.data.helpers import encoded, rows, values, write_parquet

NAN = float("nan")


def read(path: Path, labels: Sequence[Any] | pa.Array, **settings: object) -> Splits:
    column = labels if isinstance(labels, pa.Array) else list(labels)
    write_parquet(path / "x" / "train.parquet", rows(range(len(labels))) | {"label": column})
    return load(DataSettings(source=str(path / "x"), **settings), seed=0)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("labels", "names"),
    [
        ([2.0, 10.0], ("2", "10")),
        (pa.array(np.array([0, 1] * 6, dtype=np.float32)), ("0", "1")),
        ([Decimal(2), Decimal(10)], ("2", "10")),
        ([False, True], ("False", "True")),
        (pa.array(["a", "b"] * 6).dictionary_encode(), ("a", "b")),
        (pa.array(["a", "b"] * 6, pa.large_string()), ("a", "b")),
        (pa.array([2, 10] * 6, pa.uint8()), ("2", "10")),
    ],
)
@pytest.mark.parametrize("stream", ["never", "always"])
def test_labels_of_these_types_are_classes(
    tmp_path: Path, labels: Any, names: tuple[str, ...], stream: str
) -> None:
    splits = read(tmp_path, labels if len(labels) > 2 else labels * 6, stream=stream)
    assert splits.class_names == names
    shown = splits.train.pixels[:][:, 0, 0, 0]
    assert splits.train.labels.tolist() == [value % 2 for value in shown.tolist()]


@pytest.mark.parametrize(
    "kind",
    [None, pa.list_(pa.float32()), pa.list_(pa.bool_()), pa.list_(pa.int8(), 3), pa.large_list(pa.int64())],
)
def test_in_one_hot_lists_the_place_of_the_one_is_the_class(tmp_path: Path, kind: pa.DataType | None) -> None:
    labels = [[1, 0, 0], [0, 0, 1]] * 6
    if kind is not None and pa.types.is_boolean(kind.value_type):
        labels = [[value == 1 for value in one] for one in labels]
    splits = read(tmp_path, pa.array(labels, kind))
    assert splits.class_names == ("0", "2")
    assert splits.train.labels.tolist() == [value % 2 for value in values(splits.train)]
    assert "column 'label' holds one-hot lists: the place of the 1, counted from 0, is the class" in splits.notes


@pytest.mark.parametrize("wrong", [0.5, float("inf"), -1.25])
def test_a_measurement_is_refused_with_column_row_and_value(tmp_path: Path, wrong: float) -> None:
    with pytest.raises(DataError) as error:
        read(tmp_path, [0.0, 1.0, 0.0, wrong, 1.0])
    assert "column 'label' holds double values, which are no classes" in str(error.value)
    assert f"{wrong} at {tmp_path / 'x/train.parquet'}, row 3 is a measurement, not a class" in str(error.value)


@pytest.mark.parametrize("labels", [[0.0, NAN] * 6, [[1, 0], None] * 6, [0.0, None] * 6])
def test_a_label_that_is_nan_or_null_is_missing(tmp_path: Path, labels: list[Any]) -> None:
    with pytest.raises(DataError, match=r"labels are missing: column 'label' is empty at .*row 1, and in 6 of"):
        read(tmp_path, labels)


@pytest.mark.parametrize(
    ("wrong", "shown"),
    [([1, 1], r"\[1, 1\]"), ([0, 0], r"\[0, 0\]"), ([0, 2], r"\[0, 2\]"), ([1, None], r"\[1, None\]")],
)
def test_a_list_that_is_not_one_hot_is_refused_and_shown(tmp_path: Path, wrong: list[Any], shown: str) -> None:
    with pytest.raises(
        DataError, match=rf"the one at .*row 2, {shown}, is not one-hot .* several labels an image"
    ):
        read(tmp_path, [[1, 0], [0, 1], wrong])


def test_lists_of_several_lengths_are_refused_with_the_first_other_one(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"lists of several lengths \(of 3 at .*row 2\).*several labels an image"):
        read(tmp_path, [[1, 0], [0, 1], [0, 1, 0], [1, 0, 0]])


@pytest.mark.parametrize(
    ("value", "held"),
    [
        ({"a": 1, "b": 2}, "structures of a, b"),
        ({"bytes": encoded(), "path": None}, "images"),
        (datetime.datetime(2020, 1, 1), r"times \(timestamp\[us\]\)"),
        (datetime.date(2020, 1, 1), r"times \(date32\[day\]\)"),
        (b"cat", r"bytes \(binary\)"),
        (["cat"], "lists of string"),
        ([[1, 0]], "lists of list"),
    ],
)
def test_a_label_column_of_another_type_is_refused_with_what_it_holds(
    tmp_path: Path, value: Any, held: str
) -> None:
    with pytest.raises(DataError, match=rf"column 'label' holds {held}.*, which are no classes: make them class"):
        read(tmp_path, [value] * 12)


def test_a_plain_column_is_preferred_to_one_that_has_to_be_converted(tmp_path: Path) -> None:
    table = rows([[0.5], [1.5]] * 6) | {"class": ["a", "b"] * 6}
    write_parquet(tmp_path / "train.parquet", table)
    assert load(DataSettings(source=str(tmp_path)), seed=0).class_names == ("a", "b")


def test_a_class_number_beyond_the_names_of_the_table_is_refused_with_its_row(tmp_path: Path) -> None:
    features = datasets.Features({"image": datasets.Image(), "label": datasets.ClassLabel(names=["a", "b"])})
    cells = [{"bytes": encoded(i), "path": None} for i in range(3)]
    table = datasets.Dataset.from_dict({"image": cells, "label": [0, 1, 0]}, features=features).data.table
    table = table.set_column(1, "label", pa.array([0, 1, 5]))
    pq.write_table(table.replace_schema_metadata(features.arrow_schema.metadata), tmp_path / "train.parquet")
    with pytest.raises(DataError, match=r"'label' holds 5 at .*row 2, but its 2 class names end at 1"):
        load(DataSettings(source=str(tmp_path)), seed=0)
