"""What a method may do to outputs in the supernet: an argument of its forward pass, no change of modules."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

OperationHook = Callable[[str, int, Tensor], Tensor]
"""Maps a primitive's name, the edge's stride and the operation's output [B, C, H, W] to another output."""

EdgeHook = Callable[[Tensor], Tensor]
"""Maps an edge's output [B, C, H, W] to another."""

Change = Callable[[Tensor], Tensor]
"""Maps one operation's output [B, C, H, W] to another, with everything drawn beforehand."""


@dataclass(frozen=True)
class DrawnHook:
    """An operation hook that can draw for an output before the output is there, so that any engine can carry it.

    Args:
        primitives: those whose outputs it may change.
        draw: from a primitive's name, the edge's stride and the output's shape to the change; None for no change.
    """

    primitives: frozenset[str]
    draw: Callable[[str, int, Sequence[int]], Change | None]

    def __call__(self, primitive: str, stride: int, out: Tensor) -> Tensor:
        """See `OperationHook`."""
        change = self.draw(primitive, stride, out.shape) if primitive in self.primitives else None
        return out if change is None else change(out)


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

    @staticmethod
    def together(parts: Sequence[Hooks]) -> Hooks:
        """The changes of all of them, one after the other, and all their generators."""
        operation, edge = None, None
        draws: list[torch.Generator] | None = []
        for part in parts:
            operation = _chained(operation, part.operation)
            edge = _edges_chained(edge, part.edge) if edge and part.edge else edge or part.edge
            draws = None if draws is None or part.draws is None else [*draws, *part.draws]
        if operation is None and edge is None:
            return NO_HOOKS
        return Hooks(operation, edge, None if draws is None else tuple(draws))


NO_HOOKS = Hooks()


def _chained(first: OperationHook | None, second: OperationHook | None) -> OperationHook | None:
    """The second hook behind the first; None where there is neither."""
    if first is None or second is None:
        return first or second
    if isinstance(first, DrawnHook) and isinstance(second, DrawnHook):
        return DrawnHook(
            first.primitives | second.primitives,
            lambda *place: _both([h.draw(*place) for h in (first, second) if place[0] in h.primitives]),
        )
    return lambda primitive, stride, out: second(primitive, stride, first(primitive, stride, out))


def _edges_chained(first: EdgeHook, second: EdgeHook) -> EdgeHook:
    return lambda out: second(first(out))


def _both(changes: Sequence[Change | None]) -> Change | None:
    there = [change for change in changes if change is not None]
    if len(there) == 2:
        return lambda out: there[1](there[0](out))
    return there[0] if there else None
