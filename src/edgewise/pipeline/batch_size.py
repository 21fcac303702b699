"""Which batch size fits into memory: a straight line through the peaks of two batch sizes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from edgewise.runs.provenance import peak_memory_bytes, reset_peak_memory
from edgewise.runtime.compute import Compute
from edgewise.runtime.memory import free_bytes, held_bytes

# What is left free for what a few steps don't show: fragments, checkpoints, other programs.
MARGIN = 0.9


@dataclass(frozen=True)
class MemoryEstimate:
    """What a phase needs, as bytes = fixed + slope * batch.

    Args:
        phase: its name.
        batch: the size that was measured, and that the run will use.
        peak: bytes at that size.
        slope: bytes that one more image takes.
        room: bytes that the process can have in all.
    """

    phase: str
    batch: int
    peak: int
    slope: float
    room: int

    @staticmethod
    def through(phase: str, small: tuple[int, int], full: tuple[int, int], room: int) -> MemoryEstimate | None:
        """The line through two (batch, peak); None where they tell nothing.

        Args:
            phase: its name.
            small: of the smaller batch.
            full: of the run's batch.
            room: see `room`.
        """
        if full[0] <= small[0] or full[1] <= small[1]:
            return None
        return MemoryEstimate(phase, *full, (full[1] - small[1]) / (full[0] - small[0]), room)

    def bytes_at(self, batch: int) -> float:
        """The peak at another batch size."""
        return self.peak + self.slope * (batch - self.batch)

    @property
    def largest(self) -> int:
        """The largest batch that fits, a tenth of the room kept free."""
        return max(0, int(self.batch + (MARGIN * self.room - self.peak) / self.slope))

    def sentence(self) -> str:
        """The estimate in words."""
        room = f"{self.room / 1e9:.1f} GB ({self.phase})"
        needed = f"about {self.peak / 1e9:.2g} GB at batch {self.batch}"
        if self.largest < self.batch:
            return f"{needed}; only batches up to about {_rounded(self.largest)} fit into {room}"
        return f"{needed}; batches up to about {_rounded(self.largest):,} fit into {room}"


def room_bytes(compute: Compute) -> int:
    """What this process holds and can still take."""
    return held_bytes(compute.device) + free_bytes(compute.device)


def peak_of(action: Callable[[], object], compute: Compute) -> int | None:
    """The highest memory during an action; None where the system does not tell.

    On the CPU, memory that was freed before and not given back counts: measure the smaller of two first.
    """
    if not reset_peak_memory(compute.device):
        return None
    action()
    return peak_memory_bytes(compute.device)


def half_of(batch: int) -> int:
    """The smaller batch to measure."""
    return max(2, batch // 2)


def _rounded(batch: int) -> int:
    """Two digits: more are not known."""
    digits = max(0, len(str(batch)) - 2)
    return batch // 10**digits * 10**digits
