"""Folders of image files."""

from __future__ import annotations

from pathlib import Path

import pytest

from edgewise.data import DataSettings, Splits, load
from edgewise.errors import DataError
from tests.data.helpers import image, values, write_folder


def read(path: Path, **settings: object) -> Splits:
    return load(DataSettings(source=str(path), **settings), seed=0)  # type: ignore[arg-type]


def test_train_and_test_folders_are_the_training_and_test_images(tmp_path: Path) -> None:
    write_folder(tmp_path / "train", {"cat": 4, "dog": 6})
    write_folder(tmp_path / "test", {"cat": 1, "dog": 2})
    splits = read(tmp_path)
    assert splits.class_names == ("cat", "dog")
    assert sorted(values(splits.weights) + values(splits.arch)) == [0, 1, 2, 3, 20, 21, 22, 23, 24, 25]
    assert values(splits.test.open()) == [0, 20, 21]
    assert splits.test.open().labels.tolist() == [0, 1, 1]
    assert splits.weights.labels.tolist() == [int(value >= 20) for value in values(splits.weights)]
    assert splits.flip_safe
    assert splits.notes == ()


def test_classes_alone_are_cut_stratified_and_a_note_says_so(tmp_path: Path) -> None:
    splits = read(write_folder(tmp_path / "pets", {"cat": 10, "dog": 5}), test_fraction=0.2)
    assert splits.test.open().labels.tolist() == [0, 0, 1]
    every = values(splits.weights) + values(splits.arch) + values(splits.test.open())
    assert sorted(every) == [*range(10), *range(20, 25)]
    assert splits.notes == ("3 of 15 images were cut off, stratified, as test images",)


@pytest.mark.parametrize("name", ["val", "validation", "valid", "Valid"])
def test_a_validation_folder_serves_as_test_and_a_note_says_so(tmp_path: Path, name: str) -> None:
    write_folder(tmp_path / "train", {"cat": 4, "dog": 4})
    write_folder(tmp_path / name, {"cat": 1, "dog": 1})
    splits = read(tmp_path)
    assert len(splits.test) == 2
    assert splits.notes == (f"there is no part named test: {name.lower()} serves as the test set",)


@pytest.mark.parametrize("name", ["val", "validation"])
def test_beside_a_test_folder_a_validation_folder_is_not_used_and_a_note_says_so(
    tmp_path: Path, name: str
) -> None:
    for part, count in (("train", 4), ("test", 1), (name, 2)):
        write_folder(tmp_path / part, {"cat": count, "dog": count})
    splits = read(tmp_path)
    assert len(splits.test) == 2
    assert splits.notes == (f"the part {name} is not used",)


def test_other_folders_and_files_are_left_out_and_named(tmp_path: Path) -> None:
    write_folder(tmp_path / "train", {"cat": 4, "dog": 4})
    write_folder(tmp_path / "test", {"cat": 1, "dog": 1})
    (tmp_path / "scripts").mkdir()
    (tmp_path / ".git").mkdir()
    (tmp_path / "train" / "cat" / "Thumbs.db").write_text("x")
    (tmp_path / "train" / "cat" / "._000.png").write_text("x")
    notes = read(tmp_path).notes
    assert "beside train there are folders that are not read: scripts" in notes
    assert "1 files are left out: their names don't end like those of images" in notes


def test_images_in_folders_under_a_class_folder_belong_to_the_class(tmp_path: Path) -> None:
    write_folder(tmp_path, {"cat": 4, "dog": 4})
    (tmp_path / "dog" / "small").mkdir()
    image(99).save(tmp_path / "dog" / "small" / "a.PNG")
    splits = read(tmp_path)
    found = dict(zip(values(splits.train), splits.train.labels.tolist(), strict=True))
    test = splits.test.open()
    found |= dict(zip(values(test), test.labels.tolist(), strict=True))
    assert found[99] == 1


def test_an_empty_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=f"the folder {tmp_path} is empty: expected train/CLASS"):
        read(tmp_path)


def test_an_empty_train_folder_is_refused_and_named(tmp_path: Path) -> None:
    (tmp_path / "train").mkdir()
    with pytest.raises(DataError, match=f"the folder {tmp_path / 'train'} is empty"):
        read(tmp_path)


def test_an_empty_class_folder_is_refused_and_named(tmp_path: Path) -> None:
    write_folder(tmp_path, {"cat": 4, "dog": 4, "eel": 0})
    with pytest.raises(DataError, match=f"the class folder {tmp_path / 'eel'} holds no images"):
        read(tmp_path)


def test_images_without_class_folders_have_no_labels(tmp_path: Path) -> None:
    image().save(tmp_path / "a.png")
    with pytest.raises(DataError, match=r"labels are missing: .* holds 1 images but no class folders \(a\.png"):
        read(tmp_path)


def test_a_folder_of_other_files_is_no_image_data_set(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("x")
    with pytest.raises(DataError, match="is not an image data set: it holds 1 files and none is an image"):
        read(tmp_path)


def test_a_test_folder_without_a_train_folder_is_refused(tmp_path: Path) -> None:
    write_folder(tmp_path / "test", {"cat": 4, "dog": 4})
    with pytest.raises(DataError, match="holds test but no train folder"):
        read(tmp_path)


def test_one_class_is_refused_and_named(tmp_path: Path) -> None:
    write_folder(tmp_path, {"cat": 9})
    with pytest.raises(DataError, match=r"one class \('cat'\) in 9 training images: at least 2"):
        read(tmp_path)


def test_a_class_with_two_images_is_too_few_where_a_test_part_has_to_be_cut(tmp_path: Path) -> None:
    write_folder(tmp_path, {"cat": 9, "dog": 2})
    with pytest.raises(DataError, match=r"too few training images of the class 'dog' \(2\): at least 3"):
        read(tmp_path)


def test_a_class_with_one_image_is_too_few_beside_a_test_part_and_two_are_enough(tmp_path: Path) -> None:
    write_folder(tmp_path / "train", {"cat": 2, "dog": 1})
    write_folder(tmp_path / "test", {"cat": 1, "dog": 1})
    with pytest.raises(DataError, match=r"of the class 'dog' \(1\): at least 2"):
        read(tmp_path)
    image(50).save(tmp_path / "train" / "dog" / "b.png")
    splits = read(tmp_path)
    assert splits.weights.labels.tolist() == splits.arch.labels.tolist() == [0, 1]


def test_test_classes_that_training_lacks_are_refused_and_named(tmp_path: Path) -> None:
    write_folder(tmp_path / "train", {"cat": 4, "dog": 4})
    write_folder(tmp_path / "test", {"cat": 1, "eel": 1, "fox": 1})
    with pytest.raises(DataError, match="the training images lack: eel, fox: add"):
        read(tmp_path)


def test_training_classes_that_the_test_lacks_are_noted(tmp_path: Path) -> None:
    write_folder(tmp_path / "train", {"cat": 4, "dog": 4})
    write_folder(tmp_path / "test", {"cat": 1})
    assert "1 classes have no test image: dog" in read(tmp_path).notes


def test_an_unreadable_image_is_refused_and_its_file_named(tmp_path: Path) -> None:
    write_folder(tmp_path, {"cat": 5, "dog": 5})
    bad = tmp_path / "dog" / "003.png"
    bad.write_bytes(b"no image")
    with pytest.raises(DataError, match=rf"1 image of .*\n  {bad}: not an image in a known format") as error:
        read(tmp_path)
    assert "--skip-bad" in str(error.value)


def test_a_truncated_image_is_refused_and_its_file_named(tmp_path: Path) -> None:
    write_folder(tmp_path / "train", {"cat": 5, "dog": 5}, size=(40, 40))
    write_folder(tmp_path / "test", {"cat": 5, "dog": 5}, size=(40, 40))
    for bad in (tmp_path / "train/cat/001.png", tmp_path / "test/dog/002.png"):
        bad.write_bytes(bad.read_bytes()[:60])
    with pytest.raises(DataError, match=r"2 images (.|\n)*train/cat/001\.png(.|\n)*test/dog/002\.png"):
        read(tmp_path)


def test_skip_bad_leaves_unreadable_images_out_and_lists_them(tmp_path: Path) -> None:
    write_folder(tmp_path / "train", {"cat": 5, "dog": 5}, size=(40, 40))
    write_folder(tmp_path / "test", {"cat": 5, "dog": 5}, size=(40, 40))
    truncated, foreign = tmp_path / "train/cat/001.png", tmp_path / "test/dog/002.png"
    truncated.write_bytes(truncated.read_bytes()[:60])
    foreign.write_bytes(b"no image")
    splits = read(tmp_path, skip_bad=True)
    assert sorted(values(splits.train)) == [0, 2, 3, 4, 20, 21, 22, 23, 24]
    assert sorted(values(splits.test.open())) == [0, 1, 2, 3, 4, 20, 21, 23, 24]
    assert len(splits.bad_files) == 2
    assert splits.bad_files[0].startswith(f"{truncated}: ")
    assert splits.bad_files[1].startswith(f"{foreign}: ")
    assert "2 images could not be read and are left out" in splits.notes


def test_skip_bad_does_not_hide_that_a_class_has_become_too_small(tmp_path: Path) -> None:
    write_folder(tmp_path / "train", {"cat": 5, "dog": 2})
    write_folder(tmp_path / "test", {"cat": 1, "dog": 1})
    (tmp_path / "train/dog/001.png").write_bytes(b"")
    with pytest.raises(DataError, match=r"too few training images that can be read of the class 'dog' \(1\)"):
        read(tmp_path, skip_bad=True)


def test_skip_bad_with_no_readable_image_is_refused(tmp_path: Path) -> None:
    write_folder(tmp_path / "train", {"cat": 2, "dog": 2})
    write_folder(tmp_path / "test", {"cat": 1, "dog": 1})
    for file in (tmp_path / "train").rglob("*.png"):
        file.write_bytes(b"")
    with pytest.raises(DataError, match="none of the 4 training images"):
        read(tmp_path, skip_bad=True)
