"""A run's folder as the other processes of the run see it: they read, and the first process writes."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from edgewise.core.folder import RunFolder
from edgewise.core.records import encode
from edgewise.runtime.distributed import Processes
from edgewise.runtime.interrupt import StopRequest


class FollowerFolder(RunFolder):
    """Reads what the first process wrote, and writes nothing; records are checked as if they were written.

    Args:
        path: the run's folder, which this process has to see as the first one does.
    """

    def __init__(self, path: Path | str) -> None:
        super().__init__(Path(path), None)

    def write_bytes(self, name: str, content: bytes) -> None:
        """Writes nothing."""

    def update_run(self, changes: Mapping[str, Any]) -> None:
        """Writes nothing."""

    def save_checkpoint(self, state: dict[str, Any]) -> None:
        """Writes nothing."""

    def append_trace(self, record: Mapping[str, Any]) -> None:
        """Raises NonFiniteError for infinite or NaN numbers, as the first process does."""
        encode(record, "record for the trace")

    def truncate_trace(self, keep: int) -> None:
        """Writes nothing."""

    def append_timing(self, record: Mapping[str, Any]) -> None:
        """Writes nothing."""

    def read_timings(self) -> list[dict[str, Any]]:
        """None: they are the first process's."""
        return []

    def truncate_timings(self, keep: int) -> None:
        """Writes nothing."""


class SharedStop:
    """A stop that all processes honour before the same step, whichever of them was asked.

    Args:
        stop: this process's.
        processes: who agrees; each asks for `requested` equally often.
    """

    def __init__(self, stop: StopRequest, processes: Processes) -> None:
        self._stop = stop
        self._processes = processes

    @property
    def requested(self) -> bool:
        """Whether any process was asked to stop."""
        return self._processes.any(self._stop.requested)[0]
