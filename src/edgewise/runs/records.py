"""Files of records, one JSON object a line: appended to durably, cut back atomically."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from edgewise.errors import NonFiniteError, RunError
from edgewise.runs.atomic import failed, write_bytes
from edgewise.text import readable


def encode(value: Any, where: str, indent: int | None = None) -> str:
    """JSON text in which every float comes back exactly.

    Args:
        value: dicts with text keys, lists, numbers, texts, booleans, None.
        where: what the value is, for messages.
        indent: spaces per level; None writes one line.

    Raises:
        NonFiniteError: a number is infinite or NaN; says which.
        RunError: something else that JSON does not hold.
    """
    try:
        text = json.dumps(value, allow_nan=False, ensure_ascii=False, indent=indent)
        # Halves of pairs, Python's sign for file names that are no UTF-8, can be spelt in ASCII alone.
        return text if readable(text) == text else json.dumps(value, allow_nan=False, indent=indent)
    except (ValueError, TypeError, RecursionError) as error:
        at = non_finite(value)
        if at is not None:
            raise NonFiniteError(f"{where}: {at} is not finite, so it is not recorded") from error
        raise RunError(f"{where}: can't be written as JSON ({error})") from error


def non_finite(value: Any, path: str = "") -> str | None:
    """The path and value of the first number that is infinite or NaN; None where there is none."""
    if isinstance(value, float):
        return None if math.isfinite(value) else f"{path or 'the value'} = {value}"
    if isinstance(value, Mapping):
        inner = [(f"{path}.{key}" if path else str(key), item) for key, item in value.items()]
    elif isinstance(value, (list, tuple)):
        inner = [(f"{path}[{i}]", item) for i, item in enumerate(value)]
    else:
        return None
    return next((found for at, item in inner if (found := non_finite(item, at))), None)


class Records:
    """A file of records.

    A line that does not end is what a killed process left of an append: it counts as not written.

    Args:
        path: the file; it need not exist.
    """

    def __init__(self, path: Path) -> None:
        self._path = path

    def append(self, record: Mapping[str, Any]) -> None:
        """Adds one record.

        Raises:
            NonFiniteError: a number in it is infinite or NaN.
            RunError: it can't be written; the file stays as it was.
        """
        line = encode(record, f"record for {self._path.name}").encode() + b"\n"
        try:
            with open(self._path, "a+b", buffering=0) as file:
                end = self._end_of_last_line(file)
                file.truncate(end)
                try:
                    self._write(file, line)
                except OSError:
                    file.truncate(end)
                    raise
        except OSError as error:
            raise failed(self._path, error) from error

    @staticmethod
    def _write(file: Any, line: bytes) -> None:
        while line:
            line = line[file.write(line) :]
        os.fsync(file.fileno())

    @staticmethod
    def _end_of_last_line(file: Any) -> int:
        end = file.seek(0, os.SEEK_END)
        if end == 0:
            return 0
        file.seek(end - 1)
        if file.read(1) == b"\n":
            return end
        file.seek(0)
        return file.read().rfind(b"\n") + 1

    def read(self) -> list[dict[str, Any]]:
        """All records; empty where there is no file.

        Raises:
            RunError: a line is damaged; says which.
        """
        records = []
        for number, line in enumerate(self._lines(), 1):
            try:
                record = json.loads(line)
            except ValueError:
                record = None
            if not isinstance(record, dict):
                raise RunError(
                    f"{self._path}, line {number}: damaged (value found: {line[:60]!r}): restore the file from a "
                    f"copy, or start the run anew"
                )
            records.append(record)
        return records

    def truncate(self, keep: int) -> None:
        """Cuts the file back to its first records, atomically.

        Args:
            keep: number of records.

        Raises:
            RunError: there are fewer.
        """
        lines = self._lines()
        if len(lines) < keep:
            raise RunError(
                f"{self._path} holds {len(lines)} records, but the checkpoint was saved after {keep}: the folder "
                f"is damaged; start the run anew"
            )
        kept = b"".join(lines[:keep])
        if self._path.exists() and self._path.stat().st_size != len(kept):
            write_bytes(self._path, kept)

    def _lines(self) -> list[bytes]:
        try:
            content = self._path.read_bytes()
        except FileNotFoundError:
            return []
        except OSError as error:
            raise RunError(f"{self._path}: can't be read ({error.strerror})") from error
        return [line + b"\n" for line in content.split(b"\n")[:-1]]
