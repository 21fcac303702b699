"""A mixed cell on the CPU in a few calls: what one source node sends out, and what comes back to it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from edgewise.nn.engines.native.addends import Coefficients, Layout, Term
from edgewise.nn.engines.native.kernels import Convolutions, Kernels, Norms, Shape, View
from edgewise.nn.engines.native.plan import Source
from edgewise.nn.hooks import Change


@dataclass(frozen=True)
class Changed:
    """An identity's output behind a change, with the small graph of the change.

    Args:
        x: what goes in, [N, C, H, W]; a leaf.
        y: what comes out.
        memory: y's numbers, contiguous.
    """

    x: Tensor
    y: Tensor
    memory: Tensor

    @staticmethod
    def of(change: Change, x: Tensor) -> Changed:
        """Applies a change."""
        leaf = x.detach().requires_grad_()
        with torch.enable_grad():
            y = change(leaf)
        return Changed(leaf, y, y.detach().contiguous())

    @property
    def view(self) -> View:
        """The output's planes."""
        return View.of(self.memory)

    def back(self, grad: Tensor) -> Tensor:
        """From the output's gradient to the input's."""
        return torch.autograd.grad(self.y, self.x, grad, retain_graph=True)[0]


@dataclass
class SourceState:
    """What the forward pass of one source left behind for the backward pass.

    Args:
        shape: of the share that goes through the operations.
        x: the share.
        first: weights of the first (or only) stage of each branch.
        second: weights of the second stages.
        y1: outputs of `first`, [N, branches * C, H', W'].
        y2: outputs of `second`.
        norms1: statistics of y1.
        norms2: statistics of y2.
        pools: max and average pool, [N, C, H', W'], or None each.
        pool_norms: their statistics, for each edge.
        rest: what passes the operations by, [N, channels, H', W'].
        rest_indices: of its 2x2 pool, where there is one.
        terms: all addends.
        changed: identities whose outputs are changed, by (edge, primitive).
        keep: tensors that must outlive the views.
    """

    shape: Shape
    x: View
    first: Convolutions | None = None
    second: Convolutions | None = None
    y1: Tensor | None = None
    y2: Tensor | None = None
    norms1: Norms | None = None
    norms2: Norms | None = None
    pools: list[Tensor | None] = field(default_factory=lambda: [None, None])
    pool_norms: list[list[Norms]] = field(default_factory=lambda: [[], []])
    rest: View | None = None
    rest_indices: Tensor | None = None
    terms: list[Term] = field(default_factory=list)
    changed: dict[tuple[int, int], Changed] = field(default_factory=dict)
    keep: list[Any] = field(default_factory=list)


class Pass:
    """One forward pass of one cell.

    Args:
        kernels: for the tensors' type.
        layout: of the cell.
        found: the sources, in the order of nodes.
        training: whether batch norms use the batch's statistics.
        record: whether they also record them.
        changes: of the outputs of identities, by (edge, primitive).
    """

    def __init__(
        self,
        kernels: Kernels,
        layout: Layout,
        found: Sequence[Source],
        *,
        training: bool,
        record: bool,
        changes: Mapping[tuple[int, int], Change],
    ) -> None:
        self.kernels = kernels
        self.layout = layout
        self.sources = {source.node: source for source in found}
        self.training = training
        self.record = record
        self.changes = changes
        self.source_states: dict[int, SourceState] = {}

    def compute_source(self, node: int, tensor: Tensor, channel: int, extra: dict[int, Tensor]) -> SourceState:
        """Computes everything that leaves a node.

        Args:
            node: the source.
            tensor: holds its state, [N, channels, H, W].
            channel: where the state begins in it.
            extra: outputs of skips that halve the sides, by edge.
        """
        source, share = self.sources[node], self.layout.share
        n, _, h, w = tensor.shape
        pad = max((stage.pad for branch in source.branches for stage in branch.stages[:1]), default=0)
        state = SourceState(Shape(n, share, h, w, source.stride, pad), View.of(tensor, channel))
        self.source_states[node] = state
        self._convolve(source, state, tensor.new_empty)
        self._pool(source, state, tensor.new_empty)
        own = tensor[:, channel : channel + share]
        for edge, i in source.skips:
            change = self.changes.get((edge, i))
            if change is not None:
                state.changed[edge, i] = Changed.of(change, own)
            state.terms.append(Term(edge, i, state.x if change is None else state.changed[edge, i].view, None))
        state.terms += [Term(edge, i, View.of(extra[edge]), None) for edge, i, _ in source.reduced]
        if self.layout.k > 1:
            self._pass_by(state, tensor, channel + share)
        return state

    def _convolve(self, source: Source, state: SourceState, new_empty: Any) -> None:
        branches, two_stage = source.branches, source.two_stage
        if not branches:
            return
        kernels, shape, c = self.kernels, state.shape, self.layout.share
        n, (ho, wo) = shape.n, shape.out
        stages = [branch.stages[0] for branch in branches]
        state.first = Convolutions.of([(*stage.weights, stage.dilation) for stage in stages])
        state.y1 = y1 = new_empty(n, len(branches) * c, ho, wo)
        sums = kernels.branches_forward(shape, state.x, 0, None, state.first, y1)
        state.norms1 = self._norms(sums, [stage.norm for stage in stages], n * ho * wo)
        if two_stage:
            seconds = [branch.stages[1] for branch in two_stage]
            state.second = Convolutions.of([(*stage.weights, stage.dilation) for stage in seconds])
            state.y2 = y2 = new_empty(n, len(two_stage) * c, ho, wo)
            inner = Shape(n, c, ho, wo, 1, max(stage.pad for stage in seconds))
            sums = kernels.branches_forward(inner, View.of(y1), c * ho * wo, state.norms1.affine, state.second, y2)
            state.norms2 = self._norms(sums, [stage.norm for stage in seconds], n * ho * wo)
        for b, branch in enumerate(branches):
            y, norms = (state.y1, state.norms1) if b >= len(two_stage) else (state.y2, state.norms2)
            assert y is not None
            assert norms is not None
            state.terms.append(Term(branch.edge, branch.primitive, View.of(y, b * c), norms.part(b, c)))

    def _norms(self, sums: np.ndarray, norms: list[nn.BatchNorm2d], count: int) -> Norms:
        c = self.layout.share
        if self.training:
            return self.kernels.norms(sums, len(norms), c, count, norms, record=self.record)
        mean = torch.cat([norm.running_mean for norm in norms])  # type: ignore[list-item]
        var = torch.cat([norm.running_var for norm in norms])  # type: ignore[list-item]
        return Norms(mean.double().numpy(), (var.double() + norms[0].eps).rsqrt().numpy())

    def _pool(self, source: Source, state: SourceState, new_empty: Any) -> None:
        kinds = (source.max_pools, source.avg_pools)
        if not any(kinds):
            return
        n, c, (ho, wo) = state.shape.n, self.layout.share, state.shape.out
        state.pools = [new_empty(n, c, ho, wo) if pools else None for pools in kinds]
        sums = self.kernels.pools_forward(state.shape, state.x, *state.pools)
        for at, pools in enumerate(kinds):
            plane = state.pools[at]
            if plane is None:
                continue
            own = np.ascontiguousarray(sums[:, :, 2 * at : 2 * at + 2])
            # The same planes on every edge, and so the same statistics of a batch; what is recorded may differ.
            tiled = np.tile(own, (1, len(pools), 1)) if self.training else own
            norms = self._norms(tiled, [pool.norm for pool in pools], n * ho * wo)
            state.pool_norms[at] = [norms.part(b, c) for b in range(len(pools))]
            view = View.of(plane)
            state.terms += [
                Term(pool.edge, pool.primitive, view, part)
                for pool, part in zip(pools, state.pool_norms[at], strict=True)
            ]

    def _pass_by(self, state: SourceState, tensor: Tensor, channel: int) -> None:
        if state.shape.stride == 1:
            state.rest = View.of(tensor, channel)
            return
        width = self.layout.c - self.layout.share
        rest, state.rest_indices = F.max_pool2d(
            tensor[:, channel : channel + width], 2, 2, ceil_mode=True, return_indices=True
        )
        state.keep.append(rest)
        state.rest = View.of(rest)

    def sum_into(
        self, node: int, sources: Sequence[tuple[int, int]], coefficients: Coefficients, out: Tensor
    ) -> None:
        """Writes a node's planes into the cell's output.

        Args:
            node: the target.
            sources: (edge, source) of each edge into it.
            coefficients: what each term counts.
            out: [N, nodes * C, H', W'].
        """
        layout, share = self.layout, self.layout.share
        n, plane = out.shape[0], out.shape[2] * out.shape[3]
        to, edges = View.of(out), {edge for edge, _ in sources}
        terms = [term for _, source in sources for term in self.source_states[source].terms if term.edge in edges]
        weights, shift = coefficients.affine(terms, share)
        of_terms = coefficients.samples_of([term.edge for term in terms])
        channels = np.arange(share, dtype=np.int64)
        self.kernels.weighted_sum(
            (n, share, plane),
            [term.view for term in terms],
            channels,
            weights,
            shift,
            to,
            layout.mixed(node),
            add=False,
            samples=of_terms,
        )
        if layout.k > 1:
            width = layout.c - share
            rests = [self.source_states[source].rest for _, source in sources]
            factors = np.array([coefficients.edges[edge] for edge, _ in sources])
            self.kernels.weighted_sum(
                (n, width, plane),
                [rest for rest in rests if rest is not None],
                np.arange(width, dtype=np.int64),
                np.repeat(factors[:, None], width, axis=1),
                None,
                to,
                layout.passed(node),
                add=False,
                samples=coefficients.samples_of([edge for edge, _ in sources]),
            )
