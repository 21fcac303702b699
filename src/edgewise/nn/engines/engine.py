"""Ways to compute the mixed operations of a cell, and the names by which settings ask for them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, cast

from torch import Tensor, nn

from edgewise.nn.drawn_hooks import DrawnHooks
from edgewise.nn.mixed import PartialChannelEdge
from edgewise.nn.mixture import Mixture
from edgewise.spaces.space import CellSpace

EngineName = Literal["auto", "plain", "grouped"]
"""`plain`: one module after the other, on any device, differentiable as often as one likes. `grouped`: the same
operators, called once for everything of a kind that leaves a node (`edgewise.nn.engines.grouped`); on any device,
as differentiable. `auto`: kernels that do a whole cell in a few passes where they can
(`edgewise.nn.engines.native`), else `grouped`. All give the same numbers, rounding aside; what `auto` gives can be
differentiated once. Hooks, which change outputs within a cell, are carried by all of them where they can draw
beforehand (`edgewise.nn.drawn_hooks`); others run plain whatever is asked for.
"""

NetworkEngine = Literal["auto", "plain"]
"""How a derived network is trained. `auto`: its depthwise and 1x1 convolutions, with ReLU and batch norm, and its
average pools on kernels (`edgewise.nn.engines.native`) where they can: on the CPU, in float32 or float64 without
autocast, uncompiled, where a batch norm knows this process's images alone, and where no hook listens. `plain`:
PyTorch's operations, differentiable as often as one likes. Both give the same numbers, rounding aside.
"""


class Engine:
    """Computes one cell's mixed operations from the cell's own modules, with the numbers that they would give.

    Args:
        space: the cell's.
        edges: its mixed operations; their weights and batch norms stay where they are.
    """

    def __init__(self, space: CellSpace, edges: nn.ModuleList) -> None:
        self.space = space
        self._modules = edges
        self.edges = cast(Sequence[PartialChannelEdge], edges)

    def can_run(self, x: Tensor, changes: DrawnHooks) -> bool:
        """Whether it can compute the cell for inputs such as this one, with these changes of outputs."""
        return True

    def prepare(self) -> None:
        """Does beforehand what torch.compile could not look through in the first pass."""

    def __call__(
        self, inputs: Sequence[Tensor], mixture: Mixture, edge_weights: Tensor | None, changes: DrawnHooks
    ) -> Tensor:
        """The cell's output, [B, C * nodes, h, w].

        Args:
            inputs: of the cell, [B, C, H, W] each.
            mixture: weights [edges, primitives].
            edge_weights: [edges], a factor for each edge, or None for 1.
            changes: of outputs, drawn for this pass.
        """
        raise NotImplementedError
