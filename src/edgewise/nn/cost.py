"""What a network costs: parameters and operations, counted and not estimated."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from edgewise.nn.ghost import ghost_of


@dataclass(frozen=True)
class Cost:
    """The cost of one image's forward pass.

    Args:
        params: number of weights, without an auxiliary head.
        macs: multiply-adds of convolutions and linear layers.
        norm_elements: elements that pass a batch norm.
        relu_elements: elements that pass a ReLU.
    """

    params: int
    macs: int
    norm_elements: int
    relu_elements: int

    @property
    def published_flops(self) -> int:
        """The "FLOPs" of published ImageNet tables: macs + 2 a batch-norm element + 1 a ReLU element."""
        return self.macs + 2 * self.norm_elements + self.relu_elements


def count_params(module: nn.Module) -> int:
    """Number of trainable elements of a module."""
    return sum(p.numel() for p in module.parameters() if p.requires_grad)


def measure_cost(network: nn.Module, *, image_size: int, in_channels: int) -> Cost:
    """Counts a network's cost by running a copy of it once, without its weights.

    Args:
        network: maps [1, in_channels, image_size, image_size] to logits; a child called `auxiliary` is left out.
        image_size: side of the image in pixels.
        in_channels: 3 for RGB, 1 for grey.
    """
    ghost, image = ghost_of(network, image_size=image_size, in_channels=in_channels)
    elements = {nn.BatchNorm2d: 0, nn.ReLU: 0}

    def note(module: nn.Module, inputs: tuple[Any, ...], output: Tensor) -> None:
        elements[type(module)] += output.numel()

    for module in ghost.modules():
        if type(module) in elements:
            module.register_forward_hook(note)
    counter = FlopCounterMode(display=False)
    with torch.no_grad(), counter:
        ghost(image)
    return Cost(
        count_params(ghost),
        counter.get_total_flops() // 2,
        elements[nn.BatchNorm2d],
        elements[nn.ReLU],
    )
