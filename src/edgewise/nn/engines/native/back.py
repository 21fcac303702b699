"""The backward pass of a mixed cell: from its output's gradient to those of inputs, weights and mixture."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from edgewise.nn.engines.native.addends import Coefficients
from edgewise.nn.engines.native.cell import Pass, SourceState
from edgewise.nn.engines.native.kernels import Convolutions, Norms, Shape, View
from edgewise.nn.engines.native.plan import Source
from edgewise.nn.engines.native.upstream import Upstream

Affine = tuple[np.ndarray, np.ndarray, np.ndarray]
Row = tuple[View, np.ndarray, Affine]
"""Where a branch's upstream gradient lies, in which channels, and a, b, d of dy = a * g + b * y + d."""


@dataclass
class Gradients:
    """What a backward pass fills.

    Args:
        out: of the cell's output, [N, nodes * C, H', W']; inner nodes add their own to it.
        inputs: of the cell's inputs, [N, C, H, W] each.
        mixture: [edges, primitives], float64.
        edges: [edges], float64.
        extra: of skips that halve the sides, by edge.
        weights: of each stage's pair of weights, by the depthwise weight's address; empty if not asked for.
    """

    out: Tensor
    inputs: list[Tensor]
    mixture: np.ndarray
    edges: np.ndarray
    extra: dict[int, Tensor]
    weights: dict[int, tuple[Tensor, Tensor]]


@dataclass(frozen=True)
class Sums:
    """Per channel, the sum of g and of g * y over samples and pixels, for one term."""

    g: np.ndarray
    gy: np.ndarray

    def normed(self, norms: Norms) -> np.ndarray:
        """The sum of g * (y - mean) / standard deviation."""
        return norms.rstd * (self.gy - norms.mean * self.g)


class Backward:
    """Goes back through one forward pass.

    Args:
        forward: the pass.
        coefficients: what each term counted.
        targets: of each edge.
        gradients: filled on the way.
        want_weights: whether the weights' gradients are asked for.
    """

    def __init__(
        self,
        forward: Pass,
        coefficients: Coefficients,
        targets: Sequence[int],
        gradients: Gradients,
        *,
        want_weights: bool,
    ) -> None:
        self.forward = forward
        self.kernels = forward.kernels
        self.layout = forward.layout
        self.coefficients = coefficients
        self.targets = targets
        self.gradients = gradients
        self.want_weights = want_weights
        self.g = View.of(gradients.out)
        self.plane = gradients.out.shape[2] * gradients.out.shape[3]
        self.count = gradients.out.shape[0] * self.plane

    def run(self) -> None:
        """All sources, from the last node to the cell's inputs: a node's gradient is whole when its turn comes."""
        for node in sorted(self.forward.sources, reverse=True):
            inner = node - self.layout.inputs
            if inner >= 0:
                self._source(node, self.gradients.out, inner * self.layout.c)
            else:
                self._source(node, self.gradients.inputs[node], 0)

    def _source(self, node: int, dx: Tensor, channel: int) -> None:
        source, state = self.forward.sources[node], self.forward.source_states[node]
        sums = self._dots(source, state)
        to = View.of(dx, channel)
        self._convolutions(source, state, sums, to)
        self._pools(source, state, sums, to)
        self._skips(source, state, dx, channel)
        if self.layout.k > 1:
            self._rest(source, state, dx, channel + self.layout.share)

    def _dots(self, source: Source, state: SourceState) -> dict[tuple[int, int], Sums]:
        """The sums of every term, which are also the gradients of mixture and edge weights."""
        share, found = self.layout.share, {}
        channels = np.arange(share, dtype=np.int64)
        for edge in source.edges:
            terms = [term for term in state.terms if term.edge == edge]
            table = self.kernels.term_dots(
                (state.shape.n, share, self.plane),
                self.g,
                self.layout.mixed(self.targets[edge]),
                [term.view for term in terms],
                channels,
                self._samples(edge),
            )
            for t, term in enumerate(terms):
                sums = Sums(table[-1], table[t])
                found[edge, term.primitive] = sums
                inner = sums.gy if term.norms is None else sums.normed(term.norms)
                whole = float(inner.sum())
                self.gradients.mixture[edge, term.primitive] = whole * self.coefficients.edges[edge]
                self.gradients.edges[edge] += whole * self.coefficients.mixture[edge, term.primitive]
        return found

    def _behind_norm(self, factor: float, norms: Norms, sums: Sums) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """a, b, d of dy = a * g + b * y + d, for g behind a factor and a batch norm."""
        a = factor * norms.rstd
        if not self.forward.training:
            return a, np.zeros_like(a), np.zeros_like(a)
        b = -a * norms.rstd * sums.normed(norms) / self.count
        return a, b, -a * sums.g / self.count - b * norms.mean

    def _samples(self, edge: int) -> np.ndarray | None:
        return None if self.coefficients.samples is None else self.coefficients.samples[edge]

    def _upstream(self, rows: list[Row], samples: np.ndarray | None) -> Upstream:
        return Upstream(
            np.array([view.address for view, _, _ in rows], dtype=np.int64),
            np.array([view.stride for view, _, _ in rows], dtype=np.int64),
            np.concatenate([channels for _, channels, _ in rows]),
            *(np.concatenate([affine[i] for _, _, affine in rows]) for i in range(3)),
            samples=samples,
        )

    def _convolutions(
        self, source: Source, state: SourceState, sums: dict[tuple[int, int], Sums], dx: View
    ) -> None:
        if state.first is None or state.y1 is None:
            return
        c, two_stage = self.layout.share, source.two_stage
        rows = []
        for b, branch in enumerate(source.branches):
            norms = state.norms2 if b < len(two_stage) else state.norms1
            assert norms is not None
            key = branch.edge, branch.primitive
            behind = self._behind_norm(self._factor(*key), norms.part(b, c), sums[key])
            rows.append((self.g, self.layout.mixed(self.targets[branch.edge]), behind))
        # Holds the planes that the first rows then point to.
        between = state.y1.new_empty(state.shape.n, len(two_stage) * c, *state.shape.out)
        samples = self.coefficients.samples_of([branch.edge for branch in source.branches])
        if two_stage:
            rows[: len(two_stage)] = self._second_stages(source, state, rows[: len(two_stage)], between)
            if samples is not None:
                samples[: len(two_stage)] = 1.0
        self.kernels.branches_backward(
            state.shape,
            state.x,
            0,
            None,
            state.first,
            state.y1,
            self._upstream(rows, samples),
            self._weights([branch.stages[0].weights for branch in source.branches], state.first),
            dx,
        )

    def _second_stages(self, source: Source, state: SourceState, rows: list[Row], between: Tensor) -> list[Row]:
        """Fills `between` with the gradients of the first outputs, normed; returns what is behind them."""
        assert state.y1 is not None
        assert state.y2 is not None
        assert state.norms1 is not None
        assert state.second is not None
        c, (ho, wo) = self.layout.share, state.shape.out
        seconds = [branch.stages[1] for branch in source.two_stage]
        found = self.kernels.branches_backward(
            Shape(state.shape.n, c, ho, wo, 1, max(stage.pad for stage in seconds)),
            View.of(state.y1),
            c * ho * wo,
            state.norms1.affine,
            state.second,
            state.y2,
            self._upstream(rows, self.coefficients.samples_of([branch.edge for branch in source.two_stage])),
            self._weights([stage.weights for stage in seconds], state.second),
            View.of(between),
        )
        assert found is not None
        table, behind = found.sum(0), []
        for b in range(len(seconds)):
            part = slice(b * c, (b + 1) * c)
            sums = Sums(table[part, 0], table[part, 1])
            affine = self._behind_norm(1.0, state.norms1.part(b, c), sums)
            behind.append((View.of(between), np.arange(b * c, (b + 1) * c, dtype=np.int64), affine))
        return behind

    def _weights(self, pairs: list[tuple[Tensor, Tensor]], like: Convolutions) -> Convolutions | None:
        if not self.want_weights:
            return None
        pairs_of_gradients, sizes = [], [weight.numel() for pair in pairs for weight in pair]
        parts = iter(pairs[0][0].new_empty(sum(sizes)).split(sizes))
        for dw, pw in pairs:
            grads = next(parts).view(dw.shape), next(parts).view(pw.shape)
            self.gradients.weights[dw.data_ptr()] = grads
            pairs_of_gradients.append((*grads, 1))
        fresh = Convolutions.of(pairs_of_gradients)
        return Convolutions(like.k, like.dilation, fresh.dw, fresh.pw)

    def _pools(self, source: Source, state: SourceState, sums: dict[tuple[int, int], Sums], dx: View) -> None:
        back: list[Tensor | None] = [None, None]
        share = self.layout.share
        for at, pools in enumerate((source.max_pools, source.avg_pools)):
            plane, norms = state.pools[at], state.pool_norms[at]
            if plane is None:
                continue
            factors = [self._factor(pool.edge, pool.primitive) for pool in pools]
            both = [sums[pool.edge, pool.primitive] for pool in pools]
            joint = Sums(
                sum((f * s.g for f, s in zip(factors, both, strict=True)), np.zeros(share)),
                sum((f * s.gy for f, s in zip(factors, both, strict=True)), np.zeros(share)),
            )
            # In training all edges have the same statistics; in evaluation b and d are zero.
            _, b, d = self._behind_norm(1.0, norms[0], joint)
            grad = back[at] = torch.empty_like(plane)
            out, channels = View.of(grad), np.arange(share, dtype=np.int64)
            planes = (state.shape.n, share, self.plane)
            self.kernels.weighted_sum(
                planes, [View.of(plane)], channels, b[None], d[None], out, channels, add=False
            )
            for pool, factor, own in zip(pools, factors, norms, strict=True):
                self._carry(state, pool.edge, factor * own.rstd, out, add=True)
        if any(grad is not None for grad in back):
            self.kernels.pools_backward(state.shape, state.x, back[0], back[1], dx)

    def _factor(self, edge: int, primitive: int) -> float:
        return float(self.coefficients.mixture[edge, primitive] * self.coefficients.edges[edge])

    def _carry(self, state: SourceState, edge: int, factor: float | np.ndarray, out: View, *, add: bool) -> None:
        """Sends the gradient of an edge's target, times a factor, to planes of the share."""
        share = self.layout.share
        self.kernels.weighted_sum(
            (state.shape.n, share, self.plane),
            [self.g],
            self.layout.mixed(self.targets[edge]),
            np.full((1, share), factor),
            None,
            out,
            np.arange(share, dtype=np.int64),
            add=add,
            samples=self._samples(edge),
        )

    def _skips(self, source: Source, state: SourceState, dx: Tensor, channel: int) -> None:
        for edge, i in source.skips:
            if (edge, i) in state.changed:
                dx[:, channel : channel + self.layout.share] += state.changed[edge, i].back(
                    self._alone(state, edge, i)
                )
            else:
                self._carry(state, edge, self._factor(edge, i), View.of(dx, channel), add=True)
        for edge, i, _ in source.reduced:
            self.gradients.extra[edge] = self._alone(state, edge, i)

    def _alone(self, state: SourceState, edge: int, i: int) -> Tensor:
        """The gradient of one operation's output."""
        grad = self.gradients.out.new_empty(state.shape.n, self.layout.share, *state.shape.out)
        self._carry(state, edge, self._factor(edge, i), View.of(grad), add=False)
        return grad

    def _rest(self, source: Source, state: SourceState, dx: Tensor, channel: int) -> None:
        width = self.layout.c - self.layout.share
        planes, channels = (state.shape.n, width, self.plane), np.arange(width, dtype=np.int64)
        assert state.rest is not None
        pooled = state.rest_indices is not None
        grad = dx.new_zeros(state.shape.n, width, *state.shape.out) if pooled else None
        to = View.of(dx, channel) if grad is None else View.of(grad)
        for edge in source.edges:
            there = self.layout.passed(self.targets[edge])
            samples = self._samples(edge)
            table = self.kernels.term_dots(planes, self.g, there, [state.rest], channels, samples)
            self.gradients.edges[edge] += float(table[0].sum())
            factor = np.full((1, width), self.coefficients.edges[edge])
            self.kernels.weighted_sum(
                planes, [self.g], there, factor, None, to, channels, add=True, samples=samples
            )
        if grad is not None:
            part = dx[:, channel : channel + width]
            part += torch.ops.aten.max_pool2d_with_indices_backward(
                grad, part, [2, 2], [2, 2], [0, 0], [1, 1], True, state.rest_indices
            )
