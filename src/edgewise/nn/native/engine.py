"""When a mixed cell can run on the kernels, and how."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from edgewise.nn.drawn_hooks import NO_CHANGES, DrawnHooks
from edgewise.nn.mixture import Mixture
from edgewise.nn.native.addends import Layout
from edgewise.nn.native.affine import DTYPES
from edgewise.nn.native.build import library
from edgewise.nn.native.function import CellCall, CellFunction
from edgewise.nn.native.plan import KNOWN, SKIP, sources
from edgewise.spaces.space import CellSpace

if TYPE_CHECKING:
    from edgewise.nn.mixed import PartialChannelEdge


def knows(space: CellSpace) -> bool:
    """Whether the kernels can do mixed cells of this space."""
    return KNOWN.issuperset(space.primitives)


def can_run(space: CellSpace, x: Tensor, changes: DrawnHooks = NO_CHANGES) -> bool:
    """Whether cells of this space can run on the kernels for this input, with these changes of outputs."""
    return (
        x.device.type == "cpu"
        and x.dtype in DTYPES
        and not torch.is_autocast_enabled("cpu")
        and knows(space)
        and changes.primitives <= {SKIP}
        and library() is not None
    )


def run_cell(
    space: CellSpace,
    edges: list[PartialChannelEdge],
    states: list[Tensor],
    mixture: Mixture,
    edge_weights: Tensor | None,
    *,
    training: bool,
    changes: DrawnHooks = NO_CHANGES,
) -> Tensor:
    """The output of a mixed cell, [N, nodes * C, H', W'], as the plain cell gives it, rounding aside.

    Args:
        space: the cell's.
        edges: its mixed operations.
        states: its inputs, [N, C, H, W] each.
        mixture: weights [edges, primitives].
        edge_weights: [edges], or None for 1.
        training: whether batch norms use the batch's statistics.
        changes: of outputs, drawn for this pass.
    """
    topology = space.topology
    active = None if mixture.active is None else mixture.active.tolist()
    found = sources(topology, edges, space.primitives, active)
    share = states[0].shape[1] // edges[0].k
    extra = [
        changes.outputs.get((e, i), _as_it_is)(module(states[s.node][:, :share]))
        for s in found
        for e, i, module in s.reduced
    ]
    norms = (m for e in edges for m in e.modules() if isinstance(m, torch.nn.BatchNorm2d))
    call = CellCall(
        layout=Layout(topology.inputs, states[0].shape[1], edges[0].k),
        edges=topology.edges,
        into={
            n: tuple((e, topology.edges[e][0]) for e in topology.into(n))
            for n in range(topology.inputs, topology.inputs + topology.nodes)
        },
        sources=found,
        training=training,
        record=training and all(norm.track_running_stats for norm in islice(norms, 1)),
        changes=changes,
    )
    return CellFunction.apply(call, len(states), mixture.weights, edge_weights, *states, *extra, *call.weights())


def _as_it_is(out: Tensor) -> Tensor:
    return out
