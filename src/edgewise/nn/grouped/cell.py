"""A mixed cell: terms of all sources, weighed sums at the nodes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import torch
import torch.nn.functional as F
from torch import Tensor

from edgewise.nn.grouped.branches import run_branches
from edgewise.nn.grouped.norms import Norms
from edgewise.nn.grouped.plan import Plan, Shared, Source, plan_cell
from edgewise.nn.grouped.pools import run_pool
from edgewise.nn.grouped.reductions import run_reductions
from edgewise.nn.mixed import PartialChannelEdge
from edgewise.nn.mixture import Mixture
from edgewise.spaces.space import CellSpace


class GroupedCell:
    """Computes a cell's nodes from its own modules: everything of a kind that leaves a node is one operator call.

    A term is the output of an operation, or of several that are the same, such as a pool on all edges out of a
    node. The terms of a node's edges are mixed by a matrix product, [edges, terms] times [terms, pixels], in which
    a term counts zero on edges that it does not belong to.

    Args:
        space: the cell's.
        edges: its mixed operations; their weights and batch norms stay where they are.
    """

    def __init__(self, space: CellSpace, edges: Sequence[PartialChannelEdge]) -> None:
        self.space = space
        self.edges = edges
        self._plans: dict[bool, Plan] = {}

    def nodes(
        self,
        inputs: Sequence[Tensor],
        mixture: Mixture,
        edge_weights: Tensor | None,
        *,
        training: bool,
    ) -> list[Tensor]:
        """The values of all nodes, the inputs first, as `mix_nodes` gives them, rounding aside.

        Args:
            inputs: [B, C, H, W] each.
            mixture: weights [edges, primitives].
            edge_weights: [edges], a factor for each edge, or None for 1.
            training: whether batch norms use the batch's statistics.
        """
        plan = self._plan(mixture, training=training).to(mixture.weights.device)
        norms, states = Norms(plan.norms, training=training), list(inputs)
        terms = plan.term_weights(mixture.weights, edge_weights)
        betas = [None] * len(terms) if edge_weights is None else plan.edge_weights(edge_weights)
        at = {source.node: i for i, source in enumerate(plan.sources)}
        sums: dict[int, _Sum] = {node: _Sum() for node in self.space.inner}
        for node in range(len(inputs) + len(sums)):
            if node in sums:
                states.append(sums[node].value(self.edges[0].k))
            if node in at:
                i = at[node]
                self._send(plan.sources[i], states[node], terms[i], betas[i], sums, norms)
        norms.record()
        return states

    def _plan(self, mixture: Mixture, *, training: bool) -> Plan:
        """Made anew where operations are drawn: it is another one each time."""
        if mixture.active is None and training in self._plans:
            return self._plans[training]
        active = None if mixture.active is None else mixture.active.tolist()
        plan = plan_cell(self.space.topology, self.edges, len(self.space.primitives), active, training=training)
        if active is None:
            self._plans[training] = plan
        return plan

    def _send(
        self,
        source: Source,
        x: Tensor,
        weights: Tensor,
        betas: Tensor | None,
        sums: Mapping[int, _Sum],
        norms: Norms,
    ) -> None:
        """Adds what the edges out of a node carry to the nodes that they lead to."""
        k, (batch, channels, height, width) = self.edges[0].k, x.shape
        share, rest = (x, None) if k == 1 else x.split([channels // k, channels - channels // k], dim=1)
        height, width = -(-height // source.stride), -(-width // source.stride)
        out: Tensor | None = None
        terms = self._terms(source, share, norms)
        for term, part in zip(terms, weights.split([t.shape[1] for t in terms], dim=1), strict=True):
            part = part.expand(batch, -1, -1)
            out = torch.bmm(part, term) if out is None else out.baddbmm_(part, term)
        assert out is not None
        targets = [sums[self.space.topology.edges[edge][1]] for edge in source.edges]
        for target, value in zip(targets, out.unbind(1), strict=True):
            target.mixed.append(value.view(batch, channels // k, height, width))
        if rest is None:
            return
        if source.stride == 2:
            rest = F.max_pool2d(rest, 2, 2, ceil_mode=True)
        if betas is None:
            passed = [rest] * len(targets)
        else:
            outer = torch.bmm(betas.view(1, -1, 1).expand(batch, -1, -1), rest.flatten(1).unsqueeze(1))
            passed = [value.view(rest.shape) for value in outer.unbind(1)]
        for target, value in zip(targets, passed, strict=True):
            target.passed.append(value)

    def _terms(self, source: Source, share: Tensor, norms: Norms) -> list[Tensor]:
        """[B, terms, C * h * w] each, in the order of `Source.columns`."""
        channels, merge = share.shape[1], merges(share)
        pieces = run_branches(share, source.branches, norms, merge=merge) if source.branches else []
        pieces.sort(key=lambda piece: source.branches.index(piece[1][0]))
        others = [_shared(share, shared, norms) for shared in (*source.pools, *source.skips)]
        if source.reductions:
            others.append(run_reductions(share, [module for _, _, module in source.reductions], norms))
        others += [module(share) for _, _, module in source.others]
        branches, rest = [
            [x.unflatten(1, (-1, channels)).flatten(2) for x in outputs] for outputs in ([x for x, _ in pieces], others)
        ]
        if merge:
            branches, rest = [], branches + rest
        return branches + ([torch.cat(rest, dim=1)] if len(rest) > 1 else rest)


def _shared(share: Tensor, shared: Shared, norms: Norms) -> Tensor:
    """[B, C, h, w], or in evaluation, where batch norms differ, [B, users * C, h, w]."""
    out = run_pool(shared.module, share)
    if not shared.norms:
        return out
    return norms(out if norms.training else out.repeat(1, len(shared.norms), 1, 1), shared.norms)


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
