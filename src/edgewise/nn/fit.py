"""The size at which given cells meet limits: exact search over channels and numbers of cells, nothing trained."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import torch
from torch import nn

from edgewise.config.limits import MOST_CHANNELS, MOST_LAYERS
from edgewise.nn.activations import Pass, count_pass
from edgewise.nn.cost import count_params
from edgewise.nn.step_order import best_order

# How near to the best use of the limits the preferred number of cells has to come.
WITHIN = 0.95

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


@dataclass(frozen=True)
class Fitted:
    """A size that meets limits.

    Args:
        channels: C of the first cell, or the width of a hand-made network.
        layers: cells, or blocks a stage.
        used: the share of each limit that it uses.
    """

    channels: int
    layers: int
    used: dict[str, float]

    @property
    def share(self) -> float:
        """The share of the limit that it uses most of."""
        return max(self.used.values())

    @property
    def use(self) -> float:
        """The geometric mean of the shares."""
        return math.prod(self.used.values()) ** (1 / len(self.used))


def measure_figures(network: nn.Module, *, image_size: int, in_channels: int, element_bytes: int) -> Figures:
    """Counts what a network needs, without data and without weights.

    Args:
        network: maps [1, in_channels, image_size, image_size] to logits.
        image_size: side of the image in pixels.
        in_channels: 3 for RGB, 1 for grey.
        element_bytes: of an activation: 4, or 1 for int8.
    """
    counted = count_pass(network, image_size=image_size, in_channels=in_channels)
    peak = counted.graph.peak(best_order(counted.graph))
    return Figures(count_inference_params(network), counted.macs, element_bytes * peak)


@dataclass(frozen=True)
class Fitting:
    """The search for the size of one kind of network.

    Args:
        build: makes it at a size.
        limits: by the names of `Figures` and of `predicted`; at least one.
        image_size: side of the images in pixels.
        in_channels: 3 for RGB, 1 for grey.
        element_bytes: of an activation: 4, or 1 for int8.
        least: the narrowest network that can be built.
        predicted: figures that only a measurement knows, by name: what is expected of a network before it.
    """

    build: Build
    limits: Mapping[str, float]
    image_size: int
    in_channels: int
    element_bytes: int = 4
    least: int = 2
    predicted: Mapping[str, Callable[[nn.Module], float]] = field(default_factory=dict)
    _built: dict[tuple[int, int], nn.Module] = field(default_factory=dict, init=False, repr=False, compare=False)
    _passes: dict[tuple[int, int], Pass] = field(default_factory=dict, init=False, repr=False, compare=False)
    _counted: dict[tuple[str, int, int], float] = field(
        default_factory=dict, init=False, repr=False, compare=False
    )

    def network(self, channels: int, layers: int) -> nn.Module:
        """The network of a size, without data."""
        if (channels, layers) not in self._built:
            with torch.device("meta"):
                self._built[channels, layers] = self.build(channels, layers)
        return self._built[channels, layers]

    def figures(self, channels: int, layers: int) -> Figures:
        """What the network of a size needs."""
        return Figures(*(int(self._value(name, channels, layers)) for name in ("params", "macs", "ram")))

    def at(self, channels: int, layers: int) -> Fitted:
        """A size, whether it meets the limits or not."""
        used = {name: self._value(name, channels, layers) / limit for name, limit in self.limits.items()}
        return Fitted(channels, layers, used)

    def share(self, channels: int, layers: int, *, exact: bool = False) -> float:
        """The largest share of a limit, the quickly counted ones first: one that is broken decides.

        Args:
            channels: of the network.
            layers: its cells.
            exact: whether what is only predicted is left out.
        """
        share = 0.0
        for name in ("params", *(() if exact else self.predicted), "macs", "ram"):
            if name in self.limits and share <= 1:
                share = max(share, self._value(name, channels, layers) / self.limits[name])
        return share

    def widest(self, layers: int, *, start: int = 16) -> Fitted | None:
        """The widest network of so many cells that meets every limit; None if the narrowest does not.

        Args:
            layers: how many cells.
            start: where the search begins; it changes the result in nothing.
        """
        width = largest_width(
            lambda channels: self.share(channels, layers), start=max(start, self.least), least=self.least
        )
        return None if width is None else self.at(width, layers)

    def best(self, layers: Sequence[int], *, start: int = 16) -> Fitted | None:
        """Of the widest networks of these numbers of cells, the one that uses most of the limits.

        What counts is the geometric mean of the shares; among those within 5 % of the best, the first in `layers`,
        so that a network does not get an odd shape for the last per cent. None if not even the narrowest fits.

        Args:
            layers: numbers of cells to choose from, the preferred one first.
            start: see `widest`.
        """
        found: list[Fitted] = []
        hopeless = MOST_LAYERS + 1  # what is deeper than a network that can't be narrow enough can't either
        for count in layers:
            fitted = self.widest(count, start=start) if count < hopeless else None
            if fitted is None:
                hopeless = min(hopeless, count)
            else:
                found.append(fitted)
                start = fitted.channels
        most = max((fitted.use for fitted in found), default=0.0)
        best = next((fitted for fitted in found if fitted.use >= WITHIN * most), None)
        by_depth = {fitted.layers: fitted for fitted in found}
        while best is not None and (deeper := by_depth.get(best.layers + 1)) is not None:
            if deeper.channels < best.channels or deeper.use <= best.use:
                break
            best = deeper  # as wide and deeper is larger, whatever depth is preferred
        return best

    def _value(self, name: str, channels: int, layers: int) -> float:
        network = self.network(channels, layers)
        if name in self.predicted:  # what is expected changes with what has been measured
            return self.predicted[name](network)
        if (name, channels, layers) not in self._counted:
            self._counted[name, channels, layers] = self._count(name, channels, layers)
        return self._counted[name, channels, layers]

    def _count(self, name: str, channels: int, layers: int) -> float:
        if name == "params":
            return count_inference_params(self.network(channels, layers))
        counted = self._pass(channels, layers)
        if name == "macs":
            return counted.macs
        return self.element_bytes * counted.graph.peak(best_order(counted.graph))

    def _pass(self, channels: int, layers: int) -> Pass:
        if (channels, layers) not in self._passes:
            network = self.network(channels, layers)
            self._passes[channels, layers] = count_pass(
                network, image_size=self.image_size, in_channels=self.in_channels
            )
        return self._passes[channels, layers]


def count_inference_params(network: nn.Module) -> int:
    """Trainable weights without those of an auxiliary head."""
    head = getattr(network, "auxiliary", None)
    return count_params(network) - (0 if head is None else count_params(head))


def largest_width(share: Callable[[int], float], *, start: int, least: int) -> int | None:
    """The largest width whose share of a limit is at most 1; None where that of the least is above 1.

    Args:
        share: of a width; rises, about with its square.
        start: a first guess; it changes the result in nothing.
        least: the least width.
    """
    low, high, number, tries = least - 1, MOST_CHANNELS + 1, start, 0
    while high - low > 1:
        value = share(number)
        low, high = (number, high) if value <= 1 else (low, number)
        tries += 1
        guess = int(number * value**-0.5) if tries < 6 else (low + high) // 2 if high <= MOST_CHANNELS else 2 * low
        number = min(max(guess, low + 1), high - 1)
    return None if low < least else low
