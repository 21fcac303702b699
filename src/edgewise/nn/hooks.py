"""What a method may do to outputs in the supernet: an argument of its forward pass, no change of modules."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

OperationHook = Callable[[str, int, Tensor], Tensor]
"""Maps a primitive's name, the edge's stride and the operation's output [B, C, H, W] to another output."""

EdgeHook = Callable[[Tensor], Tensor]
"""Maps an edge's output [B, C, H, W] to another."""


@dataclass(frozen=True)
class Hooks:
    """Changes of outputs for one forward pass.

    Args:
        operation: applied to the output of every operation, before it is weighed; None for no change.
        edge: applied to the output of every edge, before the node's sum; None for no change.
        draws: the generators that both draw from, so that a cell can be computed once more; None where they
            are not known.
    """

    operation: OperationHook | None = None
    edge: EdgeHook | None = None
    draws: tuple[torch.Generator, ...] | None = None


NO_HOOKS = Hooks()


def one_after_the_other(first: OperationHook | None, second: OperationHook | None) -> OperationHook | None:
    """The second hook behind the first; None where there is neither."""
    if first is None or second is None:
        return first or second
    return lambda primitive, stride, out: second(primitive, stride, first(primitive, stride, out))
