"""Which folders are parts, which are classes, and what is said of the others."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from edgewise.data import DataSettings, Splits, load
from edgewise.errors import DataError
from tests.data.helpers import image, values, write_folder

PETS = {"cat": 4, "dog": 4}


def read(path: Path, **settings: object) -> Splits:
    return load(DataSettings(source=str(path), **settings), seed=0)  # type: ignore[arg-type]


def tree(root: Path, folders: Mapping[str, Mapping[str, int]]) -> Path:
    for name, counts in folders.items():
        write_folder(root / name, counts)
    return root


@pytest.mark.parametrize(
    ("train", "test"),
    [
        ("training", "validation"),
        ("Train", "Test"),
        ("training", "testing"),
        ("train_images", "val_images"),
        ("images_train", "images_test"),
        ("Training Set", "Test Set"),
        ("train2017", "val2017"),
        ("pets-train", "pets-dev"),
        ("train", "eval"),
    ],
)
def test_folders_named_like_parts_are_parts_and_no_classes(tmp_path: Path, train: str, test: str) -> None:
    splits = read(tree(tmp_path / "x", {train: PETS, test: {"cat": 1, "dog": 2}}))
    assert splits.class_names == ("cat", "dog")
    assert (len(splits.train), len(splits.test)) == (8, 3)


def test_two_training_folders_are_refused_and_both_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="train and training could each be the training part: keep one"):
        read(tree(tmp_path / "x", {"train": PETS, "training": PETS, "test": PETS}))


def test_folders_of_parts_without_class_folders_have_no_labels(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"labels are missing: .*train_images holds 4 images"):
        read(write_folder(tmp_path / "x", {"train_images": 4, "test_images": 4}))


@pytest.mark.parametrize("name", ["test", "Val", "train", "training"])
def test_a_folder_of_images_named_like_a_part_beside_classes_is_refused_with_both_ways_out(
    tmp_path: Path, name: str
) -> None:
    path = write_folder(tmp_path / "x", {"car": 4, "cat": 4, "dog": 4, name: 4})
    with pytest.raises(DataError, match=f"is {name} a part of the set, or a class like car, cat, dog\\?") as error:
        read(path)
    assert f"if it is a class, move all class folders, it too, into {path / 'train'}" in str(error.value)


def test_in_a_train_folder_a_class_may_be_called_test(tmp_path: Path) -> None:
    names = {"car": 4, "dog": 4, "test": 4, "train": 4}
    splits = read(tree(tmp_path / "x", {"train": names, "test": names}))
    assert splits.class_names == ("car", "dog", "test", "train")


def test_a_test_folder_with_classes_beside_loose_classes_is_refused(tmp_path: Path) -> None:
    write_folder(tmp_path / "x", PETS)
    with pytest.raises(DataError, match="is test a part of the set, or a class like cat, dog"):
        read(tree(tmp_path / "x", {"test": {"cat": 2, "dog": 2}}))


def test_one_name_with_such_a_word_among_classes_is_a_class_and_a_note_says_so(tmp_path: Path) -> None:
    splits = read(write_folder(tmp_path / "x", {"airport": 4, "train_station": 4, "zoo": 4}))
    assert splits.class_names == ("airport", "train_station", "zoo")
    assert "taken for classes, not for parts: train_station" in splits.notes


def test_a_class_that_holds_folders_and_has_such_a_word_is_refused_and_never_the_whole_set(tmp_path: Path) -> None:
    tree(tmp_path / "x", {"train_station": {"inside": 4, "outside": 4}})
    with pytest.raises(DataError, match="is train_station a part of the set, or a class like airport"):
        read(write_folder(tmp_path / "x", {"airport": 4}))


def test_the_first_level_of_nested_folders_makes_the_classes_and_a_note_says_so(tmp_path: Path) -> None:
    path = tree(tmp_path / "x", {"a": {"x": 4, "y": 4}, "b": {"x": 4}})
    splits = read(path)
    assert splits.class_names == ("a", "b")
    assert len(splits.train) + len(splits.test) == 12
    assert (
        "the first level of folders makes the classes: a, b; images of the folders below them count with their "
        "class (a/x, a/y, b/x)"
    ) in splits.notes


def test_hidden_folders_in_a_class_are_not_read(tmp_path: Path) -> None:
    path = write_folder(tmp_path / "x", PETS)
    (path / "cat" / ".ipynb_checkpoints").mkdir()
    image(99).save(path / "cat" / ".ipynb_checkpoints" / "a-checkpoint.png")
    splits = read(path)
    assert len(splits.train) + len(splits.test) == 8


@pytest.mark.parametrize("wrapper", ["dataset", "pets/images"])
def test_one_folder_around_everything_is_looked_into_and_a_note_says_so(tmp_path: Path, wrapper: str) -> None:
    path = tmp_path / "x"
    tree(path / wrapper, {"train": PETS, "test": {"cat": 1, "dog": 1}})
    splits = read(path)
    assert (splits.class_names, len(splits.train), len(splits.test)) == (("cat", "dog"), 8, 2)
    assert f"{path} holds one folder, {wrapper.split('/')[0]}, which is read in its place" in splits.notes


def test_one_folder_around_classes_is_looked_into(tmp_path: Path) -> None:
    write_folder(tmp_path / "x" / "pets", PETS)
    assert read(tmp_path / "x").class_names == ("cat", "dog")


def test_a_folder_inside_each_part_is_looked_into_too(tmp_path: Path) -> None:
    path = tmp_path / "x"
    tree(path, {"train/train": PETS, "test/images": {"cat": 1, "dog": 1}})
    splits = read(path)
    assert (splits.class_names, len(splits.train), len(splits.test)) == (("cat", "dog"), 8, 2)


def test_a_lone_class_of_the_test_part_is_not_looked_through(tmp_path: Path) -> None:
    splits = read(tree(tmp_path / "x", {"train": PETS, "test": {"cat/young": 2}}))
    assert splits.test.open().labels.tolist() == [0, 0]


def test_a_folder_around_everything_may_have_a_name_like_a_part(tmp_path: Path) -> None:
    tree(tmp_path / "x" / "test_project", {"train": PETS, "test": {"cat": 1, "dog": 1}})
    splits = read(tmp_path / "x")
    assert (splits.class_names, len(splits.train), len(splits.test)) == (("cat", "dog"), 8, 2)


@pytest.mark.parametrize("stray", ["a.png", "pets/a.png"])
def test_a_folder_is_not_looked_through_where_images_would_be_lost(tmp_path: Path, stray: str) -> None:
    write_folder(tmp_path / "x" / "pets", PETS)
    image().save(tmp_path / "x" / stray)
    with pytest.raises(DataError, match=r"one class \('pets'\)"):
        read(tmp_path / "x")


def test_beside_train_a_folder_with_that_word_is_named_as_not_read(tmp_path: Path) -> None:
    splits = read(tree(tmp_path / "x", {"train": PETS, "train_small": PETS, "test": PETS}))
    assert splits.notes == ("beside train there are folders that are not read: train_small",)


def test_folders_without_images_beside_parts_leave_them_parts(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"labels are missing: .*train holds 4 images but no class folders"):
        read(write_folder(tmp_path / "x", {"train": 4, "test": 4, "scripts": 0}))


def test_images_beside_class_folders_are_named_in_a_note(tmp_path: Path) -> None:
    path = tree(tmp_path / "x", {"train": PETS, "test": PETS})
    image().save(path / "stray.png")
    image().save(path / "train" / "a.png")
    image().save(path / "train" / "b.png")
    notes = read(path).notes
    assert f"not read: 1 image in {path} beside the folder train (stray.png)" in notes
    assert f"not read: 2 images in {path / 'train'} beside the class folders (a.png, b.png)" in notes


@pytest.mark.parametrize("inner", [("train", "test"), ("ground_truth", "test", "train")])
def test_parts_below_classes_are_refused_and_never_merged(tmp_path: Path, inner: tuple[str, ...]) -> None:
    path = tree(tmp_path / "x", {name: dict.fromkeys(inner, 4) for name in ("cat", "dog")})
    with pytest.raises(DataError, match=r"cat holds .*train.*: they look like training and test parts"):
        read(path)


def test_parts_below_a_part_are_refused(tmp_path: Path) -> None:
    path = tree(tmp_path / "x", {"train/train": PETS, "train/val": PETS, "test": PETS})
    with pytest.raises(DataError, match="train holds train, val: they look like training and test parts"):
        read(path)


def test_an_empty_class_folder_of_the_test_part_is_a_missing_test_class_and_noted(tmp_path: Path) -> None:
    splits = read(tree(tmp_path / "x", {"train": PETS, "test": {"cat": 2, "dog": 0}}))
    assert values(splits.test.open()) == [0, 1]
    assert "1 classes have no test image: dog" in splits.notes


def test_an_empty_class_folder_of_the_test_part_that_training_lacks_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"the class folder .*eel holds no images"):
        read(tree(tmp_path / "x", {"train": PETS, "test": {"cat": 2, "eel": 0}}))


def test_a_test_part_of_empty_class_folders_alone_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="has a test part without images: fill it, or remove it"):
        read(tree(tmp_path / "x", {"train": PETS, "test": {"cat": 0, "dog": 0}}))
