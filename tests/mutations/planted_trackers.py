"""Planted mistakes in what trackers are told, and in the export of networks."""

from __future__ import annotations

from tests.mutations.mutation import plant

TOLD = "tests/pipeline/test_trackers.py::test_"
AXIS = TOLD + "weights_and_biases_drops_no_epoch_and_has_each_phases_epochs_as_axis"
AXES = TOLD + "axes_are_given_to_weights_and_biases_when_it_is_opened"
GOES_ON = TOLD + "a_run_that_is_gone_on_with_goes_on_in_the_trackers_run"
NAMESAKE = TOLD + "trackio_goes_on_with_its_run_unless_another_of_that_name_is_later"
TAGS = TOLD + "mlflow_is_told_changed_settings_as_tags_since_it_refuses_them"
LAST = TOLD + "cells_at_the_end_of_a_run_gone_on_with_belong_to_the_searchs_last_epoch"

TRACKERS = [
    plant(
        "Weights & Biases is given the epoch as its own step, which falls back with each phase",
        "send_epoch",
        """        tracker.log({**values, **drawn, f"{place}/epoch": epoch})
        return""",
        "        values = {**values, **drawn}",
        AXIS,
    ),
    plant(
        "pictures of Weights & Biases name no epoch",
        "send_picture",
        '"cells": wandb.Image(picture), "search/epoch": epoch',
        '"cells": wandb.Image(picture)',
        AXIS,
    ),
    plant(
        "alpha has no axis of its own",
        "_own_axes",
        'for name in ("alpha/*", "cells"):',
        'for name in ("cells",):',
        AXES,
    ),
    plant(
        "a run that is gone on with is a new run for the tracker",
        "open_tracker",
        "        folder.update_run({TRACKER_RUN: known})",
        "        pass",
        GOES_ON,
    ),
    plant(
        "trackio goes on with somebody else's run of that name",
        "open_tracker",
        "if before not in (None, known):",
        "if False:",
        NAMESAKE,
    ),
    plant(
        "changed settings are sent to MLflow as settings",
        "send_settings",
        "for name, value in values.items() if name not in known}",
        "for name, value in values.items()}",
        TAGS,
    ),
    plant(
        "the cells at the end of a run gone on with are those of no epoch",
        "open_tracking",
        "progress, epochs=epochs)",
        "progress)",
        LAST,
    ),
    plant(
        "TensorBoard's files of an overwritten run stay",
        "_clear",
        "    shutil.rmtree(path / TENSORBOARD, ignore_errors=True)",
        "    pass",
        "tests/runs/test_folder.py::test_what_tensorboard_drew_of_a_run_goes_with_the_run",
    ),
    plant(
        "an exported factorised reduction takes one batch size only",
        "Pointwise.forward",
        "expand(x.shape[0], -1, -1)",
        "expand(len(x), -1, -1)",
        "tests/export/test_onnx.py::test_the_copy_takes_any_batch_of_raw_images_and_gives_pytorchs_logits",
    ),
]
