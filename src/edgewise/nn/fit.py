"""The size at which given cells meet limits: exact search over channels and numbers of cells, nothing trained."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache

import torch
from torch import nn

from edgewise.core.limits import MOST_CHANNELS
from edgewise.nn.activations import trace
from edgewise.nn.cost import measure_cost
from edgewise.nn.step_order import best_order

Build = Callable[[int, int], nn.Module]
"""Makes the network of so many channels and cells."""


@dataclass(frozen=True)
class Figures:
    """What a network needs for one image; all of it exact functions of the network.

    Args:
        params: weights, without an auxiliary head.
        macs: multiply-adds of convolutions and linear layers.
        ram: bytes of activations that are alive at once, at most, in the best order that was found.
    """

    params: int
    macs: int
    ram: int

    def used(self, limits: Mapping[str, float]) -> dict[str, float]:
        """The share of each limit that is used.

        Args:
            limits: by the names of the figures.
        """
        return {name: getattr(self, name) / limit for name, limit in limits.items()}


@dataclass(frozen=True)
class Fitted:
    """A size that meets limits.

    Args:
        channels: C of the first cell, or the width of a hand-made network.
        layers: cells, or blocks a stage.
        figures: of the network of that size.
        used: the share of each limit that it uses.
    """

    channels: int
    layers: int
    figures: Figures
    used: dict[str, float]

    @property
    def share(self) -> float:
        """The share of the limit that it uses most of."""
        return max(self.used.values())


def measure_figures(network: nn.Module, *, image_size: int, in_channels: int, element_bytes: int) -> Figures:
    """Counts what a network needs, without data and without weights.

    Args:
        network: maps [1, in_channels, image_size, image_size] to logits.
        image_size: side of the image in pixels.
        in_channels: 3 for RGB, 1 for grey.
        element_bytes: of an activation: 4, or 1 for int8.
    """
    cost = measure_cost(network, image_size=image_size, in_channels=in_channels)
    graph = trace(network, image_size=image_size, in_channels=in_channels)
    return Figures(cost.params, cost.macs, element_bytes * graph.peak(best_order(graph)))


@dataclass(frozen=True)
class Fitting:
    """The search for the size of one kind of network.

    Args:
        build: makes it at a size.
        limits: by the names of `Figures`; at least one.
        image_size: side of the images in pixels.
        in_channels: 3 for RGB, 1 for grey.
        element_bytes: of an activation: 4, or 1 for int8.
        least: the narrowest network that can be built.
    """

    build: Build
    limits: Mapping[str, float]
    image_size: int
    in_channels: int
    element_bytes: int = 4
    least: int = 2

    def figures(self, channels: int, layers: int) -> Figures:
        """What the network of a size needs."""
        with torch.device("meta"):
            network = self.build(channels, layers)
        return measure_figures(
            network, image_size=self.image_size, in_channels=self.in_channels, element_bytes=self.element_bytes
        )

    def at(self, channels: int, layers: int) -> Fitted:
        """A size, whether it meets the limits or not."""
        figures = self.figures(channels, layers)
        return Fitted(channels, layers, figures, figures.used(self.limits))

    def widest(self, layers: int, *, start: int = 16) -> Fitted | None:
        """The widest network of so many cells that meets every limit; None if the narrowest does not.

        Args:
            layers: how many cells.
            start: where the search begins; it changes the result in nothing.
        """
        at = cache(lambda channels: self.at(channels, layers))
        width = _largest(lambda channels: at(channels).share, start=max(start, self.least), least=self.least)
        return None if width is None else at(width)

    def best(self, layers: Sequence[int], *, start: int = 16) -> Fitted | None:
        """Of the widest networks of these numbers of cells, the one that uses most of the limit it meets first.

        None if not even the narrowest and shallowest fits.

        Args:
            layers: numbers of cells to choose from; the first counts where shares are equal, as they are where
                activations are the limit, which know nothing of depth.
            start: see `widest`.
        """
        found = [fitted for count in layers if (fitted := self.widest(count, start=start)) is not None]
        return max(found, key=lambda fitted: fitted.share, default=None)


def _largest(share: Callable[[int], float], *, start: int, least: int) -> int | None:
    """The largest number whose share is at most 1, for shares that rise about with its square."""
    low, high, number, tries = least - 1, MOST_CHANNELS + 1, start, 0
    while high - low > 1:
        value = share(number)
        low, high = (number, high) if value <= 1 else (low, number)
        tries += 1
        guess = int(number * value**-0.5) if tries < 6 else (low + high) // 2 if high <= MOST_CHANNELS else 2 * low
        number = min(max(guess, low + 1), high - 1)
    return None if low < least else low
