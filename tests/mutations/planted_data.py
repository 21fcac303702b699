"""Mistakes in what images and labels are taken for: each run trains, on other classes or images than it should."""

from __future__ import annotations

from tests.mutations.mutation import plant

LAYOUT = "tests/data/test_layout.py::test_"
LABELS = "tests/data/test_labels.py::test_"

TAKEN_FOR = [
    plant(
        "training and validation folders are read as two classes",
        "_are_parts",
        "        return bool(worded)\n",
        '        return bool(worded) and any(child.name == "train" for child in worded)\n',
        LAYOUT + "folders_named_like_parts_are_parts_and_no_classes",
    ),
    plant(
        "training and test images below a class are merged",
        "folder:_list",
        "        refuse_parts(path / name, of_class=True)\n",
        "",
        LAYOUT + "parts_below_classes_are_refused_and_never_merged",
    ),
    plant(
        "of two training parts one is taken without a word",
        "_the_one",
        "        if len(found) <= 1 and (found or not names):\n",
        "        if found or not names:\n",
        LAYOUT + "two_training_folders_are_refused_and_both_named",
    ),
    plant(
        "fractions are cut down to classes",
        "labels:_whole",
        "    if value % 1 != 0:\n",
        "    if not value < 2**62:\n",
        LABELS + "a_measurement_is_refused_with_column_row_and_value",
    ),
    plant(
        "of several labels in a list the first is taken",
        "labels:_place",
        "!= [1]:",
        "[:1] != [1]:",
        LABELS + "a_list_that_is_not_one_hot_is_refused_and_shown",
    ),
]
