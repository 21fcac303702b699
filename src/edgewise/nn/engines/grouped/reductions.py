"""The factorised reductions that leave a node."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from edgewise.nn.factorized import FactorizedReduction


def run_reductions(share: Tensor, modules: Sequence[FactorizedReduction]) -> Tensor:
    """[B, len(modules) * C, ceil(H / 2), ceil(W / 2)]: what each makes of [B, C, H, W], before its batch norm.

    Args:
        share: what goes into each of them.
        modules: at least one.
    """
    height, width = share.shape[2:]
    x = F.relu(share)
    if height % 2 or width % 2:
        x = F.pad(x, (0, width % 2, 0, height % 2))
    halves = []
    for i in range(2):
        weight = torch.cat([_weight(module, i) for module in modules]).flatten(1)
        grid = x[:, :, i::2, i::2]
        product = torch.bmm(weight.expand(x.shape[0], -1, -1), grid.flatten(2))
        halves.append(product.unflatten(2, grid.shape[2:]).unflatten(1, (len(modules), -1)))
    return torch.cat(halves, dim=2).flatten(1, 2)


def _weight(module: FactorizedReduction, half: int) -> Tensor:
    weight = module.halves[half].weight
    assert isinstance(weight, Tensor)
    return weight
