"""A run is a folder: all that resume and report need, written so that a kill at any moment leaves it whole."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any

from edgewise.config.build import merge
from edgewise.errors import RunError
from edgewise.plugins import require_plugins
from edgewise.runs import atomic, checkpoint
from edgewise.runs import schema as run_shapes
from edgewise.runs.lock import FolderLock
from edgewise.runs.records import Records, encode

FORMAT = "edgewise.run/1"
RECIPE = "recipe.toml"
RUN = "run.json"
TRACE = "trace.jsonl"
TIMINGS = "timings.jsonl"
CHECKPOINT = "checkpoint.pt"
GENOTYPE = "genotype.json"
SEARCHED = "searched.json"
"""The search's own cells, after a selection."""
SELECTION = "selection.json"
RANDOM_SEARCH = "random_search.json"
"""The selection among random cells that costs as many seconds as search and selection."""
SUPERNET = "supernet.safetensors"
NETWORK = "network.safetensors"
ONNX = "network.onnx"
RESULTS = "results.json"
REPORT = "report.html"
BUDGETS = "budgets"
"""A folder with a run for each of several budgets."""
FRONT = "front.json"
"""Accuracy and cost of the networks of several budgets."""
TENSORBOARD = "tensorboard"
LOCK = ".lock"
# The checkpoint goes first when a run is cleared away: what is left of a half-cleared run must not be resumed.
_CONTENTS = (
    CHECKPOINT,
    TRACE,
    TIMINGS,
    RESULTS,
    GENOTYPE,
    SEARCHED,
    SELECTION,
    RANDOM_SEARCH,
    SUPERNET,
    NETWORK,
    ONNX,
    FRONT,
    REPORT,
    RECIPE,
)


class RunFolder:
    """The files of one run; a context manager that gives the folder's lock back.

    Made by `create` (for a new run) or `open` (to read, or to go on with).
    """

    def __init__(self, path: Path, lock: FolderLock | None) -> None:
        self.path = path
        self._lock = lock
        self._trace = Records(path / TRACE)
        self._timings = Records(path / TIMINGS)

    @classmethod
    def create(cls, path: Path | str, *, overwrite: bool = False) -> RunFolder:
        """Makes a folder for a new run and locks it; `run.json` says "running" from then on.

        Args:
            path: absent, an empty folder or, with `overwrite`, a run.
            overwrite: whether a run that is there may be removed; foreign files are never touched.

        Raises:
            RunError: the folder holds something else, is in use or can't be written.
        """
        path = Path(path)
        _make(path)
        lock = FolderLock(path / LOCK)
        try:
            atomic.remove_leftovers(path)
            _clear(path, overwrite=overwrite)
            folder = cls(path, lock)
            folder.write_json(RUN, {"format": FORMAT, "status": "running"})
        except BaseException:
            lock.release()
            raise
        return folder

    @staticmethod
    def check_new(path: Path | str, bytes_needed: int, *, overwrite: bool = False) -> None:
        """Raises what `create` would raise, or that space is short, and leaves everything as it is.

        Args:
            path: the folder of a new run.
            bytes_needed: how much it will hold.
            overwrite: see `create`.
        """
        path = Path(path)
        if path.is_dir():
            _check_clear(path, overwrite=overwrite)
        existing = next(parent for parent in (path, *path.absolute().parents) if parent.exists())
        if not existing.is_dir():
            raise RunError(f"{existing} is a file: choose another folder with --out")
        atomic.check_space(existing, bytes_needed)

    @classmethod
    def open(cls, path: Path | str, *, lock: bool = False) -> RunFolder:
        """Opens a run that exists.

        Args:
            path: the run's folder.
            lock: whether the run will be gone on with: no other process may do so meanwhile.

        Raises:
            RunError: the folder is no run, is of another format or is in use.
        """
        path = Path(path)
        if not path.is_dir():
            raise RunError(f"{path}: no such run folder; check the name")
        held = FolderLock(path / LOCK) if lock else None
        folder = cls(path, held)
        try:
            if held is not None:
                atomic.remove_leftovers(path)
            folder._check_format()
        except BaseException:
            folder.close()
            raise
        return folder

    def _check_format(self) -> None:
        if not self.has(RUN):
            raise RunError(f"{self.path} is no edgewise run: it has no {RUN}; name a folder that edgewise made")
        found = self.read_json(RUN).get("format")
        if found != FORMAT:
            raise RunError(
                f"{self.path / RUN}: the format is {found!r}, this version reads {FORMAT!r}: use the edgewise "
                f"that wrote it"
            )

    def close(self) -> None:
        """Gives the lock back; a second call does nothing."""
        if self._lock is not None:
            self._lock.release()
            self._lock = None

    def __enter__(self) -> RunFolder:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def file(self, name: str) -> Path:
        """The path of one of the run's files."""
        if name in ("", "..") or name != Path(name).name:
            raise RunError(f"{name!r} is no name of a file in a run folder")
        return self.path / name

    def has(self, name: str) -> bool:
        """Whether the file is there."""
        return self.file(name).is_file()

    def check_space(self, bytes_needed: int) -> None:
        """Raises RunError if the folder can't be written to or has fewer than `bytes_needed` bytes free."""
        atomic.check_space(self.path, bytes_needed)

    def write_bytes(self, name: str, content: bytes) -> None:
        """Replaces a file atomically; raises RunError, the old file untouched, if it can't."""
        atomic.write_bytes(self.file(name), content)

    def write_text(self, name: str, text: str) -> None:
        """Replaces a text file (UTF-8) atomically; raises RunError, the old file untouched, if it can't."""
        self.write_bytes(name, text.encode())

    def read_text(self, name: str) -> str:
        """A text file's content; raises RunError if it is missing or no text."""
        path = self.file(name)
        try:
            return path.read_bytes().decode()
        except FileNotFoundError:
            raise RunError(f"{path} is missing: this run has not come that far") from None
        except (OSError, UnicodeDecodeError) as error:
            raise RunError(f"{path}: can't be read ({error})") from error

    def write_json(self, name: str, value: Any) -> None:
        """Replaces a JSON file atomically; raises NonFiniteError for infinite and NaN numbers, else RunError."""
        self.write_text(name, encode(value, str(self.file(name)), indent=1) + "\n")

    def read_json(self, name: str) -> Any:
        """A JSON file's content; raises RunError if it is missing or damaged."""
        text = self.read_text(name)
        try:
            value = json.loads(text)
        except (ValueError, RecursionError) as error:
            raise RunError(f"{self.file(name)} is damaged ({error})") from error
        wrong = run_shapes.fault(name, value)
        if wrong:
            raise RunError(f"{self.file(name)} is damaged ({wrong}): restore it from a copy")
        return value

    def read_run(self) -> dict[str, Any]:
        """The content of `run.json`; raises RunError where a plug-in that the run needs is not loaded."""
        run = self.read_json(RUN)
        require_plugins(run.get("plugins", ()), str(self.path))
        return run

    def update_run(self, changes: Mapping[str, Any]) -> None:
        """Lays `changes` on `run.json`, table by table."""
        self.write_json(RUN, merge(self.read_run(), changes))

    @property
    def status(self) -> str:
        """The run's status: running, done, interrupted or failed."""
        return str(self.read_run().get("status"))

    def save_checkpoint(self, state: dict[str, Any]) -> None:
        """Replaces the checkpoint atomically; raises RunError for entries that are no tensors or plain values."""
        checkpoint.save_checkpoint(self.path / CHECKPOINT, state)

    def load_checkpoint(self) -> dict[str, Any] | None:
        """The checkpoint, on the CPU; None where there is none; raises RunError if it is damaged."""
        return checkpoint.load_checkpoint(self.path / CHECKPOINT)

    def append_trace(self, record: Mapping[str, Any]) -> None:
        """Adds a record to the trace; raises NonFiniteError for infinite or NaN numbers."""
        self._trace.append(record)

    def read_trace(self) -> list[dict[str, Any]]:
        """All records of the trace."""
        return self._trace.read()

    def truncate_trace(self, keep: int) -> None:
        """Cuts the trace back to its first `keep` records; raises RunError if there are fewer."""
        self._trace.truncate(keep)

    def append_timing(self, record: Mapping[str, Any]) -> None:
        """Adds a record to the timings."""
        self._timings.append(record)

    def read_timings(self) -> list[dict[str, Any]]:
        """All records of the timings."""
        return self._timings.read()

    def truncate_timings(self, keep: int) -> None:
        """Cuts the timings back to their first `keep` records; raises RunError if there are fewer."""
        self._timings.truncate(keep)


def _clear_budgets(path: Path) -> None:
    """Removes the runs of several budgets; what is no file of theirs stays."""
    for run in path.iterdir() if path.is_dir() else ():
        if (run / RUN).is_file():
            _clear(run, overwrite=True)
            for name in (RUN, LOCK):
                (run / name).unlink(missing_ok=True)
            with suppress(OSError):
                run.rmdir()
    with suppress(OSError):
        path.rmdir()


def _make(path: Path) -> None:
    try:
        path.mkdir(parents=True, exist_ok=True)
    except FileExistsError:
        raise RunError(f"{path} is a file: choose another folder with --out") from None
    except OSError as error:
        raise RunError(f"{path} can't be made ({error.strerror}): choose another folder with --out") from error


def _check_clear(path: Path, *, overwrite: bool) -> bool:
    """Refuses a folder that can't be made ready for a new run; says whether there is a run to remove."""
    others = sorted(
        entry.name for entry in path.iterdir() if entry.name != LOCK and not entry.match(atomic.LEFTOVERS)
    )
    if not others:
        return False
    if RUN not in others:
        raise RunError(
            f"{path} is not empty and no edgewise run (it holds {', '.join(others[:3])}"
            f"{', ...' if len(others) > 3 else ''}): choose a new folder with --out"
        )
    folder = RunFolder(path, None)
    folder._check_format()
    if not overwrite and folder.status == "done":
        raise RunError(
            f"{path} holds a finished run: choose a new folder with --out, or pass --overwrite to remove it"
        )
    if not overwrite:
        raise RunError(
            f"{path} holds a run that is not finished ({folder.status}): go on with it by --resume {path}, or "
            f"pass --overwrite to remove it"
        )
    return True


def _clear(path: Path, *, overwrite: bool) -> None:
    """Makes the folder ready for a new run, or refuses."""
    if not _check_clear(path, overwrite=overwrite):
        return
    for name in _CONTENTS:
        try:
            (path / name).unlink(missing_ok=True)
        except OSError as error:
            raise RunError(f"{path / name} can't be removed ({error.strerror})") from error
    _clear_budgets(path / BUDGETS)
    # What it has left would be drawn together with the new run.
    shutil.rmtree(path / TENSORBOARD, ignore_errors=True)
