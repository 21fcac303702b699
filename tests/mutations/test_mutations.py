"""Every planted mistake is noticed by the test that guards against it."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.mutations.mutation import Edit, Mutation, changed_files, plant
from tests.mutations.planted import MUTATIONS
from tests.mutations.warm import REPOSITORY, WarmPython, environment

FAILED = 1


OPTIONS = ("-n0", "-x", "-q", "-p", "no:cacheprovider", "-m", "")


@pytest.fixture(scope="module")
def warm() -> Iterator[WarmPython]:
    process = WarmPython()
    yield process
    process.close()


def write(mutation: Mutation, folder: Path) -> Path:
    """Writes down what a mistake changes, for the processes that shall make it."""
    texts = changed_files(mutation)
    for header in [file for file in texts if file.suffix != ".py"]:
        # Kernels with a mistake are built from a copy of their sources.
        sources = folder / "native"
        shutil.copytree(header.parent, sources)
        (sources / header.name).write_text(texts.pop(header), encoding="utf-8")
        moved = Edit("native.build:_sources", "Path(__file__).parent", f"Path({str(sources)!r})")
        texts |= changed_files(Mutation("", (moved,), ""))
    planted = folder / "planted.json"
    planted.write_text(json.dumps({str(file): text for file, text in texts.items()}), encoding="utf-8")
    return planted


def test_every_guard_is_a_test_that_is_there() -> None:
    guards = sorted({guard for m in MUTATIONS for guard in m.guard.split()})
    done = subprocess.run(
        [sys.executable, "-m", "pytest", *OPTIONS, "--collect-only", *guards],
        cwd=REPOSITORY,
        env=environment(),
        capture_output=True,
        text=True,
        timeout=600,
    )
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr


@pytest.mark.slow
@pytest.mark.parametrize("mutation", MUTATIONS, ids=lambda m: m.name)
def test_a_planted_mistake_is_noticed(
    mutation: Mutation, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, warm: WarmPython
) -> None:
    planted = write(mutation, tmp_path)
    if (tmp_path / "native").exists():
        # Kernels with a mistake stay out of the cache of the right ones.
        monkeypatch.setenv("EDGEWISE_CACHE", str(tmp_path / "cache"))
    code = warm.pytest(planted, tmp_path / "output", [*OPTIONS, *mutation.guard.split()])
    said = (tmp_path / "output").read_text(errors="replace")
    assert code == FAILED, f"survived: {mutation.name}\n{said}"
    assert "error" not in said.splitlines()[-1], said


MISTAKE_IS_MADE = """
import subprocess
import sys

def test_the_mistake_is_made_here_and_in_a_child():
    from edgewise.text import in_line

    assert in_line("a") == "planted"
    code = "from edgewise.text import in_line; print(in_line('a'))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "planted\\n"
"""


def test_guards_meet_the_mistake_and_so_do_their_children(tmp_path: Path, warm: WarmPython) -> None:
    mistake = plant("", "in_line", "return printable(", 'return "planted"\n    return printable(', "")
    (tmp_path / "test_planted.py").write_text(MISTAKE_IS_MADE)
    code = warm.pytest(
        write(mistake, tmp_path), tmp_path / "output", [*OPTIONS, str(tmp_path / "test_planted.py")]
    )
    assert code == 0, (tmp_path / "output").read_text()


@pytest.mark.parametrize("mutation", MUTATIONS, ids=lambda m: m.name)
def test_a_mistake_can_be_planted_in_the_code_as_it_is(mutation: Mutation) -> None:
    for file, text in changed_files(mutation).items():
        assert text != file.read_text(encoding="utf-8")
        if file.suffix == ".py":
            compile(text, str(file), "exec")


@pytest.mark.parametrize(
    ("edit", "said"),
    [
        (Edit("no_such_function", "a", "b"), "no_such_function: found in nowhere"),
        (Edit("_read", "a", "b"), "found in .*, .*; name a function"),
        (Edit("in_line", "no such text", ""), "stands 0 times, not once"),
    ],
)
def test_a_mistake_that_can_not_be_planted_says_why(edit: Edit, said: str) -> None:
    with pytest.raises((LookupError, ValueError), match=said):
        changed_files(Mutation("", (edit,), ""))


def test_no_two_mistakes_have_the_same_name() -> None:
    names = [mutation.name for mutation in MUTATIONS]
    assert len(names) == len(set(names)) >= 40
