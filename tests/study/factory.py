"""Studies without searches: a pipeline that only writes what a run leaves behind, in no time."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from edgewise.config.build import to_toml
from edgewise.pipeline import Options, RunResult, Settings
from edgewise.pipeline.record_failure import noting_end
from edgewise.progress.protocol import Progress
from edgewise.runs.folder import RunFolder
from edgewise.runtime.interrupt import Interrupted
from edgewise.spaces import Genotype, random_genotype, space
from edgewise.study import StudySpec
from edgewise.study.spec import spec_from_table

TABLE: dict[str, Any] = {
    "name": "demo",
    "methods": ["pc-darts", "pc-darts-gp"],
    "seeds": [0, 1],
    "base": ["compare=[]", "search.epochs=2", "train.epochs=2", "warm_up.epochs=0"],
}


def table(**changes: Any) -> dict[str, Any]:
    """The table of a study of two methods and two seeds, changed."""
    return TABLE | changes


def spec(folder: Path = Path(), **changes: Any) -> StudySpec:
    return spec_from_table(table(**changes), folder)


@dataclass
class FakePipeline:
    """Stands in the place of `start` and `resume`.

    Args:
        accuracy: test accuracy by method and seed; 0.5 where it is not named.
        arch: accuracy on the arch split by method and seed; 0.4 where it is not named.
        fails: runs that end with an error, by method and seed.
        stops: runs that somebody interrupts, by method and seed, once each.
        won: name and kind of the candidate that won the selection, by method and seed; none without.
    """

    accuracy: Mapping[tuple[str, int], float] = field(default_factory=dict)
    arch: Mapping[tuple[str, int], float] = field(default_factory=dict)
    fails: Mapping[tuple[str, int], Exception] = field(default_factory=dict)
    stops: set[tuple[str, int]] = field(default_factory=set)
    won: Mapping[tuple[str, int], tuple[str, str]] = field(default_factory=dict)
    started: list[str] = field(default_factory=list)
    resumed: list[str] = field(default_factory=list)

    def start(
        self,
        settings: Settings,
        out: Path,
        *,
        options: Options,
        command: str = "run",
        genotype: Genotype | None = None,
        progress: Progress | None = None,
    ) -> RunResult:
        self.started.append(f"{out.parent.name}/{out.name}")
        with RunFolder.create(out, overwrite=options.overwrite) as folder:
            folder.write_text("recipe.toml", to_toml(settings))
            folder.update_run({"command": command, "seed": options.seed, "device_name": "a processor"})
            if genotype is not None:
                folder.write_text("genotype.json", genotype.to_json())
            folder.save_checkpoint({"epoch": 0})
            return self._go_on(folder, settings, options.seed, command)

    def resume(self, path: Path, *, progress: Progress | None = None) -> RunResult:
        self.resumed.append(f"{path.parent.name}/{path.name}")
        with RunFolder.open(path, lock=True) as folder:
            run = folder.read_run()
            name = path.parent.name
            return self._go_on(folder, None, run["seed"], run["command"], name=name)

    def _go_on(
        self, folder: RunFolder, settings: Settings | None, seed: int, command: str, name: str = ""
    ) -> RunResult:
        key = (name or folder.path.parent.name, seed)
        if key in self.fails:
            with noting_end(folder):
                raise self.fails[key]
        if key in self.stops:
            self.stops.remove(key)
            folder.update_run({"status": "interrupted"})
            raise Interrupted("stopped in the search")
        cells = random_genotype(space("darts"), random.Random(seed))
        if command != "train":
            folder.write_text("genotype.json", cells.to_json())
            for epoch in range(2):
                folder.append_trace(search_epoch(epoch, self.arch.get(key, 0.4), cells))
                folder.append_timing({"phase": "search", "epoch": epoch, "seconds": 1.0, "peak_memory_bytes": 1})
        results: dict[str, Any] = {}
        if command != "search":
            top1 = self.accuracy.get(key, 0.5)
            results = {"found": {"top1": top1, "params": 1_000_000, "macs": 5, "train_seconds": 2.0}}
            folder.write_json("results.json", results)
            for epoch in range(2):
                folder.append_trace(
                    {"phase": "train", "network": "found", "epoch": epoch, "accuracy": 0.3, "loss": 1.0}
                )
        folder.update_run({"status": "done", "phases": {"search": {"seconds": 2.0}}})
        if key in self.won:
            won = dict(zip(("name", "kind"), self.won[key], strict=True))
            folder.update_run({"won": won, "phases": {"select": {"seconds": 3.0 + seed}}})
        folder.write_text("report.html", "page")
        return RunResult(folder.path, cells, results)


def search_epoch(epoch: int, accuracy: float, cells: Genotype) -> dict[str, Any]:
    """What the studies read of a search's epoch."""
    return {
        "phase": "search",
        "epoch": epoch,
        "arch_accuracy": accuracy,
        "arch_loss": 2.0,
        "skips": {name: cell.skips for name, cell in cells.cells.items()},
        "pools": {name: cell.pools for name, cell in cells.cells.items()},
        "depth": {name: cell.depth for name, cell in cells.cells.items()},
    }


def install(patch: pytest.MonkeyPatch, fake: FakePipeline) -> FakePipeline:
    """Puts the fake in the pipeline's place."""
    patch.setattr("edgewise.study.worker.start", fake.start)
    patch.setattr("edgewise.study.worker.resume", fake.resume)
    return fake


class Lines:
    """A progress that keeps lines and tables."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.tables: list[tuple[str, Sequence[str], Sequence[Sequence[str]]]] = []

    def phase(self, title: str, epochs: int, steps: int, start_epoch: int = 0) -> Any:
        raise AssertionError("a study shows no single phase")

    def say(self, text: str) -> None:
        self.lines.append(text)

    def table(self, title: str, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
        self.tables.append((title, columns, rows))
