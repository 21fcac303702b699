"""How far a run of a study is, told from its folder alone: so it can be asked by any process, at any time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from edgewise.config.build import build, dump, to_toml
from edgewise.config.overrides import apply_sets
from edgewise.errors import EdgewiseError, RunError
from edgewise.runs import folder as files
from edgewise.runs.folder import RunFolder
from edgewise.study.plan import PlannedRun

Status = Literal["waiting", "finished", "stopped", "failed", "broken", "running"]
"""waiting: not begun; stopped: interrupted or killed; failed: ended with an error; broken: files are damaged."""


@dataclass(frozen=True)
class RunState:
    """How far a run is.

    Args:
        status: see `Status`.
        detail: why, for a run that is neither waiting nor finished.
        resumable: whether there is a checkpoint to go on from.
    """

    status: Status
    detail: str = ""
    resumable: bool = False

    @property
    def todo(self) -> bool:
        """Whether the run is still to be carried out."""
        return self.status != "finished"


def look(root: Path, run: PlannedRun) -> RunState:
    """Looks into a run's folder.

    Args:
        root: the study's folder.
        run: one of its runs.

    Raises:
        RunError: there is something else in the folder: no run, or a run of another study.
    """
    path = root / run.name
    if not path.is_dir() or not any(entry.name != files.LOCK for entry in path.iterdir()):
        return RunState("waiting")
    folder = RunFolder(path, None)
    if not folder.has(files.RUN):
        raise RunError(
            f"{path} is not empty and no edgewise run: move it away, or choose another folder for "
            "the study with --out"
        )
    try:
        folder = RunFolder.open(path)
        record = folder.read_run()
        if "seed" not in record or not folder.has(files.RECIPE):
            return RunState("stopped", "it had not begun")
        recipe = folder.read_text(files.RECIPE)
    except RunError as error:
        return RunState("broken", str(error))
    _check_ours(path, record, recipe, run)
    return _state_of(folder, record, run)


def _check_ours(path: Path, record: dict[str, Any], recipe: str, run: PlannedRun) -> None:
    """Refuses a run of another study."""
    found = {"seed": record["seed"], "command": record.get("command")}
    wanted = {"seed": run.seed, "command": run.command}
    different = [f"{name} {found[name]}, planned {wanted[name]}" for name in found if found[name] != wanted[name]]
    wanted_recipe = _changed(run, record.get("changed_settings", []))
    if recipe != wanted_recipe:
        different += _first_difference(recipe, wanted_recipe)
    if different:
        raise RunError(
            f"{path} holds a run of another study ({'; '.join(different)}): choose another folder "
            "for this study with "
            "--out, or move that run away; nothing in it was changed"
        )


def _changed(run: PlannedRun, sets: Sequence[str]) -> str:
    """The planned recipe with what the run was gone on with by `edgewise run --resume --set`."""
    if not sets:
        return run.recipe()
    settings = run.cell.settings
    return to_toml(build(type(settings), apply_sets(dump(settings), type(settings), sets)))


def _first_difference(found: str, wanted: str) -> list[str]:
    lines = zip([*found.splitlines(), ""], [*wanted.splitlines(), ""], strict=False)
    first = next(((a, b) for a, b in lines if a != b), ("", ""))
    return [f"recipe.toml has {first[0] or 'nothing'!r}, planned {first[1] or 'nothing'!r}"]


def _state_of(folder: RunFolder, record: dict[str, Any], run: PlannedRun) -> RunState:
    status, resumable = record.get("status"), folder.has(files.CHECKPOINT)
    if status == "done":
        fault = fault_of(folder, run.command)
        return RunState("broken", fault) if fault else RunState("finished")
    if status == "failed":
        return RunState("failed", str(record.get("error", "no reason recorded")), resumable)
    why = "it was interrupted" if status == "interrupted" else "its process ended without a word"
    return RunState("stopped", why, resumable)


def fault_of(folder: RunFolder, command: str) -> str:
    """What a run that says it is done lacks; empty where it lacks nothing."""
    try:
        folder.read_json(files.GENOTYPE)
        if command != "search":
            folder.read_json(files.RESULTS)["found"]["top1"]
        folder.read_trace()
    except EdgewiseError as error:
        return str(error)
    except (KeyError, TypeError):
        return f"{folder.file(files.RESULTS)} has no test accuracy of the found network"
    return ""


def epochs_done(root: Path, run: PlannedRun) -> int:
    """Epochs that the run has recorded so far."""
    path = root / run.name / files.TIMINGS
    try:
        return path.read_bytes().count(b"\n")
    except OSError:
        return 0
