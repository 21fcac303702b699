"""When a mixed cell can run on the kernels, and how."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice

import torch
from torch import Tensor, nn

from edgewise.nn.drawn_hooks import DrawnHooks
from edgewise.nn.engines.engine import Engine
from edgewise.nn.engines.native.addends import Layout
from edgewise.nn.engines.native.affine import DTYPES
from edgewise.nn.engines.native.build import library
from edgewise.nn.engines.native.function import CellCall, CellFunction
from edgewise.nn.engines.native.plan import KNOWN, SKIP, has_pool_norms, sources
from edgewise.nn.mixture import Mixture
from edgewise.spaces.space import CellSpace


def knows(space: CellSpace) -> bool:
    """Whether the kernels can do mixed cells of this space."""
    return KNOWN.issuperset(space.primitives)


class NativeEngine(Engine):
    """Computes a cell's output in a few passes over its planes."""

    def __init__(self, space: CellSpace, edges: nn.ModuleList) -> None:
        super().__init__(space, edges)
        self._known = knows(space) and space.concat == space.inner and has_pool_norms(self.edges, space)

    def can_run(self, x: Tensor, changes: DrawnHooks) -> bool:
        """See `Engine`."""
        return (
            self._known
            and x.device.type == "cpu"
            and x.dtype in DTYPES
            and not torch.is_autocast_enabled("cpu")
            and changes.primitives <= {SKIP}
            and library() is not None
        )

    def __call__(
        self, inputs: Sequence[Tensor], mixture: Mixture, edge_weights: Tensor | None, changes: DrawnHooks
    ) -> Tensor:
        """See `Engine`; what it gives can be differentiated once."""
        topology, edges, training = self.space.topology, self.edges, self._modules.training
        active = None if mixture.active is None else mixture.active.tolist()
        found = sources(topology, edges, self.space.primitives, active)
        channels = inputs[0].shape[1]
        share = channels // edges[0].k
        extra = [
            changes.outputs.get((e, i), _as_it_is)(module(inputs[s.node][:, :share]))
            for s in found
            for e, i, module in s.reduced
        ]
        norms = (m for m in self._modules.modules() if isinstance(m, nn.BatchNorm2d))
        call = CellCall(
            layout=Layout(topology.inputs, channels, edges[0].k),
            edges=topology.edges,
            into={n: tuple((e, topology.edges[e][0]) for e in topology.into(n)) for n in self.space.inner},
            sources=found,
            training=training,
            record=training and all(norm.track_running_stats for norm in islice(norms, 1)),
            changes=changes,
        )
        weights = call.weights()
        return CellFunction.apply(call, len(inputs), mixture.weights, edge_weights, *inputs, *extra, *weights)


def _as_it_is(out: Tensor) -> Tensor:
    return out
