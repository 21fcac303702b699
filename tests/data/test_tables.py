"""Parquet files: parts from file names, columns by type and name, labels of every kind."""

from __future__ import annotations

from pathlib import Path

import datasets
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from edgewise.data import DataSettings, Splits, load
from edgewise.errors import DataError
from tests.data.helpers import encoded, rows, values, write_parquet

AB = ["a", "b"]


def read(path: Path | str, **settings: object) -> Splits:
    return load(DataSettings(source=str(path), **settings), seed=0)  # type: ignore[arg-type]


def write_hub_like(path: Path, labels: list[int], names: list[str], *, column: str = "fine_label") -> None:
    """A file as the `datasets` library writes it, with two class columns as CIFAR-100 has them."""
    features = datasets.Features(
        {
            "img": datasets.Image(),
            column: datasets.ClassLabel(names=names),
            "coarse_label": datasets.ClassLabel(names=["x", "y"]),
        }
    )
    cells = [{"bytes": encoded(i), "path": None} for i in range(len(labels))]
    table = datasets.Dataset.from_dict(
        {"img": cells, column: labels, "coarse_label": [0] * len(labels)}, features=features
    )
    table.to_parquet(str(path))


def test_file_names_say_which_part_they_are_of(tmp_path: Path) -> None:
    write_parquet(tmp_path / "train-00000-of-00002.parquet", rows(AB * 3))
    write_parquet(tmp_path / "train-00001-of-00002.parquet", rows(AB))
    write_parquet(tmp_path / "test-00000-of-00001.parquet", rows(AB))
    splits = read(tmp_path)
    assert splits.class_names == ("a", "b")
    assert sorted(values(splits.train)) == [0, 0, 1, 1, 2, 3, 4, 5]
    assert splits.train.labels.tolist() == [value % 2 for value in values(splits.train)]
    assert values(splits.test.open()) == [0, 1]
    assert splits.notes == ()


def test_a_validation_file_serves_as_test_and_a_note_says_so(tmp_path: Path) -> None:
    write_parquet(tmp_path / "data" / "train.parquet", rows(AB * 3))
    write_parquet(tmp_path / "data" / "validation.parquet", rows(AB))
    splits = read(tmp_path)
    assert len(splits.test) == 2
    assert "there is no part named test: validation serves as the test set" in splits.notes


def test_one_file_or_a_pattern_of_unnamed_files_is_cut(tmp_path: Path) -> None:
    write_parquet(tmp_path / "pets-0.parquet", rows(AB * 5))
    write_parquet(tmp_path / "pets-1.parquet", rows(AB * 5))
    one, both = read(tmp_path / "pets-0.parquet"), read(f"{tmp_path}/pets-*.parquet")
    assert len(one.train) + len(one.test) == 10
    assert len(both.train) + len(both.test) == 20
    assert both.test.open().labels.tolist().count(0) == 2


@pytest.mark.parametrize(
    ("train", "test"),
    [
        ("training.parquet", "testing.parquet"),
        ("Train-00000-of-00001.parquet", "Test-00000-of-00001.parquet"),
        ("my-pets-train-00000-of-00001.parquet", "my-pets-eval-00000-of-00001.parquet"),
        ("train_images/0.parquet", "val_images/0.parquet"),
    ],
)
def test_the_words_for_parts_are_the_same_as_for_folders(tmp_path: Path, train: str, test: str) -> None:
    write_parquet(tmp_path / train, rows(AB * 3))
    write_parquet(tmp_path / test, rows(AB * 4))
    splits = read(tmp_path)
    assert (len(splits.train), len(splits.test)) == (6, 8)


def test_the_name_of_the_folder_that_holds_all_files_is_no_part(tmp_path: Path) -> None:
    write_parquet(tmp_path / "test project" / "pets.parquet", rows(AB * 5))
    splits = read(tmp_path / "test project")
    assert (len(splits.train), len(splits.test)) == (8, 2)


def test_files_of_two_training_parts_are_refused_and_both_parts_named(tmp_path: Path) -> None:
    write_parquet(tmp_path / "train.parquet", rows(AB * 3))
    write_parquet(tmp_path / "training.parquet", rows(AB * 3))
    with pytest.raises(DataError, match="train and training could each be the training part"):
        read(tmp_path)


def test_files_that_could_belong_to_any_part_are_refused_and_named(tmp_path: Path) -> None:
    write_parquet(tmp_path / "train.parquet", rows(AB * 3))
    write_parquet(tmp_path / "more.parquet", rows(AB * 3))
    with pytest.raises(DataError, match=r"more\.parquet could belong to any part, beside files named train"):
        read(tmp_path)


def test_a_table_with_test_rows_only_is_refused(tmp_path: Path) -> None:
    write_parquet(tmp_path / "test.parquet", rows(AB * 3))
    with pytest.raises(DataError, match="has no part named train, only test"):
        read(tmp_path)


def test_class_names_and_the_finer_of_two_class_columns_come_from_the_files_metadata(tmp_path: Path) -> None:
    write_hub_like(tmp_path / "train.parquet", [0, 1] * 3, ["wolf", "ant"])
    splits = read(tmp_path)
    assert splits.class_names == ("wolf", "ant")
    assert splits.train.labels.tolist() == [value % 2 for value in values(splits.train)]


def test_named_classes_without_images_are_dropped_and_noted(tmp_path: Path) -> None:
    write_hub_like(tmp_path / "train.parquet", [0, 2] * 3, ["wolf", "bee", "ant"])
    splits = read(tmp_path)
    assert splits.class_names == ("wolf", "ant")
    assert splits.train.labels.tolist() == [value % 2 for value in values(splits.train)]
    assert "1 named classes have no images and are dropped: bee" in splits.notes


def test_numbers_as_labels_are_sorted_as_numbers(tmp_path: Path) -> None:
    write_parquet(tmp_path / "train.parquet", rows([10, 9] * 3))
    splits = read(tmp_path)
    assert splits.class_names == ("9", "10")
    assert splits.train.labels.tolist() == [1 - value % 2 for value in values(splits.train)]


def test_a_column_of_encoded_bytes_is_an_image_column(tmp_path: Path) -> None:
    write_parquet(tmp_path / "train.parquet", {"img": [encoded(i) for i in range(6)], "label": AB * 3})
    assert len(read(tmp_path).train) == 4


def test_a_test_part_without_labels_is_not_used_and_a_note_says_so(tmp_path: Path) -> None:
    write_hub_like(tmp_path / "train.parquet", [0, 1] * 3, ["wolf", "ant"])
    write_hub_like(tmp_path / "validation.parquet", [0, 1], ["wolf", "ant"])
    write_hub_like(tmp_path / "test.parquet", [-1, -1, -1], ["wolf", "ant"])
    splits = read(tmp_path)
    assert len(splits.test) == 2
    assert "the part test has no labels and is not used" in splits.notes


def test_a_row_without_a_label_is_refused_and_named(tmp_path: Path) -> None:
    write_parquet(tmp_path / "train-0.parquet", rows(AB * 3))
    write_parquet(tmp_path / "train-1.parquet", rows(["a", None, "b"]))
    with pytest.raises(
        DataError, match=r"labels are missing: column 'label' is empty at .*train-1\.parquet, row 1"
    ):
        read(tmp_path)


def test_a_table_without_a_label_column_is_refused_with_its_columns(tmp_path: Path) -> None:
    write_parquet(tmp_path / "train.parquet", rows(AB * 3, label_column="kind") | {"width": [8] * 6})
    with pytest.raises(DataError, match=r"no label column .*: there are image, kind, width; .*data\.label_column"):
        read(tmp_path)
    assert read(tmp_path, label_column="kind").class_names == ("a", "b")


def test_a_table_without_an_image_column_is_refused_with_its_columns(tmp_path: Path) -> None:
    write_parquet(tmp_path / "train.parquet", {"text": ["x"] * 6, "label": AB * 3})
    with pytest.raises(DataError, match=r"no image column .*: there are text, label; .*data\.image_column"):
        read(tmp_path)


@pytest.mark.parametrize("column", ["label", "image"])
def test_a_column_that_the_user_named_and_that_is_missing_is_refused(tmp_path: Path, column: str) -> None:
    write_parquet(tmp_path / "train.parquet", rows(AB * 3))
    with pytest.raises(DataError, match=rf"no column 'kind' for data\.{column}_column: there are image, label"):
        read(tmp_path, **{f"{column}_column": "kind"})


def test_two_columns_that_could_be_the_image_are_refused_until_one_is_named(tmp_path: Path) -> None:
    table = rows(AB * 3, image_column="left") | {"right": rows(AB * 3)["image"][::-1]}
    write_parquet(tmp_path / "train.parquet", table)
    with pytest.raises(DataError, match=r"left, right could all be the image column: choose one"):
        read(tmp_path)
    splits = read(tmp_path, image_column="right")
    assert splits.train.labels.tolist() == [1 - value % 2 for value in values(splits.train)]


def test_measurements_are_no_labels(tmp_path: Path) -> None:
    write_parquet(tmp_path / "train.parquet", rows([0.5, 1.5] * 3, label_column="height"))
    with pytest.raises(DataError, match=r"column 'height' holds (double|float64) values, which are no classes"):
        read(tmp_path, label_column="height")


def test_a_row_that_holds_no_image_is_refused_and_named(tmp_path: Path) -> None:
    table = rows(AB * 6)
    table["image"][4] = None
    table["image"][5] = {"bytes": b"no image", "path": None}
    write_parquet(tmp_path / "train.parquet", table)
    with pytest.raises(DataError) as error:
        read(tmp_path)
    assert f"{tmp_path / 'train.parquet'}, row " in str(error.value)
    splits = read(tmp_path, skip_bad=True)
    assert sorted(splits.bad_files) == [
        f"{tmp_path / 'train.parquet'}, row 4: the row holds no image",
        f"{tmp_path / 'train.parquet'}, row 5: not an image in a known format",
    ]


def test_files_with_other_columns_than_the_first_are_refused(tmp_path: Path) -> None:
    write_parquet(tmp_path / "train.parquet", rows(AB * 3))
    write_parquet(tmp_path / "test.parquet", rows(AB, label_column="kind"))
    with pytest.raises(
        DataError, match=r"train\.parquet has the columns image, label, test\.parquet has image, kind"
    ):
        read(tmp_path)


def test_a_damaged_parquet_file_is_refused_and_named(tmp_path: Path) -> None:
    (tmp_path / "train.parquet").write_bytes(b"PAR1 and nothing more")
    with pytest.raises(DataError, match=r"train\.parquet is not a readable parquet file"):
        read(tmp_path)


def test_a_table_without_rows_is_refused(tmp_path: Path) -> None:
    empty = pa.table({"image": pa.array([], pa.binary()), "label": pa.array([], pa.string())})
    pq.write_table(empty, tmp_path / "train.parquet")
    with pytest.raises(DataError, match="has no images: its 1 parquet files have no rows"):
        read(tmp_path)


def test_a_part_without_rows_is_not_used_and_a_note_says_so(tmp_path: Path) -> None:
    table = pa.table(rows(AB * 5))
    pq.write_table(table, tmp_path / "train.parquet")
    pq.write_table(table.slice(0, 0), tmp_path / "test.parquet")
    splits = read(tmp_path)
    assert (len(splits.train), len(splits.test)) == (8, 2)
    assert "the part test has no rows and is not used" in splits.notes


def test_brackets_in_a_folders_name_are_no_pattern(tmp_path: Path) -> None:
    folder = tmp_path / "pets [old] *"
    write_parquet(folder / "train.parquet", rows(AB * 5))
    assert len(read(folder).train) == 8
