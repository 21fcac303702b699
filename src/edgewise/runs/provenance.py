"""Where figures come from: versions, commit, device, threads, peak memory."""

from __future__ import annotations

import os
import platform
import subprocess
from contextlib import suppress
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch

_PACKAGES = ("torch", "numpy", "datasets", "accelerate")


def versions() -> dict[str, str]:
    """The versions of Python, of edgewise, of the packages that numbers depend on, and the platform."""
    import edgewise

    found = {"python": platform.python_version(), "edgewise": edgewise.__version__}
    for package in _PACKAGES:
        with suppress(metadata.PackageNotFoundError):
            found[package] = metadata.version(package)
    return {**found, "platform": platform.platform()}


def git_state(folder: Path | None = None) -> dict[str, Any] | None:
    """The commit of a folder's repository and whether tracked files differ from it; None outside a repository.

    Args:
        folder: None is the current one.
    """
    commit = _git(folder, "rev-parse", "HEAD")
    changes = _git(folder, "status", "--porcelain", "--untracked-files=no")
    return None if commit is None or changes is None else {"commit": commit, "dirty": bool(changes)}


def _git(folder: Path | None, *command: str) -> str | None:
    try:
        done = subprocess.run(
            ["git", *command],
            cwd=folder,
            # Another git command that runs in this folder must not find its index locked by us.
            env={**os.environ, "GIT_OPTIONAL_LOCKS": "0"},
            capture_output=True,
            text=True,
            timeout=10,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip()


def device_name(device: torch.device | str) -> str:
    """The name that the maker gave the device.

    Args:
        device: such as "cpu" or "cuda:0".
    """
    import torch

    if torch.device(device).type == "cuda":
        return torch.cuda.get_device_name(device)
    with suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def now() -> str:
    """The time in UTC, ISO 8601, to the second."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def peak_memory_bytes(device: torch.device | str) -> int:
    """The most memory held since `reset_peak_memory`: by tensors on a CUDA device, else by the process.

    Args:
        device: such as "cpu" or "cuda:0".
    """
    import torch

    if torch.device(device).type == "cuda":
        return torch.cuda.max_memory_allocated(device)
    return _peak_of_process()


def reset_peak_memory(device: torch.device | str) -> bool:
    """Starts the peak anew; False where the system does not let a process do so.

    Args:
        device: such as "cpu" or "cuda:0".
    """
    import torch

    if torch.device(device).type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
        return True
    try:
        Path("/proc/self/clear_refs").write_text("5")
    except OSError:
        return False
    return True


def _peak_of_process() -> int:
    # Unlike getrusage's figure, VmHWM follows a reset.
    with suppress(OSError):
        for line in Path("/proc/self/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    if os.name == "nt":
        import psutil

        return int(psutil.Process().memory_info().peak_wset)
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if platform.system() == "Darwin" else peak * 1024
