"""Seeds torch's global stream for the time of a block, for code that can draw from nothing else."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Inside, torch's global CPU stream starts from `seed`; afterwards it is where it was before."""
    import torch

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        yield
