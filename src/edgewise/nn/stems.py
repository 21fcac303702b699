"""Stems: from an image to the two inputs of the first cell."""

from __future__ import annotations

from typing import Literal

from torch import Tensor, nn

StemName = Literal["cifar", "half", "imagenet"]
STEM_MULTIPLIER = 3


def choose_stem(image_size: int) -> StemName:
    """The stem that brings an image to a size at which cells are affordable.

    Up to 48 pixels `cifar` (no subsampling), below 128 `half` (halved once), from 128 on `imagenet` (halved three
    times, as DARTS does at 224).
    """
    if image_size <= 48:
        return "cifar"
    return "half" if image_size < 128 else "imagenet"


class Stem(nn.Module):
    """The layers before the first cell.

    Args:
        name: `cifar`: 3x3 convolution to `multiplier` C channels and BN. `half`: the same with stride 2.
            `imagenet`: three stride-2 convolutions; the first cell hears the results of the second and of the
            third.
        in_channels: 3 for RGB, 1 for grey.
        channels: C, the channels of the first cell.
        multiplier: see `name`.

    Source: DARTS, model.py of the authors' code (`half` is ours).
    """

    def __init__(
        self, name: StemName, *, in_channels: int, channels: int, multiplier: int = STEM_MULTIPLIER
    ) -> None:
        super().__init__()
        self.name = name
        if name == "imagenet":
            self.first = nn.Sequential(
                nn.Conv2d(in_channels, channels // 2, 3, stride=2, padding=1, bias=False),
                nn.BatchNorm2d(channels // 2),
                nn.ReLU(),
                nn.Conv2d(channels // 2, channels, 3, stride=2, padding=1, bias=False),
                nn.BatchNorm2d(channels),
            )
            self.second: nn.Module = nn.Sequential(
                nn.ReLU(),
                nn.Conv2d(channels, channels, 3, stride=2, padding=1, bias=False),
                nn.BatchNorm2d(channels),
            )
            self.channels_out = channels
        else:
            self.channels_out = multiplier * channels
            stride = 2 if name == "half" else 1
            self.first = nn.Sequential(
                nn.Conv2d(in_channels, self.channels_out, 3, stride=stride, padding=1, bias=False),
                nn.BatchNorm2d(self.channels_out),
            )
            self.second = nn.Identity()

    @property
    def shrinks_between(self) -> bool:
        """Whether the second output is half as large as the first."""
        return self.name == "imagenet"

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Maps [B, in_channels, H, W] to the first cell's two inputs, [B, channels_out, h, w] each."""
        first = self.first(x)
        return first, self.second(first)
