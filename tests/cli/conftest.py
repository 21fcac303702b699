"""Calls of the command line: in this process where only words matter, by the console script where it counts."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from edgewise.data import Splits, load
from tests.pipeline.small import SETS, options, small
from tests.pipeline.whole import Whole, whole_run

SCRIPT = Path(sys.executable).with_name("edgewise")
# --set once for each setting of the small run.
SMALL = [part for text in SETS for part in ("--set", text)]


@dataclass(frozen=True)
class Outcome:
    """How a call ended."""

    code: int
    out: str
    err: str


Call = Callable[..., Outcome]


def environment() -> dict[str, str]:
    """One thread, no network, and a width that keeps every example on one line."""
    plain = {name: value for name, value in os.environ.items() if name not in ("FORCE_COLOR", "TERM")}
    return {**plain, "OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1", "COLUMNS": "200", "PYTHONUTF8": "1"}


def script(*arguments: str | Path, cwd: Path) -> Outcome:
    """Runs the installed console script."""
    done = subprocess.run(
        [SCRIPT, *map(str, arguments)], cwd=cwd, env=environment(), capture_output=True, text=True, timeout=300
    )
    return Outcome(done.returncode, done.stdout, done.stderr)


def python(code: str) -> str:
    """What a fresh interpreter prints."""
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment(), capture_output=True, text=True, check=True
    )
    return done.stdout


@pytest.fixture
def call(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Call:
    """Calls the entry point in this process."""
    from edgewise.cli.main import main

    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")

    def run(*arguments: str | Path) -> Outcome:
        monkeypatch.setattr(sys, "argv", ["edgewise", *map(str, arguments)])
        capsys.readouterr()
        code = 0
        try:
            main()
        except SystemExit as end:
            code = end.code if isinstance(end.code, int) else 0 if end.code is None else 1
        printed = capsys.readouterr()
        return Outcome(code, printed.out, printed.err)

    return run


@pytest.fixture(scope="session")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Whole:
    """The small run of the pipeline's tests."""
    return whole_run(tmp_path_factory)


@pytest.fixture(scope="session")
def splits() -> Splits:
    """The images of the small run, cut anew."""
    settings = small()
    return load(settings.data, seed=options().seed, arch_fraction=settings.search.arch_fraction)


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Outcome]:
    """A small run by the console script, and what it printed."""
    cwd = tmp_path_factory.mktemp("cli")
    outcome = script("run", *SMALL, "--seed", "3", "--device", "cpu", "--out", "run", cwd=cwd)
    return cwd / "run", outcome
