"""Stand-ins for trackers: they do what the packages were seen to do, which test_track_packages.py asks again."""

from __future__ import annotations

import sys
import types
from collections.abc import Mapping
from functools import partial
from typing import Any

import pytest


class Recorder:
    """A tracker that keeps what it is sent; accelerate's have the same methods."""

    name = "recorder"

    def __init__(self, *, fails_at: str = "") -> None:
        self.calls: list[tuple[str, Any, int | None]] = []
        self._fails_at = fails_at

    def _note(self, call: str, values: Any, step: int | None = None) -> None:
        self.calls.append((call, values, step))
        if call == self._fails_at:
            raise ConnectionError("the service is gone")

    def store_init_configuration(self, values: dict[str, Any]) -> None:
        self._note("begin", values)

    def log(self, values: dict[str, Any], step: int | None = None) -> None:
        self._note("log", values, step)

    def finish(self) -> None:
        self._note("finish", None)


class WandB(Recorder):
    """Has a step of its own that each row moves on, and drops rows that are given an earlier one."""

    name = "wandb"

    def __init__(self, project: str = "", *, name: str = "", id: str = "made", resume: str | None = None) -> None:
        super().__init__()
        self.asked = {"project": project, "name": name, "id": id, "resume": resume}
        self.axes: dict[str, str] = {}
        self.rows: list[dict[str, Any]] = []
        self._step = 0
        self.tracker = types.SimpleNamespace(id=id, define_metric=self._axis)

    def _axis(self, name: str, *, step_metric: str) -> None:
        self.axes[name] = step_metric

    def log(self, values: dict[str, Any], step: int | None = None) -> None:
        super().log(values, step)
        if step is not None and step < self._step:
            return
        self._step = self._step + 1 if step is None else step
        self.rows.append(values)

    def log_table(self, name: str, columns: list[str], data: list[list[str]]) -> None:
        self.log({name: [columns, *data]})


class MLflow(Recorder):
    """Keeps a run's settings as they were first sent, and refuses others in their place."""

    name = "mlflow"

    def __init__(
        self,
        experiment: str = "",
        *,
        run_name: str = "",
        run_id: str | None = None,
        params: Mapping[str, str] = types.MappingProxyType({}),
    ) -> None:
        super().__init__()
        self.asked = {"experiment": experiment, "run_name": run_name, "run_id": run_id}
        self.params = dict(params)
        info, data = types.SimpleNamespace(run_id=run_id or "made"), types.SimpleNamespace(params=dict(params))
        self.tracker = types.SimpleNamespace(info=info, data=data)

    def store_init_configuration(self, values: dict[str, Any]) -> None:
        super().store_init_configuration(values)
        for name, value in values.items():
            if self.params.setdefault(name, str(value)) != str(value):
                raise ValueError(f"changing param values is not allowed: {name}")


class Trackio(Recorder):
    """Goes on with the latest run of a name, whoever's it is, where it may go on; else makes a new one.

    `runs`: the ids of the runs of that name, the latest last.
    """

    name = "trackio"
    runs: list[str]

    def __init__(self, project: str = "", *, name: str = "", resume: str = "never") -> None:
        super().__init__()
        if resume == "never" or not self.runs:
            self.runs.append(f"run {len(self.runs)}")
        self.tracker = types.SimpleNamespace(id=self.runs[-1])


def install(patch: pytest.MonkeyPatch) -> dict[str, Any]:
    """Puts packages of these names in the place of the real ones; returns what MLflow's own functions are sent."""
    sent: dict[str, Any] = {}
    kinds = {name: partial(_shown, name.lower()) for name in ("Image", "Histogram", "Table")}
    patch.setitem(sys.modules, "wandb", types.SimpleNamespace(**kinds))
    patch.setitem(sys.modules, "trackio", types.SimpleNamespace(**kinds))
    package = types.SimpleNamespace(
        log_image=lambda picture, name: sent.update({name: picture}),
        log_text=lambda text, name: sent.update({name: text}),
        set_tags=sent.update,
    )
    patch.setitem(sys.modules, "mlflow", package)
    Trackio.runs = []
    return sent


def _shown(kind: str, value: Any = None, *, dataframe: Any = None) -> tuple[str, Any]:
    return kind, value if dataframe is None else dataframe
