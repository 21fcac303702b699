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
from functools import cache
from pathlib import Path

LOG = logging.getLogger(__name__)
SOURCES = ("vectors.h", "flat.h", "branches.h", "pointwise.h", "terms.h", "cell.cpp")
# No -ffast-math: NaN and infinity must stay what they are. Sums may be reordered.
FLAGS = (
    *("-O3", "-march=native", "-std=c++17", "-fPIC", "-shared", "-fopenmp"),
    *("-fno-math-errno", "-fno-signed-zeros", "-fno-trapping-math", "-fassociative-math"),
)
SWITCH = "EDGEWISE_NATIVE"


@cache
def library() -> ctypes.CDLL | None:
    """The compiled kernels, or None where there is no compiler, or `EDGEWISE_NATIVE=0`; says so once."""
    if os.environ.get(SWITCH) == "0":
        return None
    compiler = os.environ.get("CXX") or shutil.which("c++") or shutil.which("g++")
    if compiler is None:
        LOG.info("no C++ compiler: networks run on PyTorch's own operations (slower on a CPU, same results)")
        return None
    try:
        return ctypes.CDLL(str(_compiled(compiler)))
    except (OSError, subprocess.SubprocessError) as error:
        reason = getattr(error, "stderr", None) or str(error)
        LOG.info(
            "the kernels could not be compiled (%s): networks run on PyTorch's own operations",
            reason.strip().splitlines()[-1] if reason.strip() else type(error).__name__,
        )
        return None


def _compiled(compiler: str) -> Path:
    folder = Path(__file__).parent
    text = b"".join((folder / name).read_bytes() for name in SOURCES)
    key = hashlib.sha256(text + " ".join([compiler, *FLAGS, _processor()]).encode()).hexdigest()[:16]
    target = _cache() / f"cell-{key}.so"
    if target.is_file():
        return target
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent) as work:
        made = Path(work) / target.name
        command = [compiler, *FLAGS, str(folder / "cell.cpp"), "-o", str(made)]
        subprocess.run(command, check=True, capture_output=True, text=True, timeout=300)
        made.replace(target)
    return target


def _cache() -> Path:
    base = os.environ.get("EDGEWISE_CACHE") or os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "edgewise"


def _processor() -> str:
    """What `-march=native` depends on."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.machine() + platform.processor()
    return "".join(
        next((line for line in lines if line.startswith(name)), "") for name in ("flags", "Features", "model name")
    )
