"""The folder of a study: its design, the fingerprints of its runs, and the runs themselves."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from edgewise.config.build import build, to_toml
from edgewise.config.toml import from_toml
from edgewise.errors import RunError
from edgewise.runs import atomic
from edgewise.runs.folder import RUN
from edgewise.runs.lock import FolderLock
from edgewise.runs.provenance import git_state, now, versions
from edgewise.study.plan import PlannedRun
from edgewise.study.spec import StudySpec
from edgewise.text import readable

FORMAT = "edgewise.study/1"
SPEC = "study.toml"
STATE = "study.json"
LOCK = ".lock"


class StudyFolder:
    """A study's folder; a context manager that gives its lock back.

    Args:
        path: the folder.
        lock: held while the study is carried out.
    """

    def __init__(self, path: Path, lock: FolderLock | None = None) -> None:
        self.path = path
        self._lock = lock

    @classmethod
    def begin(cls, path: Path, spec: StudySpec, runs: Sequence[PlannedRun]) -> StudyFolder:
        """Makes the folder of a new study, or opens that of a study to go on with.

        A study may have gained runs since (more seeds, another method); none may have changed or gone.

        Args:
            path: the folder.
            spec: the study.
            runs: its runs, without trainings of best networks.

        Raises:
            RunError: the folder holds another study or something else, or is in use.
        """
        try:
            path.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise RunError(f"{path} can't be made ({error.strerror}): choose another folder with --out") from error
        _check_room(path)
        lock = FolderLock(path / LOCK)
        try:
            atomic.remove_leftovers(path)
            folder = cls(path, lock)
            known = folder.read_state()["runs"] if (path / STATE).is_file() else {}
            _check_same(path, known, runs)
            folder._write(spec, {run.name: run.fingerprint() for run in runs})
        except BaseException:
            lock.release()
            raise
        return folder

    @classmethod
    def open(cls, path: Path) -> StudyFolder:
        """Opens a study to read; raises RunError if the folder is none."""
        folder = cls(path)
        folder.read_state()
        return folder

    def read_state(self) -> dict[str, Any]:
        """The content of study.json; raises RunError if it is missing, damaged or of another format."""
        path = self.path / STATE
        try:
            state = json.loads(path.read_text())
        except FileNotFoundError:
            raise RunError(f"{self.path} is no edgewise study: it has no {STATE}; check the name") from None
        except (OSError, ValueError) as error:
            raise RunError(f"{path} is damaged ({error}): restore it, or move it away and start the study again; "
                           "runs that are finished are found and kept") from error  # fmt: skip
        if not isinstance(state, dict) or state.get("format") != FORMAT:
            raise RunError(f"{path}: the format is not {FORMAT!r}: use the edgewise that wrote it")
        return state

    def read_spec(self) -> StudySpec:
        """The study as it was last begun."""
        return build(StudySpec, from_toml(self.path / SPEC))

    def update(self, changes: dict[str, Any]) -> None:
        """Lays changes on study.json."""
        self.write_text(STATE, json.dumps(self.read_state() | changes, indent=1) + "\n")

    def write_text(self, name: str, text: str) -> None:
        """Replaces a file of the study atomically."""
        atomic.write_bytes(self.path / name, text.encode())

    def _write(self, spec: StudySpec, runs: dict[str, str]) -> None:
        self.write_text(SPEC, to_toml(spec))
        before = self.read_state() if (self.path / STATE).is_file() else {}
        state = {
            "format": FORMAT,
            "name": spec.name,
            "began": before.get("began") or now(),
            # Images named by relative paths are found again, from wherever the study is gone on with.
            "began_in": before.get("began_in") or readable(os.getcwd()),
            "versions": versions(),
            "git": git_state(),
        }
        self.write_text(STATE, json.dumps(state | {"runs": runs}, indent=1) + "\n")

    def __enter__(self) -> StudyFolder:
        return self

    def __exit__(self, *error: object) -> None:
        if self._lock is not None:
            self._lock.release()
            self._lock = None


def _check_room(path: Path) -> None:
    if (path / STATE).is_file():
        return
    if (path / RUN).is_file():
        raise RunError(f"{path} is the folder of a single run: choose another folder for the study with --out")


def _check_same(path: Path, known: dict[str, str], runs: Sequence[PlannedRun]) -> None:
    planned = {run.name: run.fingerprint() for run in runs}
    changed = [name for name in known if name in planned and known[name] != planned[name]]
    gone = [name for name in known if name not in planned]
    if changed or gone:
        parts = []
        for names, what in ((changed, "have other settings there"), (gone, "are not part of this study")):
            if names:
                parts.append(f"{len(names)} runs {what} ({', '.join(names[:3])}{', ...' if names[3:] else ''})")
        raise RunError(
            f"{path} holds another study: {'; '.join(parts)}. Choose another folder with --out; "
            "more seeds, methods or "
            "values may be added to a study, the rest must stay. Nothing was changed"
        )
