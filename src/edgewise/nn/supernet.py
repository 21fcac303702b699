"""The supernet: every edge carries every operation; the mixture says how much each counts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

from torch import Tensor, nn

from edgewise.errors import ConfigError
from edgewise.nn.activation_checkpointing import Memory
from edgewise.nn.cell import CellPlace, Preprocess, plan_cells
from edgewise.nn.edges import Kept, MixedEdges
from edgewise.nn.engines.engine import EngineName
from edgewise.nn.hooks import NO_HOOKS, Hooks
from edgewise.nn.mixture import Mixture
from edgewise.nn.operations import operation
from edgewise.nn.stems import Stem, StemName
from edgewise.spaces.primitives import kind_of
from edgewise.spaces.space import CellSpace


@dataclass(frozen=True)
class SupernetSpec:
    """The size of a supernet.

    Args:
        channels: C of the first cell.
        layers: number of cells, at least 3. The reduction cells of DARTS' skeleton count; the residual blocks
            between the stages of NAS-Bench-201 do not (15 layers are its N = 5).
        classes: number of classes.
        in_channels: 3 for RGB, 1 for grey.
        stem: `cifar`, `half` or `imagenet`.
        k: one channel in K goes through the mixed operations; 1 for all.
        memory: `low` computes cells once more in the backward pass instead of keeping what is in them.
    """

    channels: int
    layers: int
    classes: int
    in_channels: int = 3
    stem: StemName = "cifar"
    k: int = 1
    memory: Memory = "normal"

    def __post_init__(self) -> None:
        if self.layers < 3:
            raise ConfigError(
                f"layers is {self.layers}: a supernet needs at least 3 cells, one for each image size"
            )
        if self.k < 1 or self.channels < 2 or self.channels % self.k or (self.channels // self.k) % 2:
            raise ConfigError(
                f"channels {self.channels} / K {self.k}: K must divide the channels into an even number, "
                f"for instance channels = {2 * max(1, self.k)}, {4 * max(1, self.k)} or {8 * max(1, self.k)}"
            )


def supernet_operation(primitive: str, channels: int, stride: int) -> nn.Module:
    """An operation as the supernet has it: batch norms without affine, and one after each pool."""
    module = operation(primitive, channels, stride=stride, affine=False)
    if kind_of(primitive) == "pool":
        return nn.Sequential(module, nn.BatchNorm2d(channels, affine=False))
    return module


class SearchCell(nn.Module):
    """A cell with a mixed operation on every edge.

    Args:
        space: what the edges may carry.
        place: the cell's place in the supernet.
        spec: the supernet's size.
        kept: [edges][primitives], which operations exist; None for all that the space allows.
    """

    def __init__(self, space: CellSpace, place: CellPlace, spec: SupernetSpec, kept: Kept | None = None) -> None:
        super().__init__()
        self.cell_type = place.cell_type
        self.preprocess = Preprocess(place, affine=False)
        self.edges = MixedEdges(
            space,
            place.cell_type,
            channels=place.channels,
            k=spec.k,
            kept=kept,
            make=supernet_operation,
            strides=[
                2 if place.reduce and source < space.topology.inputs else 1 for source, _ in space.topology.edges
            ],
            memory=spec.memory,
        )

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
        return self.edges(self.preprocess(before, previous), mixture, edge_weights, hooks)


class AnySupernet(nn.Module):
    """A network that holds every network of a space: `(space, spec, kept)`; it owns no architecture parameters.

    Its `forward` is called as `Supernet.forward` is.
    """

    space: CellSpace
    spec: SupernetSpec

    def _mixed_edges(self) -> Iterator[MixedEdges]:
        return (module for module in self.modules() if isinstance(module, MixedEdges))

    def prepare(self) -> None:
        """Does beforehand what torch.compile could not look through in the first pass."""
        for edges in self._mixed_edges():
            edges.prepare()

    def use_engine(self, name: EngineName) -> None:
        """Says how passes are computed from now on: see `EngineName`. A new supernet is plain."""
        for edges in self._mixed_edges():
            edges.use_engine(name)

    @contextmanager
    def differentiable_twice(self) -> Iterator[None]:
        """Within it, passes run on engines whose gradients can be differentiated again."""
        once = [edges for edges in self._mixed_edges() if edges.engine == "auto"]
        for edges in once:
            edges.use_engine("grouped")
        try:
            yield
        finally:
            for edges in once:
                edges.use_engine("auto")


class Supernet(AnySupernet):
    """The continuous network that holds every network of a space of normal and reduction cells.

    It owns no architecture parameters.

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
            SearchCell(space, place, spec, None if kept is None else kept[place.cell_type]) for place in places
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
            mixed = mixture[cell.cell_type]  # type: ignore[index]
            before, previous = previous, cell(before, previous, mixed, weights, hooks)
        return self.classifier(self.pool(previous).flatten(1))
