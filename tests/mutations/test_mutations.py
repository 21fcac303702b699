"""Every planted mistake is noticed by the test that guards against it."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import edgewise
from tests.mutations.mutation import Mutation
from tests.mutations.planted import MUTATIONS
from tests.mutations.warm import WarmPython, environment

REPOSITORY = Path(__file__).parents[2]
FAILED = 1


def copy_package(folder: Path) -> Path:
    """A copy of the package, to be put in front of the real one."""
    source = Path(edgewise.__file__ or "").parent
    # Compiled files go along: they hold for every file that is left as it is.
    shutil.copytree(source, folder / "edgewise")
    return folder / "edgewise"


def python(front: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Runs Python with another folder's packages in front."""
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=REPOSITORY,
        env=environment(front),
        capture_output=True,
        text=True,
        timeout=3600,
    )


OPTIONS = ("-n0", "-x", "-q", "-p", "no:cacheprovider", "-m", "")


def run_guards(front: Path, guards: list[str]) -> subprocess.CompletedProcess[str]:
    """Runs tests against a copy of the package; exit code 1: one failed, 2 and up: something broke."""
    return python(front, "-m", "pytest", *OPTIONS, *guards)


@pytest.fixture(scope="module")
def warm() -> Iterator[WarmPython]:
    process = WarmPython()
    yield process
    process.close()


def plant(package: Path, mutation: Mutation) -> None:
    """Makes a mistake in a copy of the package."""
    path = package / mutation.file
    text = path.read_text(encoding="utf-8")
    for find, replacement in mutation.edits:
        assert text.count(find) == 1, f"{mutation.file}: {find!r} stands {text.count(find)} times, not once"
        text = text.replace(find, replacement)
    if path.suffix == ".py":
        compile(text, str(path), "exec")
    for compiled in (path.parent / "__pycache__").glob(f"{path.stem}.*.pyc"):
        compiled.unlink()
    path.write_text(text, encoding="utf-8")


def test_every_guard_is_a_test_that_is_there() -> None:
    guards = sorted({guard for m in MUTATIONS for guard in m.guard.split()})
    done = run_guards(Path(edgewise.__file__ or "").parents[1], ["--collect-only", *guards])
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr


@pytest.mark.slow
def test_without_a_mistake_every_guard_passes_on_the_copy(tmp_path: Path) -> None:
    package = copy_package(tmp_path)
    used = python(tmp_path, "-c", "import edgewise; print(edgewise.__file__)")
    assert Path(used.stdout.strip()).parent == package
    done = run_guards(tmp_path, sorted({guard for m in MUTATIONS for guard in m.guard.split()}))
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.slow
@pytest.mark.parametrize("mutation", MUTATIONS, ids=lambda m: m.name)
def test_a_planted_mistake_is_noticed(
    mutation: Mutation, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, warm: WarmPython
) -> None:
    if not mutation.file.endswith(".py"):
        # Kernels with a mistake stay out of the cache of the right ones.
        monkeypatch.setenv("EDGEWISE_CACHE", str(tmp_path / "cache"))
    plant(copy_package(tmp_path), mutation)
    code = warm.pytest(tmp_path, tmp_path / "output", [*OPTIONS, *mutation.guard.split()])
    said = (tmp_path / "output").read_text(errors="replace")
    assert code == FAILED, f"survived: {mutation.name}\n{said}"
    assert "error" not in said.splitlines()[-1], said


def test_guards_run_on_the_copy(tmp_path: Path, warm: WarmPython) -> None:
    copy = copy_package(tmp_path)
    (tmp_path / "test_where.py").write_text(
        "def test_where():\n    import edgewise\n    print(edgewise.__file__)\n"
    )
    code = warm.pytest(tmp_path, tmp_path / "output", [*OPTIONS, "-s", str(tmp_path / "test_where.py")])
    said = (tmp_path / "output").read_text()
    assert code == 0, said
    assert str(copy / "__init__.py") in said


@pytest.mark.parametrize("mutation", MUTATIONS, ids=lambda m: m.name)
def test_a_mistake_can_be_planted_in_the_code_as_it_is(mutation: Mutation, tmp_path: Path) -> None:
    original = Path(edgewise.__file__ or "").parent / mutation.file
    copy = tmp_path / mutation.file
    copy.parent.mkdir(parents=True)
    shutil.copy(original, copy)
    plant(tmp_path, mutation)
    assert copy.read_bytes() != original.read_bytes()


def test_no_two_mistakes_have_the_same_name() -> None:
    names = [mutation.name for mutation in MUTATIONS]
    assert len(names) == len(set(names)) >= 40
