"""A mixed cell: terms of all sources, weighed sums at the nodes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from edgewise.nn.drawn_hooks import DrawnHooks
from edgewise.nn.engines.engine import Engine
from edgewise.nn.engines.grouped.branches import run_branches
from edgewise.nn.engines.grouped.norms import Norms
from edgewise.nn.engines.grouped.plan import EdgePrimitive, Plan, Source, Weights, plan_cell
from edgewise.nn.engines.grouped.pools import run_pool
from edgewise.nn.engines.grouped.reductions import run_reductions
from edgewise.nn.engines.grouped.weigh import weigh
from edgewise.nn.hooks import Change
from edgewise.nn.mixed import join_nodes
from edgewise.nn.mixture import Mixture
from edgewise.spaces.space import CellSpace


class GroupedEngine(Engine):
    """Computes a cell's nodes from its own modules: everything of a kind that leaves a node is one operator call.

    A term is the output of an operation, or of several that are the same, such as a pool on all edges out of a
    node. The terms of a node's edges are mixed by a matrix product, [edges, terms] times [terms, pixels], in which
    a term counts zero on edges that it does not belong to. It is as general as the modules.
    """

    def __init__(self, space: CellSpace, edges: nn.ModuleList) -> None:
        super().__init__(space, edges)
        self._plans: dict[tuple[bool, frozenset[EdgePrimitive]], Plan] = {}

    def prepare(self) -> None:
        """Plans passes in which nothing is drawn, on the device where the operations are."""
        device = next((parameter.device for parameter in self._modules.parameters()), torch.device("cpu"))
        for training in (True, False):
            self._plan(None, frozenset(), training=training).to(device)

    def __call__(
        self, inputs: Sequence[Tensor], mixture: Mixture, edge_weights: Tensor | None, changes: DrawnHooks
    ) -> Tensor:
        """See `Engine`."""
        training = self._modules.training
        plan = self._plan(mixture.active, frozenset(changes.outputs), training=training)
        plan = plan.to(mixture.weights.device)
        norms, states = Norms(plan.norms, training=training), list(inputs)
        # Views gather a cell's gradients before they leave it: the order of sums is that of a recomputed cell.
        own = mixture.weights.view_as(mixture.weights)
        factors = None if edge_weights is None else edge_weights.view_as(edge_weights)
        weights = plan.weights(own, factors, changes.edges)
        sums: dict[int, _Sum] = {node: _Sum() for node in self.space.inner}
        for node in range(len(inputs) + len(sums)):
            if node in sums:
                states.append(sums[node].value(self._k))
            if node in weights:
                self._send(plan.sources[node], states[node], weights[node], sums, norms, changes.outputs)
        norms.record()
        return join_nodes(states, self.space)

    def _plan(self, drawn: Tensor | None, changed: frozenset[EdgePrimitive], *, training: bool) -> Plan:
        """Made anew where operations are drawn: it is another one each time."""
        if drawn is None and (training, changed) in self._plans:
            return self._plans[training, changed]
        active = None if drawn is None else drawn.tolist()
        primitives = len(self.space.primitives)
        plan = plan_cell(self.space.topology, self.edges, primitives, active, training=training, changed=changed)
        if active is None:
            self._plans[training, changed] = plan
        return plan

    def _send(
        self,
        source: Source,
        x: Tensor,
        weights: Weights,
        sums: Mapping[int, _Sum],
        norms: Norms,
        changes: Mapping[EdgePrimitive, Change],
    ) -> None:
        """Adds what the edges out of a node carry to the nodes that they lead to."""
        share, rest = self._split(x)
        terms = self._terms(source, share, norms, changes)
        parts = weights.terms.split([term.shape[1] for term in terms], dim=-1)
        total: Tensor | None = None
        for term, part in zip(terms, parts, strict=True):
            total = weigh(part, term, total)
        assert total is not None
        targets = [sums[self.space.topology.edges[edge][1]] for edge in source.edges]
        height, width = (-(-side // source.stride) for side in x.shape[2:])
        for target, value in zip(targets, total.unbind(1), strict=True):
            target.mixed.append(value.unflatten(1, (share.shape[1], height, width)))
        if rest is None:
            return
        if source.stride == 2:
            rest = F.max_pool2d(rest, 2, 2, ceil_mode=True)
        passed: Sequence[Tensor] = [rest] * len(targets)
        if weights.edges is not None:
            scaled = weigh(weights.edges.unsqueeze(-1), rest.flatten(1).unsqueeze(1))
            passed = [value.view(rest.shape) for value in scaled.unbind(1)]
        for target, value in zip(targets, passed, strict=True):
            target.passed.append(value)

    @property
    def _k(self) -> int:
        return self.edges[0].k

    def _split(self, x: Tensor) -> tuple[Tensor, Tensor | None]:
        """The channels that are mixed and those that pass."""
        share = x.shape[1] // self._k
        if self._k == 1:
            return x, None
        mixed, rest = x.split([share, x.shape[1] - share], dim=1)
        return mixed, rest

    def _terms(
        self, source: Source, share: Tensor, norms: Norms, changes: Mapping[EdgePrimitive, Change]
    ) -> list[Tensor]:
        """[B, terms, C * h * w] each, in the order of `Source.columns`."""
        channels, merge = share.shape[1], merges(share)
        pieces = run_branches(share, source.branches, norms, merge=merge) if source.branches else []
        pieces.sort(key=lambda piece: piece[1][0].place)
        others = _others(share, source, norms)
        for edge, primitive, module in source.others:
            change = changes.get((edge, primitive))
            others.append(module(share) if change is None else change(module(share)))
        apart = [] if merge else [x for x, _ in pieces]
        together = [x for x, _ in pieces] + others if merge else others
        if len(together) > 1:
            together = [torch.cat(together, dim=1)]
        return [x.unflatten(1, (-1, channels)).flatten(2) for x in apart + together]


def _others(share: Tensor, source: Source, norms: Norms) -> list[Tensor]:
    """Pools, skips and reductions: [B, C, h, w] each; for each user, where their batch norms make them differ."""
    found: list[tuple[Tensor, list[nn.BatchNorm2d]]] = []
    for shared in (*source.pools, *source.skips):
        out, users = run_pool(shared.module, share), len(shared.norms)
        found.append((out if norms.training or not users else out.repeat(1, users, 1, 1), shared.norms))
    modules = [module for _, _, module in source.reductions]
    if modules:
        found.append((run_reductions(share, modules), [module.norm for module in modules]))
    normed = iter(norms([pair for pair in found if pair[1]]))
    return [next(normed) if own else x for x, own in found]


@dataclass
class _Sum:
    """What a node has received.

    Args:
        mixed: outputs of mixed operations.
        passed: channels that went around them.
    """

    mixed: list[Tensor] = field(default_factory=list)
    passed: list[Tensor] = field(default_factory=list)

    def value(self, k: int) -> Tensor:
        """The sum, with its channels shuffled in K groups."""
        mixed = _total(self.mixed)
        if not self.passed:
            return mixed
        batch, channels, height, width = mixed.shape
        passed = _total(self.passed).view(batch, k - 1, channels, height, width).transpose(1, 2)
        return torch.cat([mixed.unsqueeze(2), passed], dim=2).flatten(1, 2)


def _total(values: Sequence[Tensor]) -> Tensor:
    total = values[0]
    for value in values[1:]:
        total = total + value
    return total


def merges(x: Tensor) -> bool:
    """Whether fewer calls are worth more copies for such a tensor: everywhere but on the CPU."""
    return x.device.type != "cpu"
