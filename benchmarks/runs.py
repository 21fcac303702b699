"""Many runs of the command line, each in a process of its own; what is finished is not run again."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any


def finished(folder: Path) -> bool:
    """Whether a run has come to its end."""
    record = folder / "run.json"
    return record.is_file() and json.loads(record.read_text())["status"] == "done"


def lines(path: Path, phase: str) -> list[dict[str, Any]]:
    """The records of a phase in a file of JSON lines."""
    records = [json.loads(line) for line in path.read_text().splitlines()]
    return [record for record in records if record["phase"] == phase]


def carry_out(commands: Mapping[Path, Sequence[str]], workers: int) -> list[Path]:
    """Runs `edgewise` once for each folder that holds no finished run.

    Args:
        commands: per run folder, the words after `edgewise`.
        workers: runs side by side, which share the cores.

    Returns:
        The folders whose runs failed; what they said was printed.
    """
    threads = str(max(1, (os.cpu_count() or 1) // workers))

    def run(folder: Path) -> bool:
        print(f"{folder.name} ...", flush=True)
        words = [sys.executable, "-m", "edgewise", *commands[folder], "--out", str(folder), "--overwrite"]
        environment = {**os.environ, "OMP_NUM_THREADS": threads}
        done = subprocess.run(words, env=environment, capture_output=True, text=True)
        if done.returncode != 0:
            print(f"{folder.name}: {done.stderr[-2000:]}", flush=True)
        return done.returncode == 0

    todo = [folder for folder in commands if not finished(folder)]
    with ThreadPoolExecutor(workers) as pool:
        return [folder for folder, well in zip(todo, pool.map(run, todo), strict=True) if not well]


def markdown(rows: Sequence[Sequence[str]]) -> str:
    """A table of Markdown; the first row is its head."""
    return "\n".join("| " + " | ".join(cells) + " |" for cells in [rows[0], ["---"] * len(rows[0]), *rows[1:]])
