"""Mixed operations: an edge of the supernet carries a weighted sum of all its operations."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from edgewise.errors import ConfigError
from edgewise.nn.hooks import OperationHook
from edgewise.spaces.space import CellSpace


class MixedOperation(nn.Module):
    """sum_o weights[o] * operation_o(x).

    `none` adds zero to the sum and zero to every gradient, so it is evaluated only when nothing else is.

    Args:
        operations: one module a primitive, in the order of the weights.
        none_index: the place of `none` among them, or None.
        primitives: their names, for `hook`.
        stride: the edge's stride, for `hook`.

    Operations that are None do not exist: an edge that has dropped a primitive keeps the places of the others.
    """

    def __init__(
        self,
        operations: Sequence[nn.Module | None],
        *,
        none_index: int | None,
        primitives: Sequence[str] = (),
        stride: int = 1,
    ) -> None:
        super().__init__()
        self.operations = nn.ModuleDict({str(i): op for i, op in enumerate(operations) if op is not None})
        self.none_index = none_index
        self.primitives = tuple(primitives)
        self.stride = stride

    def forward(
        self,
        x: Tensor,
        weights: Tensor,
        active: Sequence[bool] | None = None,
        hook: OperationHook | None = None,
    ) -> Tensor:
        """Mixes the operations.

        Args:
            x: [B, C, H, W].
            weights: [primitives].
            active: per primitive, whether to evaluate it; None evaluates all.
            hook: changes the output of each operation; None leaves them as they are.
        """
        total: Tensor | None = None
        for name, module in self.operations.items():
            i = int(name)
            if i == self.none_index or not (active is None or active[i]):
                continue
            out = module(x)
            if hook is not None:
                out = hook(self.primitives[i], self.stride, out)
            total = weights[i] * out if total is None else total + weights[i] * out
        if total is None:
            fallback = next(iter(self.operations)) if self.none_index is None else str(self.none_index)
            return weights[int(fallback)] * self.operations[fallback](x)
        return total


class PartialChannelEdge(nn.Module):
    """Sends the first C / K channels through a mixed operation and lets the others pass.

    On a stride-2 edge the others go through a 2x2 max-pool. Both parts are concatenated and the channels shuffled
    with K groups, so that the next edge mixes other channels.

    Args:
        mixed: the mixed operation, built for C / K channels.
        k: K, the share of channels is 1 / K.
        stride: the edge's stride.

    Source: PC-DARTS, model_search.py of the authors' code.
    """

    def __init__(self, mixed: MixedOperation, *, k: int, stride: int) -> None:
        super().__init__()
        self.mixed = mixed
        self.k = k
        self.stride = stride

    def forward(
        self,
        x: Tensor,
        weights: Tensor,
        active: Sequence[bool] | None = None,
        hook: OperationHook | None = None,
    ) -> Tensor:
        """Maps [B, C, H, W] to [B, C, ceil(H / stride), ceil(W / stride)]; see `MixedOperation.forward`."""
        if self.k == 1:
            return self.mixed(x, weights, active, hook)
        share = x.shape[1] // self.k
        rest = x[:, share:]
        if self.stride == 2:
            rest = F.max_pool2d(rest, 2, 2, ceil_mode=True)
        mixed = self.mixed(x[:, :share], weights, active, hook)
        return channel_shuffle(torch.cat([mixed, rest], dim=1), self.k)


def join_nodes(states: Sequence[Tensor], space: CellSpace) -> Tensor:
    """The output of a cell, [B, C * nodes, h, w], from the values of its nodes, [B, C, h, w] each.

    Args:
        states: of all nodes, the inputs first.
        space: says which nodes are joined.
    """
    if len(space.concat) == 1:
        return states[space.concat[0]]
    return torch.cat([states[node] for node in space.concat], dim=1)


def channel_shuffle(x: Tensor, groups: int) -> Tensor:
    """Interleaves `groups` blocks of channels: 16 channels in 4 groups become 0, 4, 8, 12, 1, 5, ...

    Raises:
        ConfigError: the channels don't divide into that many groups.
    """
    batch, channels, height, width = x.shape
    if channels % groups:
        raise ConfigError(f"{channels} channels don't divide into {groups} groups: choose a divisor for K")
    blocks = x.view(batch, groups, channels // groups, height, width)
    return blocks.transpose(1, 2).reshape(batch, channels, height, width)
