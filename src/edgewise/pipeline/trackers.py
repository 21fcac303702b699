"""What each experiment tracker wants to be told in its own way; the rest is accelerate's."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from edgewise.report import NAMES
from edgewise.runs.folder import TENSORBOARD, RunFolder

if TYPE_CHECKING:
    import numpy as np

PROJECT = "edgewise"
# In run.json: what the tracker calls the run, so that a run that is gone on with goes on there as well.
TRACKER_RUN = "tracker_run"


def open_tracker(name: str, folder: RunFolder) -> Any:
    """Opens accelerate's tracker, in the run that the folder had there before, if it had one.

    Args:
        name: one of `TRACKERS`, installed.
        folder: the run; its run.json keeps what the tracker calls it.
    """
    before = folder.read_run().get(TRACKER_RUN)
    if name == "tensorboard":
        return _started(name, TENSORBOARD, logging_dir=str(folder.path))
    title = folder.path.name
    if name == "mlflow":
        tracker = _started(name, PROJECT, run_name=title, run_id=before)
        known = tracker.tracker.info.run_id
    elif name == "wandb":
        tracker = _started(name, PROJECT, name=title, **({"id": before, "resume": "allow"} if before else {}))
        known = tracker.tracker.id
        _own_axes(tracker.tracker)
    else:
        tracker = _started(name, PROJECT, name=title, **({"resume": "allow"} if before else {}))
        known = tracker.tracker.id
        if before not in (None, known):  # trackio goes on with the latest run of that name
            tracker.finish()
            tracker = _started(name, PROJECT, name=title)
            known = tracker.tracker.id
    if known != before:
        folder.update_run({TRACKER_RUN: known})
    return tracker


def _started(kind: str, *arguments: Any, **more: Any) -> Any:
    from accelerate.tracking import LOGGER_TYPE_TO_CLASS

    tracker = LOGGER_TYPE_TO_CLASS[kind](*arguments, **more)
    start = getattr(tracker, "start", None)
    if start is not None:
        start()
    return tracker


def _own_axes(run: Any) -> None:
    """Gives each phase its epochs as an axis: Weights & Biases drops values of a step behind the latest."""
    for place in ("search", *(f"train/{network}" for network in NAMES)):
        run.define_metric(f"{place}/*", step_metric=f"{place}/epoch")
    for name in ("alpha/*", "cells"):
        run.define_metric(name, step_metric="search/epoch")


def send_settings(tracker: Any, values: Mapping[str, Any]) -> None:
    """Sends all settings; those that have changed since MLflow was told, which it refuses, go as tags."""
    known = tracker.tracker.data.params if tracker.name == "mlflow" else {}
    tracker.store_init_configuration({name: value for name, value in values.items() if name not in known})
    changed = {name: str(value) for name, value in values.items() if known.get(name, str(value)) != str(value)}
    if changed:
        import mlflow  # pyright: ignore[reportMissingImports]

        mlflow.set_tags(changed)


def send_epoch(
    tracker: Any,
    place: str,
    epoch: int,
    values: Mapping[str, float],
    distributions: Mapping[str, Sequence[float]],
) -> None:
    """Sends an epoch's numbers, and distributions where the tracker has such a thing.

    Args:
        tracker: accelerate's.
        place: what the epoch belongs to, such as "search" or "train/found".
        epoch: from 1.
        values: by name.
        distributions: their values by name.
    """
    if tracker.name == "tensorboard":
        import numpy as np

        for name, numbers in distributions.items():
            tracker.tracker.add_histogram(name, np.asarray(numbers), epoch)
    elif tracker.name == "wandb":
        import wandb  # pyright: ignore[reportMissingImports]

        if epoch == 1:  # candidates of a selection are not known before
            tracker.tracker.define_metric(f"{place}/*", step_metric=f"{place}/epoch")
        drawn = {name: wandb.Histogram(numbers) for name, numbers in distributions.items()}
        tracker.log({**values, **drawn, f"{place}/epoch": epoch})
        return
    elif tracker.name == "trackio":
        import trackio  # pyright: ignore[reportMissingImports]

        values = {**values, **{name: trackio.Histogram(numbers) for name, numbers in distributions.items()}}
    tracker.log(dict(values), step=epoch)


def send_picture(tracker: Any, picture: np.ndarray, epoch: int) -> None:
    """Sends the cells after an epoch, uint8 [height, width, 3], where the tracker has such a thing.

    accelerate's trackers of MLflow and trackio pass no pictures on, so these are asked themselves.
    """
    if tracker.name == "tensorboard":
        tracker.log_images({"cells": picture[None]}, step=epoch, dataformats="NHWC")
    elif tracker.name == "wandb":
        import wandb  # pyright: ignore[reportMissingImports]

        tracker.log({"cells": wandb.Image(picture), "search/epoch": epoch})
    elif tracker.name == "mlflow":
        import mlflow  # pyright: ignore[reportMissingImports]

        mlflow.log_image(picture, f"cells/epoch-{epoch:04d}.png")
    elif tracker.name == "trackio":
        import trackio  # pyright: ignore[reportMissingImports]

        tracker.log({"cells": trackio.Image(picture)}, step=epoch)


def send_table(tracker: Any, name: str, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Sends a table, where the tracker has such a thing.

    Args:
        tracker: accelerate's.
        name: of the table.
        columns: its heads.
        rows: as many entries in each.
    """
    if tracker.name == "wandb":
        tracker.log_table(name, columns=list(columns), data=[list(row) for row in rows])
    elif tracker.name == "tensorboard":
        # Markdown: a string of NAS-Bench-201 would be five columns.
        escaped = [[entry.replace("|", r"\|") for entry in row] for row in rows]
        lines = [columns, ["---"] * len(columns), *escaped]
        tracker.log({name: "\n".join("| " + " | ".join(line) + " |" for line in lines)})
    elif tracker.name == "mlflow":
        import mlflow  # pyright: ignore[reportMissingImports]

        text = io.StringIO()
        csv.writer(text, lineterminator="\n").writerows([columns, *rows])
        mlflow.log_text(text.getvalue(), f"{name}.csv")
    elif tracker.name == "trackio":
        import pandas  # pyright: ignore[reportMissingImports]
        import trackio  # pyright: ignore[reportMissingImports]

        tracker.log({name: trackio.Table(dataframe=pandas.DataFrame(list(rows), columns=list(columns)))})
