"""A run's folder as the other processes of the run see it: they read, and the first process writes."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from edgewise.runs.folder import RunFolder
from edgewise.runs.records import encode


class ReadOnlyFolder(RunFolder):
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
