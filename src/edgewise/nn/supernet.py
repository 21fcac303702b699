"""The supernet: every edge carries every operation; the mixture says how much each counts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from edgewise.core.errors import ConfigError
from edgewise.nn.cell import CellPlace, Preprocess, plan_cells
from edgewise.nn.hooks import NO_HOOKS, Hooks
from edgewise.nn.mixed import MixedOperation, PartialChannelEdge
from edgewise.nn.mixture import Mixture
from edgewise.nn.operations import operation
from edgewise.nn.stems import Stem, StemName
from edgewise.spaces.space import CellSpace

Kept = Sequence[Sequence[bool]]


@dataclass(frozen=True)
class SupernetSpec:
    """The size of a supernet.

    Args:
        channels: C of the first cell.
        layers: number of cells, at least 3.
        classes: number of classes.
        in_channels: 3 for RGB, 1 for grey.
        stem: `cifar`, `half` or `imagenet`.
        k: one channel in K goes through the mixed operations; 1 for all.
    """

    channels: int
    layers: int
    classes: int
    in_channels: int = 3
    stem: StemName = "cifar"
    k: int = 1

    def __post_init__(self) -> None:
        if self.layers < 3:
            raise ConfigError(
                f"layers is {self.layers}: a supernet needs at least 3 cells, two of them reductions"
            )
        if self.k < 1 or self.channels < 2 or self.channels % self.k or (self.channels // self.k) % 2:
            raise ConfigError(
                f"channels {self.channels} / K {self.k}: K must divide the channels into an even number, "
                f"for instance channels = {2 * max(1, self.k)}, {4 * max(1, self.k)} or {8 * max(1, self.k)}"
            )


def supernet_operation(primitive: str, channels: int, stride: int) -> nn.Module:
    """An operation as the supernet has it: batch norms without affine, and one after each pool."""
    module = operation(primitive, channels, stride=stride, affine=False)
    if "pool" in primitive:
        return nn.Sequential(module, nn.BatchNorm2d(channels, affine=False))
    return module


class SearchCell(nn.Module):
    """A cell with a mixed operation on every edge.

    Args:
        space: what the edges may carry.
        place: the cell's place in the supernet.
        k: see `SupernetSpec`.
        kept: [edges][primitives], which operations exist; None for all that the space allows.
    """

    def __init__(self, space: CellSpace, place: CellPlace, *, k: int, kept: Kept | None = None) -> None:
        super().__init__()
        self.topology = space.topology
        self.inner = space.inner
        self.concat = space.concat
        self.cell_type = place.cell_type
        self.preprocess = Preprocess(place, affine=False)
        none_index = space.primitives.index("none") if "none" in space.primitives else None
        self.edges = nn.ModuleList()
        for e, (source, _) in enumerate(self.topology.edges):
            stride = 2 if place.reduce and source < self.topology.inputs else 1
            allowed = space.on_edge(place.cell_type, e)
            modules = [
                supernet_operation(p, place.channels // k, stride)
                if p in allowed and (kept is None or kept[e][i])
                else None
                for i, p in enumerate(space.primitives)
            ]
            has_none = none_index is not None and modules[none_index] is not None
            mixed = MixedOperation(
                modules,
                none_index=none_index if has_none else None,
                primitives=space.primitives,
                stride=stride,
            )
            self.edges.append(PartialChannelEdge(mixed, k=k, stride=stride))

    def forward(
        self,
        before: Tensor,
        previous: Tensor,
        mixture: Mixture,
        edge_weights: Tensor | None,
        hooks: Hooks = NO_HOOKS,
    ) -> Tensor:
        """Maps both inputs to [B, C * nodes, h, w].

        Args:
            before: output of the cell before the previous one.
            previous: output of the previous cell.
            mixture: weights [edges, primitives].
            edge_weights: [edges], a factor for each edge, or None for 1.
            hooks: changes of outputs.
        """
        states = self.preprocess(before, previous)
        active = None if mixture.active is None else mixture.active.tolist()
        for node in self.inner:
            total: Tensor | None = None
            for e in self.topology.into(node):
                source = self.topology.edges[e][0]
                row = None if active is None else active[e]
                out = self.edges[e](states[source], mixture.weights[e], row, hooks.operation)
                if hooks.edge is not None:
                    out = hooks.edge(out)
                if edge_weights is not None:
                    out = edge_weights[e] * out
                total = out if total is None else total + out
            if total is not None:
                states.append(total)
        return torch.cat([states[node] for node in self.concat], dim=1)


class Supernet(nn.Module):
    """The continuous network that holds every network of a space. It owns no architecture parameters.

    Args:
        space: the space.
        spec: the size.
        kept: per cell type, [edges][primitives], which operations exist; None for all that the space allows.

    Source: DARTS and PC-DARTS, model_search.py of the authors' code.
    """

    def __init__(self, space: CellSpace, spec: SupernetSpec, kept: Mapping[str, Kept] | None = None) -> None:
        super().__init__()
        if not space.searchable:
            raise ConfigError(f"space {space.name} has no supernet: choose another (`edgewise spaces ls`)")
        self.space = space
        self.spec = spec
        self.stem = Stem(spec.stem, in_channels=spec.in_channels, channels=spec.channels)
        places = plan_cells(
            layers=spec.layers,
            channels=spec.channels,
            stem_channels=self.stem.channels_out,
            stem_shrinks=self.stem.shrinks_between,
            concat=dict.fromkeys(space.cell_types, len(space.concat)),
        )
        self.cells = nn.ModuleList(
            SearchCell(space, place, k=spec.k, kept=None if kept is None else kept[place.cell_type])
            for place in places
        )
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.classifier = nn.Linear(len(space.concat) * places[-1].channels, spec.classes)

    def forward(
        self,
        x: Tensor,
        mixture: Mapping[str, Mixture],
        edge_weights: Mapping[str, Tensor] | None = None,
        hooks: Hooks = NO_HOOKS,
    ) -> Tensor:
        """Maps images [B, in_channels, H, W] to logits [B, classes].

        Args:
            x: the images.
            mixture: one mixture for each cell type.
            edge_weights: [edges] for each cell type, or None where edges are not weighed.
            hooks: changes of outputs in this pass, such as noise on skip connections.
        """
        before, previous = self.stem(x)
        for cell in self.cells:
            weights = None if edge_weights is None else edge_weights[cell.cell_type]  # type: ignore[index]
            out = cell(before, previous, mixture[cell.cell_type], weights, hooks)  # type: ignore[index]
            before, previous = previous, out
        return self.classifier(self.pool(previous).flatten(1))
