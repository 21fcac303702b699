"""What a launcher such as `accelerate launch` or `torchrun` has started: who this process is, and its device."""

from __future__ import annotations

import atexit
import os
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from edgewise.errors import ConfigError
from edgewise.runtime.distributed import Processes

if TYPE_CHECKING:
    import torch
    from accelerate import Accelerator

# How long a process waits for the others before it gives up: the first writes report and export meanwhile.
PATIENCE = timedelta(minutes=15)


def launched() -> tuple[int, int]:
    """This process's number and the number of processes, as a launcher has put them into the environment."""
    world = int(os.environ.get("WORLD_SIZE") or 1)
    return (int(os.environ.get("RANK") or 0), world) if world > 1 else (0, 1)


def fell_apart() -> bool:
    """Whether `accelerate launch --cpu --num_processes N` has started one process, as it does, and not N."""
    alone = launched()[1] == 1 and "RANK" not in os.environ
    return alone and os.environ.get("ACCELERATE_USE_CPU") == "True" and "MASTER_ADDR" in os.environ


def own_device(name: str) -> torch.device:
    """The device of this process's number, among several processes.

    Args:
        name: a kind of device, such as "cuda", or "auto".

    Raises:
        ConfigError: the name is one certain device, or there are fewer devices than processes.
    """
    import torch

    if ":" in name:
        kind = name.partition(":")[0]
        raise ConfigError(
            f"--device {name!r} is one device, and {launched()[1]} processes are running: use --device {kind}, of "
            "which each process takes its own"
        )
    kind = name
    if name == "auto":
        found = torch.accelerator.current_accelerator(check_available=True)
        wants_cpu = os.environ.get("ACCELERATE_USE_CPU", "").lower() in ("1", "true", "yes")
        kind = "cpu" if found is None or wants_cpu else found.type
    if kind == "cpu":
        return torch.device("cpu")
    number = int(os.environ.get("LOCAL_RANK") or 0)
    try:
        device = torch.device(kind, number)
        torch.empty(1, device=device)
    except (RuntimeError, AssertionError) as error:
        reason = str(error).splitlines()[0]
        raise ConfigError(
            f"--device {name!r}: process {number} of this machine can't use {kind}:{number} ({reason}): launch as "
            "many processes as there are devices, or use --device cpu"
        ) from None
    return device


def resumed_device(name: str) -> str:
    """The device to go on with: several processes take their own, whatever number the run's first one had."""
    return name.partition(":")[0] if launched()[1] > 1 else name


def handlers() -> list[Any]:
    """What accelerate is told about the group of processes."""
    from accelerate.utils import InitProcessGroupKwargs

    return [] if launched()[1] == 1 else [InitProcessGroupKwargs(timeout=PATIENCE)]


def joined(accelerator: Accelerator) -> Processes:
    """The processes of the group that accelerate has joined.

    Raises:
        ConfigError: several processes were launched on a kind of device on which they can't talk to each other.
    """
    rank, world = launched()
    if world == 1:
        return Processes()
    if accelerator.num_processes != world:
        raise ConfigError(
            f"{world} processes were launched, and on the device {accelerator.device} they can't talk to each "
            "other: launch one process, or use --device cpu or --device cuda"
        )
    processes = Processes(rank, world)
    atexit.register(processes.leave)
    return processes
