"""What leaves each node of a mixed cell, sorted into branches, pools, skips and the rest."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

import torch
from torch import Tensor, nn

from edgewise.nn.factorized import FactorizedReduction
from edgewise.nn.mixed import MixedOperation, PartialChannelEdge
from edgewise.nn.operations import Zero
from edgewise.runtime.transfer import to_device
from edgewise.spaces.topology import Topology

Active = Sequence[Sequence[bool]]
Signature = tuple[object, ...]
EdgePrimitive = tuple[int, int]
"""An edge and a primitive."""


@dataclass(frozen=True)
class Stage:
    """ReLU, convolutions one after the other, batch norm."""

    convolutions: tuple[nn.Conv2d, ...]
    norm: nn.BatchNorm2d


@dataclass(frozen=True)
class Branch:
    """A convolutional operation on an edge.

    Args:
        edge: of the cell.
        primitive: its column in the mixture.
        stages: two for a separable convolution, one for the others.
        signatures: of the convolutions of each stage.
        place: among the branches of its source.
    """

    edge: int
    primitive: int
    stages: tuple[Stage, ...]
    signatures: tuple[tuple[Signature, ...], ...]
    place: int = 0

    @staticmethod
    def of(edge: int, primitive: int, stages: tuple[Stage, ...]) -> Branch:
        """A branch that has no place yet."""
        return Branch(edge, primitive, stages, tuple(tuple(map(_signature, s.convolutions)) for s in stages))

    def signature(self, stage: int, step: int) -> Signature | None:
        """What branches share that are convolved in one call; None behind a stage's last convolution."""
        signatures = self.signatures[stage]
        return signatures[step] if step < len(signatures) else None

    @property
    def order(self) -> tuple[int, str, int]:
        """A key to sort by: branches of one kind stand together."""
        return len(self.stages), repr(self.signatures), self.edge


@dataclass(frozen=True)
class Shared:
    """An operation without weights, the same on all edges out of a node.

    Args:
        module: that of the first edge.
        users: (edge, primitive) of each.
        norms: a batch norm for each, or none.
    """

    module: nn.Module
    users: list[tuple[int, int]]
    norms: list[nn.BatchNorm2d]


@dataclass
class Source:
    """What leaves one node.

    Args:
        node: which one.
        edges: all edges out of it.
        stride: theirs.
        branches: sorted, see `Branch.order`.
        pools: one for each kind.
        skips: identities, and `none` where nothing else is there.
        reductions: (edge, primitive, module) of skips that halve the sides.
        others: (edge, primitive, module) of operations that are called as they are.
    """

    node: int
    edges: tuple[int, ...]
    stride: int
    branches: list[Branch] = field(default_factory=list)
    pools: list[Shared] = field(default_factory=list)
    skips: list[Shared] = field(default_factory=list)
    reductions: list[tuple[int, int, FactorizedReduction]] = field(default_factory=list)
    others: list[tuple[int, int, nn.Module]] = field(default_factory=list)

    def columns(self, *, training: bool) -> list[list[tuple[int, int]]]:
        """For each term, the (edge, primitive) pairs that it stands for, in the order in which terms are mixed."""
        found = [[(branch.edge, branch.primitive)] for branch in self.branches]
        for pool in self.pools:
            found += [pool.users] if training or not pool.norms else [[user] for user in pool.users]
        found += [skip.users for skip in self.skips]
        return found + [[(e, i)] for e, i, _ in (*self.reductions, *self.others)]

    def norms(self) -> list[nn.BatchNorm2d]:
        """All batch norms that are not within `others`."""
        found = [stage.norm for branch in self.branches for stage in branch.stages]
        found += [norm for pool in self.pools for norm in pool.norms]
        return found + [module.norm for _, _, module in self.reductions]


@dataclass(frozen=True)
class Weights:
    """The weights of what leaves one node.

    Args:
        terms: [edges, terms], of each term on each edge; [B, edges, terms] where samples have their own.
        edges: [edges], or [B, edges], or None for 1.
    """

    terms: Tensor
    edges: Tensor | None


@dataclass
class Plan:
    """The sources of a cell, and where each weight of the mixture goes among their terms' weights.

    Args:
        sources: by node.
        shapes: per source, how many edges and terms.
        places: [edges * primitives], where each entry of the mixture goes; what is not used goes behind the end.
        order: [edges], the edges source by source.
        norms: all batch norms, but those within operations that are called as they are.
    """

    sources: dict[int, Source]
    shapes: list[tuple[int, int]]
    places: Tensor
    order: Tensor
    norms: list[nn.BatchNorm2d]

    def to(self, device: torch.device) -> Plan:
        """The plan with its tensors on a device."""
        if self.places.device != device:
            self.places = to_device(self.places, device)
            self.order = to_device(self.order, device)
        return self

    def weights(
        self, mixture: Tensor, edge_weights: Tensor | None, samples: Tensor | None = None
    ) -> dict[int, Weights]:
        """The weights of each source.

        Args:
            mixture: [edges, primitives].
            edge_weights: [edges], or None for 1.
            samples: [edges, B], of an edge's whole output for each sample, or None for 1.
        """
        factors = mixture if edge_weights is None else mixture * edge_weights.unsqueeze(1)
        sizes = [edges * terms for edges, terms in self.shapes]
        flat = factors.new_zeros(sum(sizes) + 1).index_copy(0, self.places, factors.flatten())
        terms = [part.view(s) for part, s in zip(flat.split([*sizes, 1]), self.shapes, strict=False)]
        edges: Sequence[Tensor | None] = [None] * len(terms)
        if edge_weights is not None:
            edges = edge_weights.index_select(0, self.order).split([edges for edges, _ in self.shapes])
        if samples is not None:
            ordered = samples.to(mixture.dtype).index_select(0, self.order).t()
            own = ordered.split([edges for edges, _ in self.shapes], dim=1)
            terms = [t * s.unsqueeze(2) for t, s in zip(terms, own, strict=True)]
            edges = [s if e is None else e * s for e, s in zip(edges, own, strict=True)]
        return {node: Weights(t, e) for node, t, e in zip(self.sources, terms, edges, strict=True)}


def plan_cell(
    topology: Topology,
    edges: Sequence[PartialChannelEdge],
    primitives: int,
    active: Active | None,
    *,
    training: bool,
    changed: frozenset[EdgePrimitive] = frozenset(),
) -> Plan:
    """How a cell is computed.

    Args:
        topology: of the cell.
        edges: its mixed operations.
        primitives: how many the space has.
        active: [edges][primitives], what is to be computed; None for all that exists.
        training: whether batch norms use the batch's statistics, so that pools of one node share theirs.
        changed: whose outputs are changed; they are called as they are.
    """
    sources: dict[int, Source] = {}
    shapes, start = [], 0
    places = torch.full((len(edges), primitives), -1)
    for node in range(topology.inputs + topology.nodes):
        out = topology.out_of(node)
        if not out:
            continue
        source = _source(node, out, edges, active, changed)
        columns = source.columns(training=training)
        for column, users in enumerate(columns):
            for edge, primitive in users:
                places[edge, primitive] = start + out.index(edge) * len(columns) + column
        start += len(out) * len(columns)
        sources[node] = source
        shapes.append((len(out), len(columns)))
    places[places < 0] = start
    order = torch.tensor([edge for source in sources.values() for edge in source.edges])
    norms = [norm for source in sources.values() for norm in source.norms()]
    return Plan(sources, shapes, places.flatten(), order, norms)


def _source(
    node: int,
    out: tuple[int, ...],
    edges: Sequence[PartialChannelEdge],
    active: Active | None,
    changed: frozenset[EdgePrimitive],
) -> Source:
    source = Source(node, out, edges[out[0]].stride)
    shared: dict[int, Shared] = {}
    for edge in out:
        for primitive, module in _computed(edges[edge].mixed, None if active is None else active[edge]):
            stages = _stages(module)
            if (edge, primitive) in changed:
                source.others.append((edge, primitive, module))
            elif stages is not None:
                source.branches.append(Branch.of(edge, primitive, stages))
            elif isinstance(module, nn.Identity | Zero) or _pool(module) is not None:
                pool, norm = _pool(module) or (module, None)
                kind = shared.setdefault(primitive, Shared(pool, [], []))
                kind.users.append((edge, primitive))
                kind.norms.extend([] if norm is None else [norm])
            elif isinstance(module, FactorizedReduction) and not module.norm.affine:
                source.reductions.append((edge, primitive, module))
            else:
                source.others.append((edge, primitive, module))
    source.branches.sort(key=lambda branch: branch.order)
    source.branches = [replace(branch, place=place) for place, branch in enumerate(source.branches)]
    source.pools = [kind for kind in shared.values() if not isinstance(kind.module, nn.Identity | Zero)]
    source.skips = [kind for kind in shared.values() if isinstance(kind.module, nn.Identity | Zero)]
    return source


def _computed(mixed: MixedOperation, active: Sequence[bool] | None) -> list[tuple[int, nn.Module]]:
    """What `MixedOperation.forward` evaluates: `none`, or the first operation, only where nothing else is."""
    there = [(int(name), module) for name, module in mixed.operations.items()]
    chosen = [(i, m) for i, m in there if i != mixed.none_index and (active is None or active[i])]
    if chosen:
        return chosen
    return [there[0]] if mixed.none_index is None else [(i, m) for i, m in there if i == mixed.none_index]


def _stages(module: nn.Module) -> tuple[Stage, ...] | None:
    """The stages of an operation that is nothing but ReLUs, convolutions and batch norms; None for another."""
    parts, stages = list(module.children()) if isinstance(module, nn.Sequential) else [], []
    while parts:
        end = next((i for i, part in enumerate(parts) if isinstance(part, nn.BatchNorm2d)), None)
        if end is None or not isinstance(parts[0], nn.ReLU):
            return None
        convolutions, norm = parts[1:end], parts[end]
        assert isinstance(norm, nn.BatchNorm2d)
        if norm.affine or not convolutions:
            return None
        if not all(isinstance(c, nn.Conv2d) and c.in_channels == c.out_channels for c in convolutions):
            return None
        stages.append(Stage(tuple(c for c in convolutions if isinstance(c, nn.Conv2d)), norm))
        parts = parts[end + 1 :]
    return tuple(stages) or None


def _pool(module: nn.Module) -> tuple[nn.Module, nn.BatchNorm2d | None] | None:
    pools = (nn.MaxPool2d, nn.AvgPool2d)
    if isinstance(module, pools):
        return module, None
    parts = list(module.children()) if isinstance(module, nn.Sequential) else []
    if len(parts) == 2 and isinstance(parts[0], pools) and isinstance(parts[1], nn.BatchNorm2d):
        return None if parts[1].affine else (parts[0], parts[1])
    return None


def _signature(convolution: nn.Conv2d) -> Signature:
    c = convolution
    depthwise = c.groups == c.in_channels
    return (c.kernel_size, c.stride, c.padding, c.dilation, depthwise, c.bias is not None)


Kind = Callable[[Branch], object]
"""What the branches of one call have in common."""
