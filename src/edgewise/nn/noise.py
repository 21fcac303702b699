"""The primitive `noise` of RobustDARTS' space S4."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from edgewise.runtime.distributed import ALONE, Processes


class Noise(nn.Module):
    """Replaces its input by standard normal noise: an operation that can only do harm.

    In evaluation mode it gives the noise's mean, zeros, so that a network has one accuracy and one exported form;
    the authors' code draws noise there too. The noise has a stream of its own: a seed drawn when the module is
    made, and a count of calls, both in the state dict.

    Args:
        stride: 1 or 2.

    Source: RobustDARTS §4.1 (S4), operations.py of the authors' code.
    """

    def __init__(self, stride: int) -> None:
        super().__init__()
        self.stride = stride
        # A module without data (on the meta device) draws nothing: its state is loaded into it.
        self.seed = 0 if torch.empty(()).is_meta else int(torch.randint(2**31, ()))
        self.calls = 0
        self.processes: Processes = ALONE

    def forward(self, x: Tensor) -> Tensor:
        """Noise of the shape that the other operations give."""
        zeros = x[:, :, :: self.stride, :: self.stride].mul(0.0)
        if not self.training:
            return zeros
        generator = torch.Generator(x.device).manual_seed(self.seed + self.calls)
        self.calls += 1
        return self.processes.drawn(
            lambda shape: torch.randn(shape, generator=generator, device=x.device, dtype=x.dtype), zeros.shape
        )

    def get_extra_state(self) -> Tensor:
        """Seed and number of calls."""
        return torch.tensor([self.seed, self.calls])

    def set_extra_state(self, state: Tensor) -> None:
        """Restores `get_extra_state`."""
        self.seed, self.calls = (int(value) for value in state)
