"""Channel means and standard deviations, measured on training images."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from edgewise.runtime.transfer import to_device

_CHUNK = 4096


@dataclass(frozen=True)
class Normalisation:
    """Brings each channel to mean 0 and standard deviation 1.

    Args:
        mean: per channel, where black is 0 and white is 1.
        std: per channel, in the same unit.
    """

    mean: tuple[float, ...]
    std: tuple[float, ...]

    @classmethod
    def measure(cls, pixels: Tensor) -> Normalisation:
        """The mean and (population) standard deviation of uint8 pixels [N, C, H, W]; see `of_counts`."""
        # Counting is exact whatever the number of pixels and threads; a running sum is not.
        counts = torch.zeros(pixels.shape[1], 256, dtype=torch.int64)
        for chunk in pixels.split(_CHUNK):
            for channel in range(pixels.shape[1]):
                counts[channel] += torch.bincount(chunk[:, channel].flatten(), minlength=256)
        return cls.of_counts(counts)

    @classmethod
    def of_counts(cls, counts: Tensor) -> Normalisation:
        """From how often each of the 256 values occurs, int64 [C, 256].

        A channel that is the same everywhere gets the standard deviation 1, so that it becomes 0 and not NaN.
        """
        values = torch.arange(256, dtype=torch.float64) / 255
        means, stds = [], []
        for own in counts:
            share = own.double() / max(int(own.sum()), 1)
            mean = float((share * values).sum())
            std = float((share * (values - mean) ** 2).sum().sqrt())
            means.append(mean)
            stds.append(std if int((own > 0).sum()) > 1 else 1.0)
        return cls(tuple(means), tuple(stds))

    def apply(self, pixels: Tensor) -> Tensor:
        """Normalised float32 images.

        Args:
            pixels: [B, C, H, W], uint8 (0 to 255) or floating point (0 to 1).
        """
        x = pixels.float().div_(255) if pixels.dtype == torch.uint8 else pixels.float()
        both = to_device(torch.tensor([self.mean, self.std], dtype=torch.float32), x.device)
        mean, std = both[:, :, None, None].unbind()
        # A copy by now: a difference of its own, divided in place.
        return (x - mean).div_(std)
