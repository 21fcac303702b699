"""Networks that people take without a search, at any width and depth."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from torch import nn

from edgewise.errors import ConfigError
from edgewise.nn.inverted_residual import InvertedResidualNetwork
from edgewise.nn.network import NetworkSpec
from edgewise.nn.residual import ResidualNetwork
from edgewise.nn.resnet8 import ResNet8


@dataclass(frozen=True)
class HandMade:
    """A kind of hand-made network.

    Args:
        title: what people call it.
        build: makes it of a width, blocks a stage, and a spec that says classes, channels of images and stem.
        deepens: whether there are several depths of it.
        source: its citation key.
    """

    title: str
    build: Callable[[int, int, NetworkSpec], nn.Module]
    deepens: bool
    source: str

    def depths(self, layers: int) -> tuple[int, ...]:
        """Blocks a stage to choose from, the nearest to a network of so many cells first.

        Args:
            layers: cells of the network that it is compared with.
        """
        wanted = max(1, layers // 3)
        if not self.deepens:
            return (1,)
        return tuple(sorted(range(1, wanted + 2), key=lambda blocks: (abs(blocks - wanted), blocks)))


def _residual(width: int, blocks: int, like: NetworkSpec) -> nn.Module:
    return ResidualNetwork(
        width=width, blocks=blocks, classes=like.classes, in_channels=like.in_channels, stem=like.stem
    )


def _inverted(width: int, blocks: int, like: NetworkSpec) -> nn.Module:
    return InvertedResidualNetwork(
        width=width, blocks=blocks, classes=like.classes, in_channels=like.in_channels, stem=like.stem
    )


def _resnet8(width: int, blocks: int, like: NetworkSpec) -> nn.Module:
    return ResNet8(width=width, classes=like.classes, in_channels=like.in_channels, stem=like.stem)


HAND_MADE: dict[str, HandMade] = {
    "hand": HandMade("residual network", _residual, deepens=True, source="resnet"),
    "inverted": HandMade("inverted-residual network", _inverted, deepens=True, source="mobilenetv2"),
    "resnet8": HandMade("ResNet-8", _resnet8, deepens=False, source="mlperf-tiny"),
}
"""By the names that `compare` and `edgewise fit` know."""
ALIASES = {"residual": "hand", "inverted_residual": "inverted"}


def hand_made(name: str) -> HandMade:
    """A kind of hand-made network by its name.

    Raises:
        ConfigError: there is none of that name.
    """
    found = HAND_MADE.get(ALIASES.get(name, name))
    if found is None:
        raise ConfigError(f"no hand-made network is called {name!r}: choose one of {', '.join(HAND_MADE)}")
    return found
