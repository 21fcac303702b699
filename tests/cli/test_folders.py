"""Names of run folders that nobody has given."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from edgewise.cli.folders import run_folder
from edgewise.errors import RunError
from tests.cli.conftest import SCRIPT, SMALL, environment


def test_a_name_that_was_given_stays_as_it_is(tmp_path: Path) -> None:
    with run_folder(tmp_path / "mine", "x") as folder:
        assert folder == tmp_path / "mine"
    assert not folder.exists()


def test_names_of_the_same_second_differ(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("edgewise.cli.folders.datetime", Frozen)
    with run_folder(None, "x") as one, run_folder(None, "x") as two, run_folder(None, "x") as three:
        assert [path.name for path in (one, two, three)] == ["now-x", "now-x-2", "now-x-3"]
        assert one.is_dir()
        (two / "run.json").write_text("{}")
    assert [path.exists() for path in (one, two, three)] == [False, True, False]


def test_a_name_holds_nothing_that_a_path_can_not(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with run_folder(None, "a/../\x1b\udcff" + "b" * 500) as folder:
        assert folder.parent == Path("runs")
        assert folder.name.isascii()
        assert len(folder.name) < 200


def test_a_place_that_can_not_be_written_to_is_refused_with_the_way_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "runs").write_text("a file")
    with pytest.raises(RunError, match=r"can't be made .*--out"), run_folder(None, "x"):
        pass


class Frozen:
    @staticmethod
    def now() -> str:
        return Word("now")


class Word(str):
    def __format__(self, spec: str) -> str:
        return str(self)


@pytest.mark.slow
def test_three_searches_that_begin_together_end_in_three_folders(tmp_path: Path) -> None:
    command = [SCRIPT, "search", *SMALL, "--set", "search.epochs=2"]
    begun = [
        subprocess.Popen(command, cwd=tmp_path, env=environment(), stdout=subprocess.DEVNULL) for _ in range(3)
    ]
    assert [one.wait(timeout=300) for one in begun] == [0, 0, 0]
    assert len(list((tmp_path / "runs").glob("*/genotype.json"))) == 3
