"""Which names mean a part of a set."""

from __future__ import annotations

import pytest

from edgewise.data.split_names import choose_test, choose_train, role_of
from edgewise.errors import DataError


@pytest.mark.parametrize(
    ("name", "role"),
    [
        *[(name, "train") for name in ("train", "Train", "TRAIN", "training", "Training Set", "train_images")],
        *[
            (name, "train")
            for name in ("images_train", "my-dataset-train", "train2017", "trainImages", "IMGTrain")
        ],
        *[(name, "test") for name in ("test", "testing", "test2017", "Test.Images", "imagesTest", "été-test")],
        *[(name, "validation") for name in ("val", "valid", "validation", "dev", "eval", "val_256", "ValImages")],
        *[(name, None) for name in ("trainer", "trains", "contest", "latest", "evaluate", "valley", "device")],
        *[(name, None) for name in ("strain", "pretrained", "Testament", "test\u00e9", "cat", "", "2017")],
    ],
)
def test_a_name_means_this_part(name: str, role: str | None) -> None:
    assert role_of(name) == role


def test_of_two_words_in_a_name_the_first_counts() -> None:
    assert role_of("train_val") == "train"
    assert role_of("test-train") == "test"


def test_a_plain_word_is_the_part_beside_names_that_only_have_it() -> None:
    assert choose_train(["train_small", "Train", "extra"], "x") == "Train"
    assert choose_test(["test_hard", "test"], "x") == ("test", ["the part test_hard is not used"])


@pytest.mark.parametrize("names", [["train", "training"], ["Train", "train"], ["train_a", "train_b"]])
def test_two_training_parts_are_refused_and_both_named(names: list[str]) -> None:
    with pytest.raises(DataError, match=f"x: {' and '.join(sorted(names))} could each be the training part"):
        choose_train(names, "x")


def test_two_test_parts_are_refused_and_two_validations_only_where_one_has_to_serve() -> None:
    with pytest.raises(DataError, match="test and testing could each be the test part"):
        choose_test(["test", "testing"], "x")
    with pytest.raises(DataError, match="dev and val could each be the test part"):
        choose_test(["dev", "val"], "x")
    assert choose_test(["dev", "val", "test"], "x") == ("test", ["the part dev, val is not used"])


def test_a_set_of_other_names_has_no_part() -> None:
    assert choose_train(["cat", "trainer"], "x") is None
    assert choose_test(["cat", "contest"], "x") == (None, [])
