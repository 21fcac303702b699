"""The auxiliary head: a second classifier after the second reduction, for training only."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn


class AuxiliaryHead(nn.Module):
    """Pools to 2x2, then 1x1 convolution to 128, 2x2 convolution to 768, linear.

    Sides of 6 to 10 pixels are average-pooled with kernel 5 and stride side - 5, which is the authors' stride 3
    at 8 pixels (CIFAR) and 2 at 7 (ImageNet); other sizes go through an adaptive pool, so that every image size
    has the same head.

    Args:
        channels: channels of the feature map.
        classes: number of classes.
        last_norm: whether a BN follows the second convolution (the ImageNet network of DARTS has none there).

    Source: GoogLeNet; sizes from DARTS, model.py of the authors' code.
    """

    def __init__(self, channels: int, classes: int, *, last_norm: bool) -> None:
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(channels, 128, 1, bias=False),
            nn.BatchNorm2d(128),
            nn.ReLU(),
            nn.Conv2d(128, 768, 2, bias=False),
            nn.BatchNorm2d(768) if last_norm else nn.Identity(),
            nn.ReLU(),
        )
        self.classifier = nn.Linear(768, classes)

    def forward(self, x: Tensor) -> Tensor:
        """Maps [B, channels, H, W] to logits [B, classes]."""
        x = F.relu(x)
        side = x.shape[2]
        if side == x.shape[3] and 6 <= side <= 10:
            x = F.avg_pool2d(x, 5, stride=side - 5, count_include_pad=False)
        else:
            x = F.adaptive_avg_pool2d(x, 2)
        return self.classifier(self.features(x).flatten(1))
