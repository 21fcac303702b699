"""A space with primitives, network and supernet of its own: chains of blocks, as small devices run them fast."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

import torch
from torch import Tensor, nn

from edgewise.nn import (
    NO_HOOKS,
    SKELETONS,
    AnyNetwork,
    AnySupernet,
    DropPath,
    Hooks,
    MixedEdges,
    Mixture,
    NetworkSpec,
    Skeleton,
    SupernetSpec,
    operation,
    register_operation,
)
from edgewise.nn.edges import Kept, sum_nodes
from edgewise.spaces import SPACES, CellSpace, Genotype, Topology

__version__ = "0.3"


def conv(c_in: int, c_out: int, *, kernel: int = 3, stride: int = 1, groups: int = 1) -> nn.Sequential:
    """Convolution and batch norm."""
    return nn.Sequential(
        nn.Conv2d(c_in, c_out, kernel, stride, kernel // 2, groups=groups, bias=False),
        nn.BatchNorm2d(c_out),
    )


class InvertedResidual(nn.Module):
    """Twice as many channels, a depthwise convolution, and back; the input is added where the shape stays."""

    def __init__(self, channels: int, stride: int) -> None:
        super().__init__()
        wide = 2 * channels
        self.stride = stride
        self.body = nn.Sequential(
            *conv(channels, wide, kernel=1),
            nn.ReLU(),
            *conv(wide, wide, stride=stride, groups=wide),
            nn.ReLU(),
            *conv(wide, channels, kernel=1),
        )

    def forward(self, x: Tensor) -> Tensor:
        """Maps [B, C, H, W] to [B, C, ceil(H / stride), ceil(W / stride)]."""
        return x + self.body(x) if self.stride == 1 else self.body(x)


class SqueezeExcite(nn.Module):
    """A 3x3 convolution whose channels are weighed by what the whole image holds."""

    def __init__(self, channels: int, stride: int) -> None:
        super().__init__()
        self.body = nn.Sequential(nn.ReLU(), *conv(channels, channels, stride=stride))
        few = max(1, channels // 4)
        self.gate = nn.Sequential(
            nn.AdaptiveAvgPool2d(1),
            nn.Conv2d(channels, few, 1),
            nn.ReLU(),
            nn.Conv2d(few, channels, 1),
            nn.Sigmoid(),
        )

    def forward(self, x: Tensor) -> Tensor:
        """Maps [B, C, H, W] to [B, C, ceil(H / stride), ceil(W / stride)]."""
        out = self.body(x)
        return out * self.gate(out)


register_operation("inverted_residual_3x3", "parametrised", lambda c, stride, affine: InvertedResidual(c, stride))
register_operation("se_conv_3x3", "parametrised", lambda c, stride, affine: SqueezeExcite(c, stride))

CHAIN = CellSpace(
    name="chain",
    topology=Topology.dense(inputs=1, nodes=2),
    primitives=("skip_connect", "inverted_residual_3x3", "se_conv_3x3"),
    cell_types=("block",),
    edges_per_node=1,
    output="last",
    skeleton="chain",
    summary="chains of inverted residuals and squeeze-and-excite convolutions, of a plug-in",
)
SPACES.register(CHAIN.name, CHAIN)


class Trunk(nn.Module):
    """Three stages of cells; each begins with a convolution, from the second on with stride 2."""

    def __init__(self, spec: NetworkSpec | SupernetSpec, make: Any) -> None:
        super().__init__()
        widths = [spec.channels << stage for stage in range(3)]
        inputs = [spec.in_channels, *widths]
        self.entries = nn.ModuleList(
            conv(inputs[stage], widths[stage], stride=1 + (stage > 0)) for stage in range(3)
        )
        self.stages = nn.ModuleList(
            nn.ModuleList(make(widths[stage]) for _ in range(stage, spec.layers, 3)) for stage in range(3)
        )
        self.classifier = nn.Linear(widths[-1], spec.classes)

    def forward(self, x: Tensor, *arguments: Any) -> Tensor:
        """Maps images to logits [B, classes]; the arguments go to every cell."""
        for entry, cells in zip(self.entries, self.stages, strict=True):
            x = torch.relu(entry(x))
            for cell in cast(nn.ModuleList, cells):
                x = cell(x, *arguments)
        return self.classifier(x.mean((2, 3)))


class Block(nn.Module):
    """A derived cell."""

    def __init__(self, genotype: Genotype, channels: int) -> None:
        super().__init__()
        (self.cell,) = genotype.cells.values()
        self.operations = nn.ModuleList(
            operation(edge.primitive, channels, stride=1, affine=True) for edge in self.cell.connected
        )

    def forward(self, x: Tensor, drop_path: DropPath | None) -> Tensor:
        """Maps [B, C, H, W] to the same shape."""
        return sum_nodes([x], self.cell, self.operations, drop_path)[self.cell.concat[0]]


class ChainNetwork(AnyNetwork):
    """A network of derived cells."""

    def __init__(self, genotype: Genotype, spec: NetworkSpec) -> None:
        super().__init__()
        self.genotype, self.spec = genotype, spec
        self.trunk = Trunk(spec, lambda channels: Block(genotype, channels))

    def forward(self, x: Tensor) -> Tensor:
        """Maps images to logits."""
        return self.trunk(x, None)

    def training_forward(self, x: Tensor, drop_path: DropPath | None) -> tuple[Tensor, None]:
        """See `AnyNetwork.training_forward`."""
        return self.trunk(x, drop_path), None


class SearchedBlock(nn.Module):
    """A cell with every operation on every edge."""

    def __init__(self, space: CellSpace, channels: int, k: int, kept: Kept | None) -> None:
        super().__init__()
        self.edges = MixedEdges(
            space,
            "block",
            channels=channels,
            k=k,
            kept=kept,
            make=lambda primitive, width, stride: operation(primitive, width, stride=stride, affine=False),
            strides=[1] * len(space.topology.edges),
        )

    def forward(self, x: Tensor, mixture: Mixture, edge_weights: Tensor | None, hooks: Hooks) -> Tensor:
        """Maps [B, C, H, W] to the same shape."""
        return self.edges([x], mixture, edge_weights, hooks)


class ChainSupernet(AnySupernet):
    """Every network of the space in one."""

    def __init__(self, space: CellSpace, spec: SupernetSpec, kept: Mapping[str, Kept] | None = None) -> None:
        super().__init__()
        self.space, self.spec = space, spec
        own = None if kept is None else kept["block"]
        self.trunk = Trunk(spec, lambda channels: SearchedBlock(space, channels, spec.k, own))

    def forward(
        self,
        x: Tensor,
        mixture: Mapping[str, Mixture],
        edge_weights: Mapping[str, Tensor] | None = None,
        hooks: Hooks = NO_HOOKS,
    ) -> Tensor:
        """See `Supernet.forward`."""
        return self.trunk(x, mixture["block"], None if edge_weights is None else edge_weights["block"], hooks)


SKELETONS.register("chain", Skeleton(ChainNetwork, ChainSupernet))
