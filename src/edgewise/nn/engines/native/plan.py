"""Which operations of a mixed cell the kernels do, and where their weights and batch norms are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from torch import Tensor, nn

from edgewise.nn.mixed import PartialChannelEdge
from edgewise.spaces.space import CellSpace
from edgewise.spaces.topology import Topology

SEPARABLE = ("sep_conv_3x3", "sep_conv_5x5", "sep_conv_7x7")
DILATED = ("dil_conv_3x3", "dil_conv_5x5")
TOP, MEAN, SKIP, NONE = "max_pool_3x3", "avg_pool_3x3", "skip_connect", "none"
KNOWN = frozenset({*SEPARABLE, *DILATED, TOP, MEAN, SKIP, NONE})


@dataclass(frozen=True)
class Stage:
    """A depthwise and a pointwise convolution with the batch norm behind them."""

    dw: nn.Conv2d
    pw: nn.Conv2d
    norm: nn.BatchNorm2d

    @property
    def weights(self) -> tuple[Tensor, Tensor]:
        """Both weights."""
        return self.dw.weight, self.pw.weight

    @property
    def dilation(self) -> int:
        """Of the depthwise convolution."""
        return int(self.dw.dilation[0])

    @property
    def pad(self) -> int:
        """Pixels that the depthwise convolution reaches to each side."""
        return int(self.dw.padding[0])  # type: ignore[arg-type]


@dataclass(frozen=True)
class Branch:
    """A convolutional operation on an edge.

    Args:
        edge: of the cell.
        primitive: its column in the mixture.
        stages: two for a separable convolution, one for a dilated one.
    """

    edge: int
    primitive: int
    stages: tuple[Stage, ...]


@dataclass(frozen=True)
class Pool:
    """A pool on an edge, with its batch norm."""

    edge: int
    primitive: int
    norm: nn.BatchNorm2d


@dataclass
class Source:
    """What leaves one node.

    Args:
        node: which one.
        stride: of all its edges.
        edges: all of them.
        branches: two-stage ones first.
        max_pools: max pools.
        avg_pools: average pools.
        skips: (edge, primitive) of identities.
        reduced: (edge, primitive, module) of skips that halve the sides.
    """

    node: int
    stride: int
    edges: tuple[int, ...]
    branches: list[Branch] = field(default_factory=list)
    max_pools: list[Pool] = field(default_factory=list)
    avg_pools: list[Pool] = field(default_factory=list)
    skips: list[tuple[int, int]] = field(default_factory=list)
    reduced: list[tuple[int, int, nn.Module]] = field(default_factory=list)

    @property
    def two_stage(self) -> list[Branch]:
        """The two-stage branches."""
        return [branch for branch in self.branches if len(branch.stages) == 2]


def sources(
    topology: Topology,
    edges: Sequence[PartialChannelEdge],
    primitives: Sequence[str],
    active: Sequence[Sequence[bool]] | None,
) -> list[Source]:
    """What leaves each node that has edges out of it, in the order of nodes.

    Args:
        topology: of the cell.
        edges: its mixed operations.
        primitives: the space's.
        active: [edges][primitives], what is to be computed; None for all that exists.
    """
    found = []
    for node in range(topology.inputs + topology.nodes):
        out = topology.out_of(node)
        if out:
            source = Source(node, edges[out[0]].stride, out)
            for edge in out:
                for name, module in edges[edge].mixed.operations.items():
                    i = int(name)
                    if active is None or active[edge][i]:
                        _sort(source, edge, i, primitives[i], module)
            source.branches.sort(key=lambda branch: -len(branch.stages))
            found.append(source)
    return found


def has_pool_norms(edges: Sequence[PartialChannelEdge], space: CellSpace) -> bool:
    """Whether a batch norm stands behind every pool, as the kernels compute it.

    Args:
        edges: the cell's mixed operations.
        space: the cell's.
    """
    columns = {str(i) for i, name in enumerate(space.primitives) if name in (TOP, MEAN)}
    pools = (m for edge in edges for i, m in edge.mixed.operations.items() if i in columns)
    return all([type(part) for part in pool.children()][1:] == [nn.BatchNorm2d] for pool in pools)


def _sort(source: Source, edge: int, i: int, primitive: str, module: nn.Module) -> None:
    parts = list(module.children())
    if primitive in SEPARABLE or primitive in DILATED:
        stages = tuple(Stage(*parts[at + 1 : at + 4]) for at in range(0, len(parts), 4))  # type: ignore[arg-type]
        source.branches.append(Branch(edge, i, stages))
    elif primitive in (TOP, MEAN):
        pool = Pool(edge, i, parts[1])  # type: ignore[arg-type]
        (source.max_pools if primitive == TOP else source.avg_pools).append(pool)
    elif primitive == SKIP and source.stride == 1:
        source.skips.append((edge, i))
    elif primitive == SKIP:
        source.reduced.append((edge, i, module))
