"""Named random streams: every consumer of chance has its own, so switching one off never shifts another."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch


class Streams:
    """Independent random generators, one per name, all following from one seed.

    The generators live on the CPU whatever the device of the run, so that the same seed draws the same numbers
    everywhere; only who draws as many numbers as there are pixels asks for one on the device. torch is imported on
    first use only.

    Args:
        seed: any integer; the seed of the run.
    """

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self._generators: dict[str, torch.Generator] = {}
        self._saved: dict[str, torch.Tensor] = {}

    def integer(self, name: str) -> int:
        """A 63-bit seed that follows from the run's seed and `name` alone."""
        digest = hashlib.sha256(f"{self.seed}/{name}".encode()).digest()
        return int.from_bytes(digest[:8], "big") >> 1

    def generator(self, name: str, device: torch.device | str = "cpu") -> torch.Generator:
        """The generator called `name`, made on first use; later calls return the same, further along.

        Args:
            name: of the stream.
            device: where it draws, for its first use.
        """
        if name not in self._generators:
            import torch

            generator = torch.Generator(device).manual_seed(self.integer(name))
            if name in self._saved:
                generator.set_state(self._saved.pop(name))
            self._generators[name] = generator
        return self._generators[name]

    def state_dict(self) -> dict[str, torch.Tensor]:
        """The position of every stream used so far, as byte tensors."""
        return self._saved | {name: generator.get_state() for name, generator in self._generators.items()}

    def load_state_dict(self, state: dict[str, torch.Tensor]) -> None:
        """Puts every recorded stream back to its position; whoever holds a generator sees it move.

        A stream that nobody has asked for yet moves when somebody does, who also says on which device it is.
        """
        self._saved = {}
        for name, position in state.items():
            if name in self._generators:
                self._generators[name].set_state(position)
            else:
                self._saved[name] = position


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Inside, torch's global CPU stream starts from `seed`; afterwards it is where it was before."""
    import torch

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        yield
