"""Planted mistakes in what outsiders' files and machines brought up: paths, names, numbers, divergence, words."""

from __future__ import annotations

from tests.mutations.mutation import plant

TEXT = "tests/test_text.py::test_"
SOURCES = "tests/pipeline/test_sources.py::test_"
FAILURES = "tests/pipeline/test_failures.py::test_"
AGAIN = FAILURES + "a_training_that_diverges_ends_no_other_and_is_trained_again_on_resume"

RELIABILITY = [
    plant(
        "errors print what they are given",
        "EdgewiseError.__init__",
        "super().__init__(printable(message))",
        "super().__init__(message)",
        TEXT + "an_error_escapes_and_cuts_what_it_names",
    ),
    plant(
        "a run's images are looked for in the working folder alone",
        "path_of_run",
        'if facts is not None and absolute_path(named) == facts["path"]:',
        "if True:",
        SOURCES + "a_run_begun_with_a_relative_path_is_tested_and_resumed_from_elsewhere",
    ),
    plant(
        "another folder of the same relative name is taken for the run's images",
        "path_of_run",
        'absolute_path(named) == facts["path"]',
        "absolute_path(named) is not None",
        SOURCES + "another_folder_of_the_same_relative_name_is_not_taken",
    ),
    plant(
        "a loss of thousands is taken for a training",
        "LARGEST_LOSS",
        "LARGEST_LOSS = 50.0",
        "LARGEST_LOSS = math.inf",
        "tests/train/test_task.py::test_a_loss_beyond_all_use_is_a_divergence_though_it_is_finite[51.0-True]",
    ),
    plant(
        "epochs of a training that diverged stay in the trace beside those of the next",
        "Loop.give_up",
        "        mark.go_back()\n",
        "",
        AGAIN,
    ),
    plant(
        "a run whose training diverged calls itself done",
        "_report",
        "if diverged else",
        "if False else",
        AGAIN,
    ),
    plant(
        "a run that nobody named takes a folder that another has taken",
        "folders:_take",
        "                path.mkdir()\n",
        "                path.mkdir(exist_ok=True)\n",
        "tests/cli/test_folders.py::test_names_of_the_same_second_differ",
    ),
]
