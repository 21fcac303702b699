"""How much memory is there, and what to say when there was not enough."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from edgewise.errors import ShortOfMemoryError

if TYPE_CHECKING:
    import torch

# What allocators say where they raise no error type of their own.
_SIGNS = ("can't allocate memory", "not enough memory", "out of memory", "bad_alloc", "ALLOC_FAILED")
_CGROUPS = Path("/sys/fs/cgroup")


def free_bytes(device: torch.device | str) -> int:
    """What this process can still take: of the device's memory, or of the machine's within its control groups.

    Args:
        device: such as "cpu" or "cuda:0".
    """
    import torch

    if torch.device(device).type == "cuda":
        # What PyTorch holds and does not use can be used again.
        idle = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
        return torch.cuda.mem_get_info(device)[0] + idle
    import psutil

    return min([psutil.virtual_memory().available, *_group_rooms(_own_groups(), _CGROUPS)])


def held_bytes(device: torch.device | str) -> int:
    """What this process holds now: tensors on a CUDA device, else its resident memory.

    Args:
        device: such as "cpu" or "cuda:0".
    """
    import torch

    if torch.device(device).type == "cuda":
        return torch.cuda.memory_allocated(device)
    import psutil

    return int(psutil.Process().memory_info().rss)


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an error says that memory, of the machine or of a device, was not enough."""
    import torch

    if isinstance(error, MemoryError | torch.OutOfMemoryError):
        return True
    return isinstance(error, RuntimeError) and any(sign in str(error) for sign in _SIGNS)


@contextmanager
def explaining_memory(where: str, sizes: str, advice: str, *, resume_with: str = "") -> Iterator[None]:
    """Within it, a lack of memory becomes an error that says what to do.

    Args:
        where: the phase.
        sizes: what its memory follows from, such as "batch 256, C 16".
        advice: what to change in a new run.
        resume_with: options that a stopped run can be resumed with and needs less; empty for none.

    Raises:
        ShortOfMemoryError: memory was not enough.
    """
    try:
        yield
    except (RuntimeError, MemoryError) as error:
        if not is_out_of_memory(error):
            raise
        reason = (str(error).strip() or type(error).__name__).partition("\n")[0][:200]
        message = f"out of memory in {where} ({sizes}): {reason}; {advice}"
        raise ShortOfMemoryError(message, resume_with=resume_with) from error


def _own_groups() -> list[tuple[str, str]]:
    """The control groups of this process: (controllers, path); no controllers for version 2."""
    with suppress(OSError):
        lines = Path("/proc/self/cgroup").read_text().splitlines()
        return [tuple(line.split(":", 2)[1:]) for line in lines if line.count(":") >= 2]  # type: ignore[misc]
    return []


def _group_rooms(groups: list[tuple[str, str]], root: Path) -> list[int]:
    """What the limits of control groups, and of those above them, leave."""
    rooms = []
    for controllers, path in groups:
        if controllers == "":
            top, limit, usage, cache = root, "memory.max", "memory.current", "inactive_file"
        elif "memory" in controllers.split(","):
            top = root / "memory"
            limit, usage, cache = "memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"
        else:
            continue
        folder = top / path.lstrip("/")
        # Within a container the path may be that of the host: then only the top is there.
        for group in (folder, *folder.parents):
            if not group.is_relative_to(top):
                break
            with suppress(OSError, ValueError):
                most, used = int((group / limit).read_text()), int((group / usage).read_text())
                rooms.append(max(0, most - used + _statistic(group / "memory.stat", cache)))
    return rooms


def _statistic(file: Path, name: str) -> int:
    """Pages of files, which the system takes back when it needs them."""
    with suppress(OSError, ValueError):
        for line in file.read_text().splitlines():
            key, _, value = line.partition(" ")
            if key == name:
                return int(value)
    return 0
