"""A network made by hand, of a chosen size: what a search has to be worth more than."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from edgewise.nn.cost import count_params
from edgewise.nn.drop_path import DropPath
from edgewise.nn.stems import Stem, StemName


class ResidualBlock(nn.Module):
    """Two 3x3 convolutions with BN, and a shortcut (1x1 convolution where the shape changes).

    Source: ResNet, Fig. 2.
    """

    def __init__(self, channels_in: int, channels_out: int, *, stride: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(channels_in, channels_out, 3, stride, padding=1, bias=False)
        self.first_norm = nn.BatchNorm2d(channels_out)
        self.second = nn.Conv2d(channels_out, channels_out, 3, padding=1, bias=False)
        self.second_norm = nn.BatchNorm2d(channels_out)
        self.shortcut: nn.Module = nn.Identity()
        if stride != 1 or channels_in != channels_out:
            pool = nn.AvgPool2d(2, 2, ceil_mode=True) if stride == 2 else nn.Identity()
            self.shortcut = nn.Sequential(
                pool, nn.Conv2d(channels_in, channels_out, 1, bias=False), nn.BatchNorm2d(channels_out)
            )
        self.activation = nn.ReLU()

    def forward(self, x: Tensor, drop_path: DropPath | None) -> Tensor:
        """Maps [B, channels_in, H, W] to [B, channels_out, ceil(H / stride), ceil(W / stride)]."""
        out = self.activation(self.first_norm(self.first(x)))
        out = self.second_norm(self.second(out))
        if drop_path is not None:
            out = drop_path(out)
        return self.activation(out + self.shortcut(x))


class ResidualNetwork(nn.Module):
    """Stem, three stages of residual blocks with widths w, 2 w, 4 w, classifier.

    Args:
        width: w.
        blocks: residual blocks in each stage.
        classes: number of classes.
        in_channels: 3 for RGB, 1 for grey.
        stem: see `Stem`.
    """

    def __init__(self, *, width: int, blocks: int, classes: int, in_channels: int, stem: StemName) -> None:
        super().__init__()
        self.width = width
        self.stem = Stem(stem, in_channels=in_channels, channels=width)
        channels = self.stem.channels_out
        self.blocks = nn.ModuleList()
        for stage in range(3):
            for block in range(blocks):
                stride = 2 if stage > 0 and block == 0 else 1
                self.blocks.append(ResidualBlock(channels, width << stage, stride=stride))
                channels = width << stage
        self.activation = nn.ReLU()
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.classifier = nn.Linear(channels, classes)

    def forward(self, x: Tensor) -> Tensor:
        """Maps images [B, in_channels, H, W] to logits [B, classes]."""
        return self.training_forward(x, None)[0]

    def training_forward(self, x: Tensor, drop_path: DropPath | None) -> tuple[Tensor, None]:
        """Maps images to logits; there is no auxiliary head."""
        out = self.activation(self.stem(x)[1])
        for block in self.blocks:
            out = block(out, drop_path)
        return self.classifier(self.pool(out).flatten(1)), None


# A network is "of about the same size" when its number of weights is at most this far off.
SAME_SIZE = 0.05


def residual_network_of_size(
    params: int, *, layers: int, classes: int, in_channels: int, stem: StemName
) -> ResidualNetwork:
    """The residual network whose number of weights comes close to `params`.

    A stage has a third as many blocks as there are layers, and the width is fitted; only where no width comes
    within 5 %, other numbers of blocks are tried, and the closest of all is taken.

    Args:
        params: the number to meet.
        layers: cells of the network it is compared with.
        classes: number of classes.
        in_channels: 3 for RGB, 1 for grey.
        stem: see `Stem`.
    """

    def build(width: int, blocks: int) -> ResidualNetwork:
        return ResidualNetwork(width=width, blocks=blocks, classes=classes, in_channels=in_channels, stem=stem)

    def distance(width: int, blocks: int) -> float:
        with torch.device("meta"):
            return abs(count_params(build(width, blocks)) / params - 1.0)

    wanted = max(1, layers // 3)
    best: tuple[float, int, int] | None = None
    for blocks in sorted(range(1, wanted + 2), key=lambda blocks: abs(blocks - wanted)):
        width = _widest_below(params, lambda width, blocks=blocks: build(width, blocks))
        for candidate in (width, width + 1):
            found = (distance(candidate, blocks), candidate, blocks)
            best = found if best is None or found < best else best
        if best is not None and best[0] <= SAME_SIZE:
            break
    assert best is not None
    return build(best[1], best[2])


def _widest_below(params: int, build: Callable[[int], ResidualNetwork]) -> int:
    """The largest width, at least 2, whose network has at most `params` weights; by bisection."""

    def fits(width: int) -> bool:
        with torch.device("meta"):
            return count_params(build(width)) <= params

    low, high = 2, 4
    while fits(high):
        low, high = high, 2 * high
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if fits(middle) else (low, middle)
    return low
