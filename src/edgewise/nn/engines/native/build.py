"""Compiles the kernels with the machine's own compiler, once, and loads them; without one there are none."""

from __future__ import annotations

import ctypes
import hashlib
import logging
import os
import platform
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from edgewise.errors import EdgewiseError
from edgewise.nn.engines.native.store import UnfitError, load_kept, load_new, places, prepare

LOG = logging.getLogger(__name__)
SOURCES = ("calls.h", "vectors.h", "flat.h", "branches.h", "pointwise.h", "terms.h", "cell.cpp")
# No -ffast-math: NaN and infinity must stay what they are. Sums may be reordered.
FLAGS = (
    *("-O3", "-march=native", "-std=c++17", "-fPIC", "-shared", "-fopenmp"),
    *("-fno-math-errno", "-fno-signed-zeros", "-fno-trapping-math", "-fassociative-math"),
)
SWITCH = "EDGEWISE_NATIVE"
SECONDS = 300


@dataclass(frozen=True)
class Build:
    """What became of the kernels on this machine.

    Args:
        library: the kernels; None where there are none.
        fault: why there are none, a main clause; empty where there are, or where nobody wants them.
        detail: the compiler's own last line, where it failed.
        note: what was amiss in the folder where they are kept; empty where nothing was.
    """

    library: ctypes.CDLL | None
    fault: str = ""
    detail: str = ""
    note: str = ""


class _CompilerError(EdgewiseError):
    """There is no library of kernels; what the compiler said last."""


def library() -> ctypes.CDLL | None:
    """The compiled kernels, or None where there is no compiler, or `EDGEWISE_NATIVE=0`."""
    return build_once().library


@cache
def build_once() -> Build:
    """Loads the kernels, and compiles them first where that was not done yet; a fault is logged once."""
    if os.environ.get(SWITCH) == "0":
        return Build(None)
    compiler = _compiler()
    if not compiler:
        named = os.environ.get("CXX")
        found = Build(
            None, f"there is no C++ compiler {named}, which CXX names" if named else "there is no C++ compiler"
        )
    else:
        try:
            return _load(compiler)
        except (OSError, _CompilerError) as error:
            fault = f"the C++ compiler {' '.join(compiler)} could not compile the kernels"
            found = Build(None, fault, detail=str(error))
    LOG.debug("%s (%s): networks run on PyTorch's own operations", found.fault, found.detail)
    return found


def _compiler() -> tuple[str, ...]:
    """The command without its flags; empty where there is none."""
    named = os.environ.get("CXX")
    if named and shutil.which(named) is None:
        # As in makefiles: "ccache g++".
        words = tuple(named.split())
        return words if words and shutil.which(words[0]) else ()
    found = named or shutil.which("c++") or shutil.which("g++")
    return (found,) if found else ()


def _load(compiler: tuple[str, ...]) -> Build:
    """What is kept somewhere, or else what is compiled now and kept in the first folder that takes it."""
    name, anew = f"cell-{_key(compiler)}.so", ""
    folders, refused = _usable()
    for folder in folders:
        try:
            kept = load_kept(folder, name)
        except (UnfitError, OSError) as error:
            anew = f"the kernels were compiled anew: {error}"
            break
        if kept is not None:
            return Build(kept, note=_where(folder, refused))
    for folder in folders:
        try:
            made = load_new(_compiled(compiler), name, folder)
        except OSError as error:
            refused = refused or _refusal(folder, error)
        else:
            return Build(made, note=_where(folder, refused) or anew)
    why = f"they can't be kept in {refused}" if refused else "there is no home folder to keep them in"
    return Build(load_new(_compiled(compiler), name), note=f"each process compiles the kernels anew: {why}")


def _usable() -> tuple[list[Path], str]:
    """The folders that may keep kernels, and why the first of the others may not."""
    found, refused = [], ""
    for folder in places():
        try:
            prepare(folder)
            found.append(folder)
        except (UnfitError, OSError) as error:
            refused = refused or _refusal(folder, error)
    return found, refused


def _refusal(folder: Path, error: Exception) -> str:
    return f"{folder}: {getattr(error, 'strerror', None) or error}"


def _where(folder: Path, refused: str) -> str:
    return f"the compiled kernels are kept in {folder}, not in {refused}" if refused else ""


def _sources() -> Path:
    return Path(__file__).parent


def _key(compiler: tuple[str, ...]) -> str:
    text = b"".join((_sources() / name).read_bytes() for name in SOURCES)
    return hashlib.sha256(text + " ".join([*compiler, *FLAGS, _processor()]).encode()).hexdigest()[:16]


@cache
def _compiled(compiler: tuple[str, ...]) -> bytes:
    """The library's file."""
    try:
        with tempfile.TemporaryDirectory(prefix="edgewise-", ignore_cleanup_errors=True) as work:
            made = Path(work) / "cell.so"
            subprocess.run(
                [*compiler, *FLAGS, str(_sources() / "cell.cpp"), "-o", str(made)],
                check=True,
                capture_output=True,
                text=True,
                errors="replace",
                timeout=SECONDS,
                # Ctrl-C is for the run, which stops when it can: the compiler must not seem to have failed.
                start_new_session=True,
            )
            return made.read_bytes()
    except subprocess.CalledProcessError as error:
        LOG.debug("%s", error.stderr)
        lines = [line.strip() for line in error.stderr.splitlines() if line.strip()]
        last = next((line for line in reversed(lines) if "error" in line), lines[-1] if lines else "")
        raise _CompilerError(last or f"exit code {error.returncode}, without a word") from error
    except subprocess.TimeoutExpired as error:
        raise _CompilerError(f"it was stopped after {SECONDS} s") from error
    except OSError as error:
        raise _CompilerError(str(error)) from error


def _processor() -> str:
    """What `-march=native` depends on."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.machine() + platform.processor()
    return "".join(
        next((line for line in lines if line.startswith(name)), "") for name in ("flags", "Features", "model name")
    )
