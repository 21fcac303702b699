"""Runs on the digits that take seconds, and how to look at what they leave behind."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import torch

from edgewise.export import Latency, Measured, OnnxCheck
from edgewise.pipeline import Options, Settings, resolve
from edgewise.progress.pace import Figures
from edgewise.runs.atomic import write_bytes

# By its name in sys.modules: as an attribute of the package, `run` is the function.
RUN = sys.modules["edgewise.pipeline.run"]
PHASES = sys.modules["edgewise.pipeline.phases"]
FITTING = sys.modules["edgewise.pipeline.size_phase"]
SIZING = sys.modules["edgewise.pipeline.sizing"]
ESTIMATE = sys.modules["edgewise.pipeline.estimate"]
ROOT = Path(__file__).parents[2]
SEED = 3
# Every stream is drawn from: crops, the projection's order, partial channels, drop-path, the auxiliary head.
SETS = (
    "data.train_images=200",
    "search.epochs=3",
    "search.batch_size=32",
    "search.channels=8",
    "search.layers=3",
    "search.trace_steps=true",
    "warm_up.epochs=1",
    "arch.lr=0.02",
    "train.epochs=2",
    "train.batch_size=50",
    "train.channels=4",
    "train.layers=3",
    "train.auxiliary=0.4",
    "train.drop_path=0.2",
    "train_augment.cutout=2",
    "selection=none",
    *(f"candidates.{kind}=0" for kind in ("epochs", "sampled", "published", "random", "hand")),
)
SEARCH_STEPS, SEARCH_EPOCHS = 3, 3
TRAIN_STEPS, TRAIN_EPOCHS = 4, 2
NETWORKS = ("found", "random", "hand")
FILES = (
    "recipe.toml",
    "run.json",
    "trace.jsonl",
    "timings.jsonl",
    "checkpoint.pt",
    "genotype.json",
    "supernet.safetensors",
    "network.safetensors",
    "network.onnx",
    "results.json",
    "report.html",
)


def small(*sets: str, recipe: str = "pc-darts-gp") -> Settings:
    """The settings of a small run; a budget finds the number of channels out."""
    limited = any(text.startswith("budget") for text in sets)
    own = [text for text in SETS if not (limited and text.startswith("train.channels"))]
    return resolve(recipe, sets=(*own, *sets))


def options(*, seed: int = SEED, checkpoint_seconds: float = 60.0, overwrite: bool = False) -> Options:
    return Options(seed=seed, device="cpu", checkpoint_seconds=checkpoint_seconds, overwrite=overwrite)


@contextmanager
def one_thread() -> Iterator[None]:
    """Sums are added in another order by another number of threads, so what is compared bit for bit has one."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def child_environment() -> dict[str, str]:
    """The environment of a child process that computes as `one_thread` does and never asks the network."""
    return {
        **os.environ,
        "OMP_NUM_THREADS": "1",
        "HF_HUB_OFFLINE": "1",
        "PYTHONPATH": os.pathsep.join(sys.path),
        "COLUMNS": "120",
    }


def kill_child(is_there: Callable[[str], bool], action: str, folder: Path, *sets: str, delay: float) -> str:
    """Runs `tests.pipeline.child` and kills it where it says that it is there; returns its last line.

    Args:
        is_there: whether a line says so.
        action: "start" or "resume".
        folder: of the run.
        sets: settings of a run that is started.
        delay: seconds between the line and the kill.
    """
    child = subprocess.Popen(
        [sys.executable, "-m", "tests.pipeline.child", action, str(folder), *sets],
        cwd=ROOT,
        env=child_environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert child.stdout is not None
    lines = []
    with child.stdout:
        for line in child.stdout:
            lines.append(line)
            if is_there(line):
                time.sleep(delay)
                child.kill()
                break
        child.wait()
    assert child.returncode == -9, f"the child ended by itself:\n{''.join(lines)}"
    return lines[-1]


def without_seconds(results: Mapping[str, Mapping[str, Any]]) -> dict[str, dict[str, Any]]:
    """results.json without times, and without the size of the export, for which some tests put something short."""
    left_out = ("train_seconds", "latency", "size")
    return {
        name: {key: value for key, value in entry.items() if key not in left_out}
        for name, entry in results.items()
    }


def outcome(folder: Path) -> dict[str, Any]:
    """All that two runs of the same seed have in common; the run of one of several budgets has no supernet."""
    files = ["genotype.json", "trace.jsonl", "network.safetensors", "supernet.safetensors", "recipe.toml"]
    if folder.parent.name == "budgets":
        files.remove("supernet.safetensors")
    return {name: (folder / name).read_bytes() for name in files} | {
        "results.json": without_seconds(json.loads((folder / "results.json").read_text()))
    }


def assert_same_outcome(folder: Path, other: Path) -> None:
    """Compares file by file, so that a failure names the file."""
    one, two = outcome(folder), outcome(other)
    assert [name for name in one if one[name] != two[name]] == []


def assert_same_search(folder: Path, other: Path) -> None:
    """Compares what a search left behind; `other` may hold trainings too."""
    for name in ("genotype.json", "supernet.safetensors", "recipe.toml"):
        assert (folder / name).read_bytes() == (other / name).read_bytes(), name
    ours = (folder / "trace.jsonl").read_bytes()
    assert (other / "trace.jsonl").read_bytes().startswith(ours)
    assert len(ours.splitlines()) == SEARCH_EPOCHS * (SEARCH_STEPS + 1)


@contextmanager
def without_onnx() -> Iterator[None]:
    """Puts something short in the place of the ONNX export, for runs that are about something else."""

    def export(network: object, facts: object, path: Path) -> OnnxCheck:
        write_bytes(path, b"onnx")
        return OnnxCheck(0.0, 1.0, (1,))

    def measure(*arguments: object, **named: object) -> Measured:
        return Measured(4, Latency(1.0, 0.9, 1.1, 100))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(PHASES, "export_onnx", export)
        patch.setattr(FITTING, "measure_file", measure)
        patch.setattr(SIZING, "measure_export", measure)
        yield


def unfinished(whole: Path, folder: Path, *, without: Sequence[str] = ()) -> Path:
    """A copy of the whole run as it was just before its end, and without some of its files.

    Args:
        whole: the run.
        folder: the copy's.
        without: files that are not there yet.
    """
    shutil.copytree(whole, folder)
    for name in without:
        (folder / name).unlink()
    run = json.loads((folder / "run.json").read_text())
    ended = {"finished", *(["onnx"] if "network.onnx" in without else [])}
    kept = {key: value for key, value in run.items() if key not in ended}
    (folder / "run.json").write_text(json.dumps({**kept, "status": "interrupted"}))
    return folder


def snapshot(folder: Path) -> dict[str, bytes]:
    """The content of every file of a folder."""
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


def trace(folder: Path, phase: str | None = None) -> list[dict[str, Any]]:
    """The records of the trace, all or those of a phase."""
    records = [json.loads(line) for line in (folder / "trace.jsonl").read_text().splitlines()]
    return [record for record in records if phase in (None, record["phase"])]


Watcher = Callable[[str, int, int], None]


class EarlyStopping:
    """A progress that calls back after every step, before the loop has saved it, and at every line.

    Args:
        step: called with the phase's title, epoch and step.
        line: called with every line.
    """

    def __init__(self, step: Watcher | None = None, line: Callable[[str], None] | None = None) -> None:
        self._step, self._line = step, line
        self.lines: list[str] = []

    @contextmanager
    def phase(self, title: str, epochs: int, steps: int, start_epoch: int = 0) -> Iterator[WatchedPhase]:
        yield WatchedPhase(title, self._step)

    def say(self, text: str) -> None:
        self.lines.append(text)
        if self._line is not None:
            self._line(text)

    def table(self, title: str, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
        self.lines.append(title)


class WatchedPhase:
    def __init__(self, title: str, step: Watcher | None) -> None:
        self._title, self._step = title, step

    def step(self, epoch: int, step: int, figures: Figures) -> None:
        if self._step is not None:
            self._step(self._title, epoch, step)

    def epoch(self, epoch: int, figures: Figures) -> None:
        pass
