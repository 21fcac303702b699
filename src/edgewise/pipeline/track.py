"""Curves, alpha and final figures for an experiment tracker, through accelerate; off unless it is asked for."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from edgewise.config.build import dump
from edgewise.errors import ConfigError
from edgewise.pipeline.settings import Settings
from edgewise.pipeline.summary import SELECTION_COLUMNS, selection_rows, summary_columns, summary_rows
from edgewise.pipeline.trackers import open_tracker, send_epoch, send_picture, send_settings, send_table
from edgewise.progress.protocol import Progress
from edgewise.report import NAMES, network_names, ranked
from edgewise.report.png import paint_cells
from edgewise.runs import folder as files
from edgewise.runs.folder import RunFolder
from edgewise.spaces import cell_name

TRACKERS = ("tensorboard", "wandb", "mlflow", "trackio")
INSTALL = {"tensorboard": "'edgewise[track]'"}


def check_tracker(name: str) -> None:
    """Raises ConfigError if there is no such tracker, or its package is not installed."""
    if name not in TRACKERS:
        raise ConfigError(f"--track {name!r} is unknown: choose one of {', '.join(TRACKERS)}")
    if importlib.util.find_spec(name) is None:
        raise ConfigError(
            f"--track {name} needs the package {name}: install it with `pip install {INSTALL.get(name, name)}`, "
            "or leave --track away"
        )


class Tracking:
    """Sends what a run records to a tracker; a tracker that fails is left alone from then on, and the run goes on.

    Args:
        tracker: accelerate's; None for none.
        progress: is told when the tracker fails.
        epochs: how many epochs of the search there were before.
    """

    def __init__(self, tracker: Any, progress: Progress, *, epochs: int = 0) -> None:
        self._tracker: Any = tracker
        self._progress = progress
        self._cells: Any = None
        self._epochs = epochs

    def epoch(self, record: Mapping[str, Any]) -> None:
        """Sends an epoch's numbers, alpha's distribution and, where they have changed, a picture of the cells.

        Args:
            record: the epoch's line of the trace.
        """
        place = "/".join(str(record[name]) for name in ("phase", "network") if name in record)
        epoch = record["epoch"] + 1
        values = {f"{place}/{name}": value for name, value in record.items() if _is_number(name, value)}
        distributions: dict[str, list[float]] = {}
        for cell, rows in (record.get("alpha") or {}).items():
            flat = [value for row in rows for value in row]
            values |= {f"alpha/{cell}/lowest": min(flat), f"alpha/{cell}/highest": max(flat)}
            distributions[f"alpha/{cell}"] = flat
        self._guarded(lambda: send_epoch(self._tracker, place, epoch, values, distributions))
        if record.get("genotype") is not None:
            self._epochs = epoch
            self.cells(record["genotype"])

    def cells(self, genotype: Mapping[str, Any]) -> None:
        """Sends a picture of cells, unless the last one showed the same.

        Args:
            genotype: its JSON.
        """
        if self._tracker is None or genotype["cells"] == self._cells:
            return
        self._cells = genotype["cells"]
        named = {cell_name(name): cell for name, cell in genotype["cells"].items()}
        self._guarded(lambda: send_picture(self._tracker, paint_cells(named), self._epochs))

    def begin(self, settings: Mapping[str, Any]) -> None:
        """Sends all settings, by dotted names."""
        self._guarded(lambda: send_settings(self._tracker, dict(_flat(settings))))

    def finish(
        self,
        results: Mapping[str, Any],
        genotype: Mapping[str, Any] | None = None,
        names: Mapping[str, str] = NAMES,
        selection: Mapping[str, Any] | None = None,
    ) -> None:
        """Sends the final figures, tables and cells, and closes the tracker.

        Args:
            results: the content of results.json; empty where nothing was trained.
            genotype: the content of genotype.json; None where nothing was found.
            names: what the table calls the networks.
            selection: the content of selection.json; None without a selection.
        """
        if genotype is not None:
            self.cells(genotype)
        if selection is not None and "winner" in selection:
            self._guarded(lambda: self._tracker.log(_of_candidates(selection)))
            chosen = selection_rows(selection)
            self._guarded(lambda: send_table(self._tracker, "selection", SELECTION_COLUMNS, chosen))
        values = {
            f"test/{name}/{figure}": entry[figure]
            for name, entry in results.items()
            for figure in ("top1", "loss", "params", "macs", "size", "ram")
            if figure in entry
        } | {
            f"test/{name}/latency_ms": entry["latency"]["median_ms"]
            for name, entry in results.items()
            if "latency" in entry
        }
        if values:
            self._guarded(lambda: self._tracker.log(values))
            heads, rows = summary_columns(dict(results)), summary_rows(dict(results), names)
            self._guarded(lambda: send_table(self._tracker, "results", heads, rows))
        self._guarded(lambda: self._tracker.finish())

    def _guarded(self, call: Callable[[], object]) -> None:
        if self._tracker is None:
            return
        try:
            call()
        except Exception as error:  # a network or a service of somebody else's
            self._tracker = None
            self._progress.say(f"note: the tracker failed and is left alone: {type(error).__name__}: {error}")


@contextmanager
def open_tracking(
    name: str | None, folder: RunFolder, settings: Settings, progress: Progress
) -> Iterator[Tracking]:
    """Opens the run's tracker, where it left off if the run is gone on with.

    It is closed with the context, with the figures that there are by then.

    Args:
        name: one of `TRACKERS`; None for none.
        folder: the run; TensorBoard's files go into its folder `tensorboard`.
        settings: of the run.
        progress: is told when the tracker fails.
    """
    tracking = Tracking(None, progress)
    if name is not None:
        try:
            check_tracker(name)
            epochs = _searched(folder)
            tracking = Tracking(open_tracker(name, folder), progress, epochs=epochs)
        except Exception as error:  # the run has begun, perhaps on another machine: it goes on without
            progress.say(f"note: the tracker {name} could not be opened: {error}")
        tracking.begin(dump(settings))
    try:
        yield tracking
    finally:
        found = {
            kind: folder.read_json(kind)
            for kind in (files.RESULTS, files.GENOTYPE, files.SELECTION)
            if name and folder.has(kind)
        }
        names = network_names(folder.read_run())
        tracking.finish(found.get(files.RESULTS, {}), found.get(files.GENOTYPE), names, found.get(files.SELECTION))


def _searched(folder: RunFolder) -> int:
    """How many epochs of the search the trace holds."""
    return sum(record.get("genotype") is not None for record in folder.read_trace())


def _of_candidates(selection: Mapping[str, Any]) -> dict[str, float]:
    """The figures of every candidate of a finished selection by name."""
    values: dict[str, float] = {}
    for place, entry in enumerate(ranked(selection), 1):
        name = entry["name"]
        figures = {"place": place, "params": entry["params"], "macs": entry["macs"]}
        figures |= {"epochs": selection["epochs"][name], "seconds": selection["seconds"].get(name, 0.0)}
        figures |= selection["figures"].get(name, {})
        values |= {f"selection/{name}/{figure}": value for figure, value in figures.items()}
    return values


def _is_number(name: str, value: Any) -> bool:
    return name != "epoch" and isinstance(value, (int, float)) and not isinstance(value, bool)


def _flat(table: Mapping[str, Any], before: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in table.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{before}{name}.")
        else:
            yield f"{before}{name}", value if isinstance(value, (bool, int, float, str)) else str(value)
