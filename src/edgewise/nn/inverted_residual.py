"""A network of inverted residual blocks: what people take for small devices today."""

from __future__ import annotations

from torch import Tensor, nn

from edgewise.nn.drop_path import DropPath
from edgewise.nn.resnet8 import entry
from edgewise.nn.stems import StemName

EXPANSION = 6
# The last convolution of MobileNetV2 has four times the channels of the last block: 1,280 and 320.
LAST = 4


class InvertedResidual(nn.Module):
    """1x1 convolution to `expansion` times the channels, depthwise 3x3, 1x1 convolution without activation.

    The input is added where the shape stays.

    Source: MobileNetV2 (Sandler et al. 2018), table 1 and figure 4.
    """

    def __init__(self, channels_in: int, channels_out: int, *, stride: int, expansion: int = EXPANSION) -> None:
        super().__init__()
        wide = expansion * channels_in
        self.body = nn.Sequential(
            nn.Conv2d(channels_in, wide, 1, bias=False),
            nn.BatchNorm2d(wide),
            nn.ReLU6(),
            nn.Conv2d(wide, wide, 3, stride, padding=1, groups=wide, bias=False),
            nn.BatchNorm2d(wide),
            nn.ReLU6(),
            nn.Conv2d(wide, channels_out, 1, bias=False),
            nn.BatchNorm2d(channels_out),
        )
        self.adds = stride == 1 and channels_in == channels_out

    def forward(self, x: Tensor, drop_path: DropPath | None) -> Tensor:
        """Maps [B, channels_in, H, W] to [B, channels_out, ceil(H / stride), ceil(W / stride)]."""
        out = self.body(x)
        if not self.adds:
            return out
        return x + (out if drop_path is None else drop_path(out))


class InvertedResidualNetwork(nn.Module):
    """Convolution, three stages of inverted residual blocks of widths w, 2 w, 4 w, 1x1 convolution, classifier.

    Args:
        width: w.
        blocks: blocks in each stage.
        classes: number of classes.
        in_channels: 3 for RGB, 1 for grey.
        stem: how often the image is halved first, see `entry`.

    Source: the blocks and the last convolution are MobileNetV2's; three stages at CIFAR's sizes are ours.
    """

    def __init__(self, *, width: int, blocks: int, classes: int, in_channels: int, stem: StemName) -> None:
        super().__init__()
        self.width = width
        self.stem = entry(stem, in_channels, width, nn.ReLU6)
        channels = width
        self.blocks = nn.ModuleList()
        for stage in range(3):
            for block in range(blocks):
                stride = 2 if stage > 0 and block == 0 else 1
                self.blocks.append(InvertedResidual(channels, width << stage, stride=stride))
                channels = width << stage
        last = LAST * channels
        self.last = nn.Sequential(nn.Conv2d(channels, last, 1, bias=False), nn.BatchNorm2d(last), nn.ReLU6())
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.classifier = nn.Linear(last, classes)

    def forward(self, x: Tensor) -> Tensor:
        """Maps images [B, in_channels, H, W] to logits [B, classes]."""
        return self.training_forward(x, None)[0]

    def training_forward(self, x: Tensor, drop_path: DropPath | None) -> tuple[Tensor, None]:
        """Maps images to logits; there is no auxiliary head."""
        out = self.stem(x)
        for block in self.blocks:
            out = block(out, drop_path)
        return self.classifier(self.pool(self.last(out)).flatten(1)), None
