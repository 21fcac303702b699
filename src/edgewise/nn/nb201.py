"""The skeleton of NAS-Bench-201: three stages of one cell, residual blocks between them."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor, nn

from edgewise.errors import ConfigError
from edgewise.nn.drop_path import DropPath
from edgewise.nn.edges import Kept, MixedEdges, sum_nodes
from edgewise.nn.hooks import NO_HOOKS, Hooks
from edgewise.nn.mixture import Mixture
from edgewise.nn.network import AnyNetwork, NetworkSpec
from edgewise.nn.operations import operation, relu_conv_norm
from edgewise.nn.stems import Stem
from edgewise.nn.supernet import AnySupernet, SupernetSpec
from edgewise.spaces.cells import Cell
from edgewise.spaces.genotype import Genotype, validate
from edgewise.spaces.space import CellSpace

STAGES = 3


def stage_lengths(layers: int) -> tuple[int, ...]:
    """How many cells each stage has: as equal as can be, the first stages get what is left over."""
    return tuple(layers // STAGES + (stage < layers % STAGES) for stage in range(STAGES))


class ReductionBlock(nn.Module):
    """Twice ReLU, 3x3 convolution and BN, first with stride 2; shortcut of 2x2 average pool and 1x1 convolution.

    An image with an odd side is rounded up; the average pool does not count what hangs over.

    Args:
        channels_in: channels of the input.
        channels_out: channels of the output.

    Source: NAS-Bench-201 §2.1, `ResNetBasicblock` in cell_operations.py of the authors' code.
    """

    def __init__(self, channels_in: int, channels_out: int) -> None:
        super().__init__()
        self.first = relu_conv_norm(channels_in, channels_out, 3, stride=2, affine=True)
        self.second = relu_conv_norm(channels_out, channels_out, 3, affine=True)
        self.shortcut = nn.Sequential(
            nn.AvgPool2d(2, 2, ceil_mode=True), nn.Conv2d(channels_in, channels_out, 1, bias=False)
        )

    def forward(self, x: Tensor) -> Tensor:
        """Maps [B, channels_in, H, W] to [B, channels_out, ceil(H / 2), ceil(W / 2)]."""
        return self.shortcut(x) + self.second(self.first(x))


def _reductions(channels: int) -> nn.ModuleList:
    """The blocks before the second and the third stage; channels double in each."""
    return nn.ModuleList(ReductionBlock(channels << stage, channels << stage + 1) for stage in range(STAGES - 1))


class _Head(nn.Module):
    """BN, ReLU, global average pool, linear layer."""

    def __init__(self, channels: int, classes: int) -> None:
        super().__init__()
        self.features = nn.Sequential(nn.BatchNorm2d(channels), nn.ReLU(), nn.AdaptiveAvgPool2d(1))
        self.classifier = nn.Linear(channels, classes)

    def forward(self, x: Tensor) -> Tensor:
        """Maps [B, channels, H, W] to logits [B, classes]."""
        return self.classifier(self.features(x).flatten(1))


class StagedCell(nn.Module):
    """A derived cell with one input; `none` edges have no module."""

    def __init__(self, cell: Cell, channels: int) -> None:
        super().__init__()
        self.cell = cell
        self.operations = nn.ModuleList(
            operation(edge.primitive, channels, stride=1, affine=True) for edge in cell.connected
        )

    def forward(self, x: Tensor, drop_path: DropPath | None) -> Tensor:
        """Maps [B, C, H, W] to the same shape."""
        return sum_nodes([x], self.cell, self.operations, drop_path)[self.cell.concat[0]]


class NB201Network(AnyNetwork):
    """A discrete network of NAS-Bench-201: stem to C channels, stages of cells, residual blocks between.

    `spec.layers` counts the cells alone; they are spread over the three stages as equally as can be, and the first
    stages get what is left over. N cells a stage are layers = 3 N. All edges stay, those that reach no output
    too, as the benchmark counts them. Stems for images that are larger than the benchmark's are ours.

    Args:
        genotype: the cell; validated.
        spec: the size; without an auxiliary head.

    Raises:
        GenotypeError: the genotype does not fit its space.
        ConfigError: the spec asks for an auxiliary head.

    Source: NAS-Bench-201 §2.1, `TinyNetwork` in the authors' code.
    """

    def __init__(self, genotype: Genotype, spec: NetworkSpec) -> None:
        super().__init__()
        self.genotype = validate(genotype)
        self.spec = spec
        if spec.auxiliary:
            raise ConfigError(
                f"a network of space {genotype.space} has no auxiliary head, as there is no reduction cell to "
                "carry it: set train.auxiliary to 0"
            )
        (cell,) = genotype.cells.values()
        self.stem = Stem(spec.stem, in_channels=spec.in_channels, channels=spec.channels, multiplier=1)
        self.stages = nn.ModuleList(
            nn.ModuleList(StagedCell(cell, spec.channels << stage) for _ in range(length))
            for stage, length in enumerate(stage_lengths(spec.layers))
        )
        self.reductions = _reductions(spec.channels)
        self.head = _Head(spec.channels << len(self.reductions), spec.classes)

    def forward(self, x: Tensor) -> Tensor:
        """Maps images [B, in_channels, H, W] to logits [B, classes]."""
        return self.training_forward(x, None)[0]

    def training_forward(self, x: Tensor, drop_path: DropPath | None) -> tuple[Tensor, None]:
        """Maps images [B, in_channels, H, W] to logits [B, classes]; there is no auxiliary head.

        Args:
            x: the images.
            drop_path: applied to every edge of a cell that is no identity, or None.
        """
        out = self.stem(x)[1]
        for stage, cells in enumerate(self.stages):
            if stage > 0:
                out = self.reductions[stage - 1](out)
            for cell in cells:  # type: ignore[union-attr]
                out = cell(out, drop_path)
        return self.head(out), None


class StagedSearchCell(nn.Module):
    """A searched cell with one input. Batch norms have no affine part; pools have no batch norm behind them."""

    def __init__(self, space: CellSpace, channels: int, spec: SupernetSpec, kept: Kept | None) -> None:
        super().__init__()
        self.edges = MixedEdges(
            space,
            space.cell_types[0],
            channels=channels,
            k=spec.k,
            kept=kept,
            make=lambda primitive, width, stride: operation(primitive, width, stride=stride, affine=False),
            strides=[1] * len(space.topology.edges),
            memory=spec.memory,
        )

    def forward(self, x: Tensor, mixture: Mixture, edge_weights: Tensor | None, hooks: Hooks) -> Tensor:
        """Maps [B, C, H, W] to the same shape; see `SearchCell.forward`."""
        return self.edges([x], mixture, edge_weights, hooks)


class NB201Supernet(AnySupernet):
    """The continuous network that holds every network of NAS-Bench-201. It owns no architecture parameters.

    `spec.layers` counts the cells, as in `NB201Network`.

    Args:
        space: the space.
        spec: the size.
        kept: per cell type, [edges][primitives], which operations exist; None for all that the space allows.

    Source: NAS-Bench-201, search_model_darts.py of the authors' code. Partial channels and edge weights are those
    of PC-DARTS. The running statistics of batch norms are tracked, as everywhere here; the authors do without.
    """

    def __init__(self, space: CellSpace, spec: SupernetSpec, kept: Mapping[str, Kept] | None = None) -> None:
        super().__init__()
        self.space = space
        self.spec = spec
        (self.cell_type,) = space.cell_types
        self.stem = Stem(spec.stem, in_channels=spec.in_channels, channels=spec.channels, multiplier=1)
        own = None if kept is None else kept[self.cell_type]
        self.stages = nn.ModuleList(
            nn.ModuleList(StagedSearchCell(space, spec.channels << stage, spec, own) for _ in range(length))
            for stage, length in enumerate(stage_lengths(spec.layers))
        )
        self.reductions = _reductions(spec.channels)
        self.head = _Head(spec.channels << len(self.reductions), spec.classes)

    def forward(
        self,
        x: Tensor,
        mixture: Mapping[str, Mixture],
        edge_weights: Mapping[str, Tensor] | None = None,
        hooks: Hooks = NO_HOOKS,
    ) -> Tensor:
        """Maps images [B, in_channels, H, W] to logits [B, classes]; see `Supernet.forward`."""
        weights = None if edge_weights is None else edge_weights[self.cell_type]
        out = self.stem(x)[1]
        for stage, cells in enumerate(self.stages):
            if stage > 0:
                out = self.reductions[stage - 1](out)
            for cell in cells:  # type: ignore[union-attr]
                out = cell(out, mixture[self.cell_type], weights, hooks)
        return self.head(out)
