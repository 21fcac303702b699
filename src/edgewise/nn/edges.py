"""The inside of a cell, whatever stands around it: operations on edges, sums at nodes."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, cast

import torch
from torch import Tensor, nn

from edgewise.nn.activation_checkpointing import Memory, checkpointed
from edgewise.nn.drawn_hooks import draw_changes
from edgewise.nn.drop_path import DropPath
from edgewise.nn.engines.engine import Engine, EngineName
from edgewise.nn.engines.grouped import GroupedEngine
from edgewise.nn.engines.native import NativeEngine
from edgewise.nn.hooks import NO_HOOKS, Hooks
from edgewise.nn.mixed import MixedOperation, PartialChannelEdge, join_nodes
from edgewise.nn.mixture import Mixture
from edgewise.spaces.cells import Cell
from edgewise.spaces.space import CellSpace

Kept = Sequence[Sequence[bool]]
MakeOperation = Callable[[str, int, int], nn.Module]
"""Makes the supernet's module of a primitive for so many channels and a stride."""


class MixedEdges(nn.ModuleList):
    """A mixed operation behind partial channels for each edge of a cell, and the engines that may compute them.

    Args:
        space: what the edges may carry.
        cell_type: which cell it is.
        channels: C of the cell.
        k: one channel in K goes through the mixed operations.
        kept: [edges][primitives], which operations exist; None for all that the space allows.
        make: makes an operation.
        strides: of each edge.
        memory: see `Memory`.
    """

    def __init__(
        self,
        space: CellSpace,
        cell_type: str,
        *,
        channels: int,
        k: int,
        kept: Kept | None,
        make: MakeOperation,
        strides: Sequence[int],
        memory: Memory = "normal",
    ) -> None:
        super().__init__()
        self.space = space
        self.memory: Memory = memory
        none_index = space.primitives.index("none") if "none" in space.primitives else None
        for e, stride in enumerate(strides):
            allowed = space.on_edge(cell_type, e)
            modules = [
                make(p, channels // k, stride) if p in allowed and (kept is None or kept[e][i]) else None
                for i, p in enumerate(space.primitives)
            ]
            has_none = none_index is not None and modules[none_index] is not None
            mixed = MixedOperation(
                modules,
                none_index=none_index if has_none else None,
                primitives=space.primitives,
                stride=stride,
            )
            self.append(PartialChannelEdge(mixed, k=k, stride=stride))
        self._grouped, self._native = GroupedEngine(space, self), NativeEngine(space, self)
        self.use_engine("plain")

    def use_engine(self, name: EngineName) -> None:
        """Says how passes are computed from now on; weights and batch norms stay as they are."""
        self.engine: EngineName = name
        self.engines: tuple[Engine, ...] = {
            "plain": (),
            "grouped": (self._grouped,),
            "auto": (self._native, self._grouped),
        }[name]

    def prepare(self) -> None:
        """Does beforehand what torch.compile could not look through in the first pass."""
        for engine in (self._native, self._grouped):
            engine.prepare()

    def forward(
        self,
        inputs: Sequence[Tensor],
        mixture: Mixture,
        edge_weights: Tensor | None = None,
        hooks: Hooks = NO_HOOKS,
    ) -> Tensor:
        """The output of the cell, [B, C * nodes, h, w].

        Args:
            inputs: of the cell, [B, C, H, W] each.
            mixture: weights [edges, primitives].
            edge_weights: [edges], a factor for each edge, or None for 1.
            hooks: changes of outputs.
        """
        # What is computed once more in the backward pass runs on the engines of now, whatever is used by then.
        compute = partial(self._compute, self.engines)
        return checkpointed(self, compute, self.memory)(*inputs, mixture, edge_weights, hooks)

    def _compute(self, engines: Sequence[Engine], *arguments: Any) -> Tensor:
        *inputs, mixture, edge_weights, hooks = arguments
        edges = cast(list[PartialChannelEdge], list(self))
        changes = draw_changes(self.space, edges, inputs, mixture, hooks) if engines else None
        if changes is not None:
            for engine in engines:
                if engine.can_run(inputs[0], changes):
                    return engine(inputs, mixture, edge_weights, changes)
        return join_nodes(mix_nodes(inputs, self, self.space, mixture, edge_weights, hooks), self.space)


def mix_nodes(
    inputs: Sequence[Tensor],
    edges: nn.ModuleList,
    space: CellSpace,
    mixture: Mixture,
    edge_weights: Tensor | None,
    hooks: Hooks,
) -> list[Tensor]:
    """The values of all nodes of a searched cell, its inputs first.

    Args:
        inputs: [B, C, H, W] each.
        edges: see `MixedEdges`.
        space: says which edge leads where.
        mixture: weights [edges, primitives].
        edge_weights: [edges], a factor for each edge, or None for 1.
        hooks: changes of outputs.
    """
    states = list(inputs)
    active = None if mixture.active is None else mixture.active.tolist()
    for node in space.inner:
        total: Tensor | None = None
        for e in space.topology.into(node):
            source = space.topology.edges[e][0]
            row = None if active is None else active[e]
            out = edges[e](states[source], mixture.weights[e], row, hooks.operation)
            if hooks.edge is not None:
                out = hooks.edge(out)
            if edge_weights is not None:
                out = edge_weights[e] * out
            total = out if total is None else total + out
        if total is not None:
            states.append(total)
    return states


def sum_nodes(
    inputs: Sequence[Tensor], cell: Cell, operations: nn.ModuleList, drop_path: DropPath | None
) -> list[Tensor]:
    """The values of all nodes of a derived cell, its inputs first; a node that hears nothing is zero.

    Args:
        inputs: [B, C, H, W] each.
        cell: its edges.
        operations: one module for each of `cell.connected`.
        drop_path: applied to every edge that is no identity, or None.
    """
    states = list(inputs)
    steps = iter(zip(cell.connected, operations, strict=True))
    for node in range(cell.inputs, cell.inputs + cell.nodes):
        count = sum(edge.target == node for edge in cell.connected)
        total: Tensor | None = None
        for edge, module in itertools.islice(steps, count):
            out = module(states[edge.source])
            if drop_path is not None and not isinstance(module, nn.Identity):
                out = drop_path(out)
            total = out if total is None else total + out
        states.append(torch.zeros_like(states[0]) if total is None else total)
    return states
