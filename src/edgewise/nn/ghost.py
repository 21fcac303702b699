"""Copies of networks on which operations are counted, not computed for their values."""

from __future__ import annotations

import copy

import torch
from torch import Tensor, nn

# Below these, a pass of zeros on the CPU takes less time than PyTorch's bookkeeping for tensors without data.
_WEIGHTS, _WORK = 2_000_000, 2_000_000_000


def ghost_of(network: nn.Module, *, image_size: int, in_channels: int) -> tuple[nn.Module, Tensor]:
    """A copy of a network for inference without its auxiliary head, and an image for it.

    A small network's copy has zeros for weights on the CPU; a large one's has no data at all.

    Args:
        network: left as it is; a child called `auxiliary` is left out.
        image_size: side of the image in pixels.
        in_channels: 3 for RGB, 1 for grey.
    """
    ghost = copy.deepcopy(network).to("meta").eval()
    if getattr(ghost, "auxiliary", None) is not None:
        ghost.register_module("auxiliary", None)
    weights = sum(weight.numel() for weight in ghost.parameters())
    small = weights <= _WEIGHTS and weights * image_size * image_size <= _WORK
    if small:
        ghost.to_empty(device="cpu")
        with torch.no_grad():
            for tensor in (*ghost.parameters(), *ghost.buffers()):
                tensor.zero_()
    kind = next((weight.dtype for weight in ghost.parameters()), torch.float32)
    device = "cpu" if small else "meta"
    return ghost, torch.zeros(1, in_channels, image_size, image_size, dtype=kind, device=device)
