"""Named random streams: every consumer of chance has its own, so switching one off never shifts another."""

from __future__ import annotations

import hashlib
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

            self._generators[name] = torch.Generator(device).manual_seed(self.integer(name))
        return self._generators[name]

    def state_dict(self) -> dict[str, torch.Tensor]:
        """The position of every stream used so far, as byte tensors."""
        return {name: generator.get_state() for name, generator in self._generators.items()}

    def load_state_dict(self, state: dict[str, torch.Tensor]) -> None:
        """Puts every recorded stream back to its position; whoever holds a generator sees it move."""
        for name, position in state.items():
            self.generator(name).set_state(position)
