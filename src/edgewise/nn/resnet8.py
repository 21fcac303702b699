"""ResNet-8, the reference network of MLPerf Tiny for images of CIFAR-10's size."""

from __future__ import annotations

from torch import Tensor, nn

from edgewise.nn.drop_path import DropPath
from edgewise.nn.stems import StemName

# How often each stem halves the image.
HALVINGS: dict[StemName, int] = {"cifar": 0, "half": 1, "imagenet": 3}


def entry(stem: StemName, in_channels: int, width: int, activation: type[nn.Module]) -> nn.Sequential:
    """3x3 convolutions with BN and activation until the image is as small as behind the stem of that name.

    Args:
        stem: see `Stem`; "cifar" is one convolution with stride 1.
        in_channels: 3 for RGB, 1 for grey.
        width: channels.
        activation: of each.
    """
    layers: list[nn.Module] = []
    for index in range(max(1, HALVINGS[stem])):
        stride = 2 if HALVINGS[stem] else 1
        layers += [nn.Conv2d(width if index else in_channels, width, 3, stride, padding=1)]
        layers += [nn.BatchNorm2d(width), activation()]
    return nn.Sequential(*layers)


class _Block(nn.Module):
    """Two 3x3 convolutions with BN; the shortcut is a 1x1 convolution without BN where the shape changes."""

    def __init__(self, channels_in: int, channels_out: int, *, stride: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(channels_in, channels_out, 3, stride, padding=1),
            nn.BatchNorm2d(channels_out),
            nn.ReLU(),
            nn.Conv2d(channels_out, channels_out, 3, padding=1),
            nn.BatchNorm2d(channels_out),
        )
        changes = stride != 1 or channels_in != channels_out
        self.shortcut = nn.Conv2d(channels_in, channels_out, 1, stride) if changes else nn.Identity()
        self.activation = nn.ReLU()

    def forward(self, x: Tensor, drop_path: DropPath | None) -> Tensor:
        out = self.body(x)
        if drop_path is not None:
            out = drop_path(out)
        return self.activation(self.shortcut(x) + out)


class ResNet8(nn.Module):
    """A convolution, three residual blocks of widths w, 2 w, 4 w, average pool, linear layer; biases everywhere.

    With w = 16 and ten classes it has 78,186 trainable parameters; the 78,666 that are usually stated count the
    480 running statistics of batch norms as well. Padding is the same on all sides, which TensorFlow's "same" is
    not where the stride is 2.

    Args:
        width: w.
        classes: number of classes.
        in_channels: 3 for RGB, 1 for grey.
        stem: how often the image is halved first; "cifar" is the published network.

    Source: MLPerf Tiny (Banbury et al. 2021), image classification, `resnet_v1_eembc` of the reference code.
    """

    def __init__(self, *, width: int, classes: int, in_channels: int, stem: StemName) -> None:
        super().__init__()
        self.width = width
        self.stem = entry(stem, in_channels, width, nn.ReLU)
        self.blocks = nn.ModuleList(
            [
                _Block(width, width, stride=1),
                _Block(width, 2 * width, stride=2),
                _Block(2 * width, 4 * width, stride=2),
            ]
        )
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.classifier = nn.Linear(4 * width, classes)

    def forward(self, x: Tensor) -> Tensor:
        """Maps images [B, in_channels, H, W] to logits [B, classes]."""
        return self.training_forward(x, None)[0]

    def training_forward(self, x: Tensor, drop_path: DropPath | None) -> tuple[Tensor, None]:
        """Maps images to logits; there is no auxiliary head."""
        out = self.stem(x)
        for block in self.blocks:
            out = block(out, drop_path)
        return self.classifier(self.pool(out).flatten(1)), None
