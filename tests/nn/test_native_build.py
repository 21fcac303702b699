"""Where compiled kernels are kept, and what happens where that place or the compiler is not what it should be."""

from __future__ import annotations

import errno
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from edgewise.nn.engines.native import Build, build_once
from edgewise.nn.engines.native import build as compiling

OTHER = 65534

pytestmark = pytest.mark.skipif(
    os.name == "nt" or shutil.which("c++") is None, reason="no C++ compiler here, or no POSIX"
)
as_root = pytest.mark.skipif(not hasattr(os, "getuid") or os.getuid() != 0, reason="only root gives files away")


@pytest.fixture(scope="session")
def stub(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A library with the one function that is looked for, in no time."""
    folder = tmp_path_factory.mktemp("stub")
    (folder / "stub.cpp").write_text('extern "C" int weighted_sum_f32() { return 0; }')
    made = folder / "stub.so"
    subprocess.run(["c++", "-shared", "-fPIC", str(folder / "stub.cpp"), "-o", str(made)], check=True)
    return made


@dataclass
class Machine:
    """A machine with a home, a cache and a compiler of its own."""

    home: Path
    base: Path
    calls: Path
    compiler: Path

    @property
    def folder(self) -> Path:
        return self.base / "edgewise"

    @property
    def library(self) -> Path:
        (found,) = self.folder.glob("*.so")
        return found

    @property
    def digest(self) -> Path:
        return self.library.with_name(self.library.name + ".sha256")

    @property
    def compiled(self) -> int:
        """How often the compiler ran."""
        return len(self.calls.read_text()) if self.calls.exists() else 0

    def let_compiler(self, do: str) -> None:
        """Replaces the compiler by a line of shell; the file to write is "$made"."""
        text = f'#!/bin/sh\nprintf x >> "{self.calls}"\nfor made; do :; done\n{do}\n'
        self.compiler.write_text(text)
        self.compiler.chmod(0o755)

    def process(self) -> Build:
        """What a new process finds."""
        compiling._compiled.cache_clear()
        return build_once.__wrapped__()

    def assert_whole(self) -> None:
        """The next process loads what is kept, as it is."""
        before = self.compiled
        found = self.process()
        assert (found.library is not None, found.note, self.compiled) == (True, "", before)


@pytest.fixture
def machine(tmp_path: Path, stub: Path, monkeypatch: pytest.MonkeyPatch) -> Machine:
    made = Machine(tmp_path / "home", tmp_path / "cache", tmp_path / "calls", tmp_path / "compiler")
    made.home.mkdir()
    made.let_compiler(f'cp "{stub}" "$made"')
    for name, value in {"HOME": made.home, "EDGEWISE_CACHE": made.base, "CXX": made.compiler}.items():
        monkeypatch.setenv(name, str(value))
    for name in ("XDG_CACHE_HOME", "EDGEWISE_NATIVE"):
        monkeypatch.delenv(name, raising=False)
    return made


def test_what_one_process_compiled_the_next_one_loads(machine: Machine) -> None:
    assert machine.process().library is not None
    machine.assert_whole()
    assert machine.compiled == 1
    assert machine.folder.stat().st_mode & 0o077 == 0
    assert not list(machine.folder.glob(".*"))


def put(path: Path, content: bytes) -> None:
    """Another file in a file's place: this process has loaded the old one, which must stay whole."""
    mode = path.stat().st_mode
    path.unlink()
    path.write_bytes(content)
    path.chmod(mode)


def cut(path: Path) -> None:
    put(path, path.read_bytes()[:5000])


def empty(path: Path) -> None:
    put(path, b"")


def swap_a_byte(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    put(path, bytes(content))


@pytest.mark.parametrize("which", ["library", "digest"])
@pytest.mark.parametrize("damage", [empty, swap_a_byte, Path.unlink])
def test_a_damaged_library_or_digest_is_compiled_anew(
    machine: Machine, which: str, damage: Callable[[Path], None]
) -> None:
    machine.process()
    damage(getattr(machine, which))
    found = machine.process()
    assert (found.library is not None, machine.compiled) == (True, 2)
    # What is not there was never finished: nothing to speak of.
    assert (f"{machine.library} was damaged" in found.note) == (damage is not Path.unlink)
    machine.assert_whole()


def test_a_library_that_was_cut_does_not_kill_the_process(machine: Machine) -> None:
    machine.process()
    cut(machine.library)
    done = subprocess.run(
        [sys.executable, "-c", "from edgewise.nn.engines.native import build_once; print(build_once().note)"],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert "compiled anew" in done.stdout
    machine.assert_whole()


def test_a_library_that_was_replaced_when_its_writer_was_killed_is_compiled_anew(machine: Machine) -> None:
    machine.process()
    put(machine.library, machine.library.read_bytes() + b"another one")
    assert machine.process().library is not None
    assert machine.compiled == 2


def test_two_processes_at_once_leave_one_whole_library(machine: Machine, stub: Path) -> None:
    machine.let_compiler(f'sleep 2; cp "{stub}" "$made"; printf "\\0%s" $$ >> "$made"')
    code = "from edgewise.nn.engines.native import library; assert library() is not None"
    running = [subprocess.Popen([sys.executable, "-c", code]) for _ in range(2)]
    assert [one.wait(timeout=100) for one in running] == [0, 0]
    machine.assert_whole()
    assert not list(machine.folder.glob(".*"))


def in_the_shared_folder(found: Build, machine: Machine) -> bool:
    assert found.library is not None
    return Path(found.library._name).is_relative_to(machine.base.resolve())


def assert_kept_at_home(machine: Machine, why: str) -> None:
    found = machine.process()
    assert not in_the_shared_folder(found, machine)
    assert why in found.note
    assert f"{machine.home}/.cache/edgewise" in found.note
    before = machine.compiled
    assert machine.process().note == found.note
    assert machine.compiled == before


@pytest.mark.parametrize("mode", [0o777, 0o1777, 0o702])
@pytest.mark.parametrize("part", ["folder", "base"])
def test_a_folder_that_others_may_write_is_not_used(machine: Machine, mode: int, part: str) -> None:
    if part == "base" and mode == 0o1777:
        pytest.skip("with the sticky bit, what is ours in it stays ours")
    machine.process()
    getattr(machine, part).chmod(mode)
    assert_kept_at_home(machine, f"other users may write to {getattr(machine, part)}")


def test_a_private_folder_in_one_where_everybody_has_private_ones_is_used(machine: Machine) -> None:
    machine.base.mkdir()
    machine.base.chmod(0o1777)
    machine.process()
    machine.assert_whole()
    assert in_the_shared_folder(machine.process(), machine)


@as_root
@pytest.mark.parametrize("part", ["folder", "base"])
def test_another_users_folder_is_not_used(machine: Machine, part: str) -> None:
    machine.process()
    os.chown(getattr(machine, part), OTHER, OTHER)
    assert_kept_at_home(machine, f"{getattr(machine, part)} belongs to another user (65534)")


@as_root
def test_a_folder_that_another_group_may_write_is_not_used_and_of_the_users_own_group_it_is(
    machine: Machine,
) -> None:
    machine.process()
    machine.folder.chmod(0o770)
    machine.assert_whole()
    os.chown(machine.folder, -1, OTHER)
    assert_kept_at_home(machine, "other users may write")


@as_root
@pytest.mark.parametrize("which", ["library", "digest"])
def test_another_users_file_is_not_loaded(machine: Machine, which: str) -> None:
    machine.process()
    os.chown(getattr(machine, which), OTHER, OTHER)
    found = machine.process()
    assert "belongs to another user" in found.note
    assert machine.compiled == 2
    machine.assert_whole()


def test_a_file_that_others_may_write_or_that_is_a_link_is_not_loaded(machine: Machine, tmp_path: Path) -> None:
    machine.process()
    machine.library.chmod(0o777)
    assert "other users may write" in machine.process().note
    machine.assert_whole()
    library = machine.library
    library.rename(tmp_path / "elsewhere.so").chmod(0o700)
    library.symlink_to(tmp_path / "elsewhere.so")
    assert "symbolic link" in machine.process().note
    assert machine.compiled == 3
    machine.assert_whole()


def test_a_link_to_a_private_folder_is_followed_and_one_to_an_open_folder_is_not_used(
    machine: Machine, tmp_path: Path
) -> None:
    (tmp_path / "real").mkdir(mode=0o700)
    machine.base.symlink_to(tmp_path / "real")
    assert in_the_shared_folder(machine.process(), machine)
    (tmp_path / "real").chmod(0o777)
    assert_kept_at_home(machine, f"other users may write to {tmp_path}/real")


def test_a_file_in_the_folders_place_sends_the_kernels_home(machine: Machine) -> None:
    machine.base.write_text("no folder")
    assert_kept_at_home(machine, f"not in {machine.folder}")


def test_a_full_disk_sends_the_kernels_home(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    write = Path.write_bytes

    def full(path: Path, content: bytes) -> int:
        if path.is_relative_to(machine.base):
            raise OSError(errno.ENOSPC, "No space left on device")
        return write(path, content)

    monkeypatch.setattr(Path, "write_bytes", full)
    found = machine.process()
    assert f"{machine.home}/.cache/edgewise, not in {machine.folder}: No space left on device" in found.note
    assert machine.compiled == 1
    machine.assert_whole()
    assert list(machine.folder.iterdir()) == []


@pytest.mark.parametrize("homeless", [True, False])
def test_where_no_folder_can_be_used_kernels_are_compiled_for_this_process_and_leave_nothing(
    machine: Machine, homeless: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "tmp").mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "tmp"))
    if homeless:
        monkeypatch.delenv("EDGEWISE_CACHE")
        monkeypatch.setattr(Path, "expanduser", no_home)
    else:
        for blocked in (machine.base, machine.home / ".cache"):
            blocked.write_text("no folder")
    found = machine.process()
    assert found.library is not None
    assert "each process compiles the kernels anew" in found.note
    assert ("no home" in found.note) == homeless
    assert list((tmp_path / "tmp").iterdir()) == []


def no_home(path: Path) -> Path:
    raise RuntimeError("Could not determine home directory.")


def test_a_system_without_user_numbers_keeps_kernels_where_it_is_told(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr(os, "getuid")
    machine.process()
    machine.assert_whole()


@pytest.mark.parametrize(
    ("does", "said"),
    [
        (
            "echo 'cell.cpp:1: error: no such type' >&2; echo '   | ^~~' >&2; exit 1",
            "cell.cpp:1: error: no such type",
        ),
        ("exit 1", "exit code 1, without a word"),
        ("true", "No such file"),
        ('echo garbage > "$made"', "cell-"),
        ('echo "" | c++ -x c++ -shared -fPIC - -o "$made"', "no function weighted_sum_f32"),
        ("sleep 5", "stopped after 0.5 s"),
        ("kill -9 $$", "exit code -9"),
    ],
)
def test_a_compiler_that_fails_is_a_fault_with_its_own_last_line_and_nothing_is_kept(
    machine: Machine, does: str, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(compiling, "SECONDS", 0.5 if "sleep" in does else 100)
    machine.let_compiler(does)
    found = machine.process()
    assert found.library is None
    assert found.fault == f"the C++ compiler {machine.compiler} could not compile the kernels"
    assert said in found.detail
    assert "\n" not in found.detail
    assert machine.compiled == 1
    assert [path for path in machine.base.rglob("*") if path.is_file()] == []


def test_without_a_compiler_the_fault_says_which_one_is_missing(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CXX", "/nowhere/c++")
    assert machine.process() == Build(None, "there is no C++ compiler /nowhere/c++, which CXX names")
    monkeypatch.delenv("CXX")
    monkeypatch.setattr(shutil, "which", lambda name: None)
    assert machine.process() == Build(None, "there is no C++ compiler")
    monkeypatch.setenv("EDGEWISE_NATIVE", "0")
    assert machine.process() == Build(None)


def test_a_compiler_may_be_named_with_words_in_front_of_it(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CXX", f"env {machine.compiler}")
    assert machine.process().library is not None
    assert machine.compiled == 1
