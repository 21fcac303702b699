"""What hooks do in a cell, drawn before the cell is computed: engines go through cells in orders of their own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import cast

import torch
from torch import Tensor

from edgewise.nn.drop_path import DropPath
from edgewise.nn.hooks import Change, DrawnHook, Hooks
from edgewise.nn.mixed import PartialChannelEdge
from edgewise.nn.mixture import Mixture
from edgewise.spaces.space import CellSpace


@dataclass(frozen=True)
class DrawnHooks:
    """The changes of one pass of one cell.

    Args:
        outputs: of the output of an operation, by (edge, primitive); what is not there is not changed.
        edges: [edges, B], the factor of each edge's whole output for each sample; None for 1.
        primitives: the names of those that are changed.
    """

    outputs: Mapping[tuple[int, int], Change] = field(default_factory=dict)
    edges: Tensor | None = None
    primitives: frozenset[str] = frozenset()


NO_CHANGES = DrawnHooks()


def draw_changes(
    space: CellSpace,
    edges: Sequence[PartialChannelEdge],
    inputs: Sequence[Tensor],
    mixture: Mixture,
    hooks: Hooks,
) -> DrawnHooks | None:
    """Draws what `mix_nodes` would draw, in its order; None where a hook can't tell beforehand what it will do.

    Args:
        space: the cell's.
        edges: its mixed operations.
        inputs: of the cell, [B, C, H, W] each.
        mixture: says which operations are evaluated.
        hooks: changes of outputs.
    """
    operation, edge = hooks.operation, hooks.edge
    if not isinstance(operation, DrawnHook | None) or not isinstance(edge, DropPath | None):
        return None
    outputs: dict[tuple[int, int], Change] = {}
    if operation is not None:
        batch, channels, *sides = inputs[0].shape
        stride = edges[space.topology.out_of(0)[0]].stride
        shape = (batch, channels // edges[0].k, *(-(-side // stride) for side in sides))
        for e, i in _in_order(space, edges, mixture):
            name = space.primitives[i]
            change = operation.draw(name, edges[e].stride, shape) if name in operation.primitives else None
            if change is not None:
                outputs[e, i] = change
    factors = None
    if edge is not None and edge.probability > 0.0:
        # Drop-path is asked for edge by edge, in the order of the nodes they lead to.
        order = [e for node in space.inner for e in space.topology.into(node)]
        drawn = edge.drawn(len(order), inputs[0]).factors.flatten(1)
        factors = torch.stack([drawn[order.index(e)] for e in range(len(order))])
    changed = frozenset(space.primitives[i] for _, i in outputs)
    return DrawnHooks(outputs, factors, changed)


def _in_order(space: CellSpace, edges: Sequence[PartialChannelEdge], mixture: Mixture) -> list[tuple[int, int]]:
    """(edge, primitive) of what is evaluated and shown to hooks, in the order of `mix_nodes`."""
    active = None if mixture.active is None else cast(list[list[bool]], mixture.active.tolist())
    return [
        (e, int(name))
        for node in space.inner
        for e in space.topology.into(node)
        for name in edges[e].mixed.operations
        if int(name) != edges[e].mixed.none_index and (active is None or active[e][int(name)])
    ]
