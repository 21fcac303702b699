"""The mixed cell as one differentiable function."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from edgewise.nn.drawn_hooks import DrawnHooks
from edgewise.nn.engines.native.addends import Coefficients, Layout
from edgewise.nn.engines.native.back import Backward, Gradients
from edgewise.nn.engines.native.cell import Pass, SourceState
from edgewise.nn.engines.native.kernels import Kernels
from edgewise.nn.engines.native.plan import Source


@dataclass(frozen=True)
class CellCall:
    """What a cell needs besides tensors.

    Args:
        layout: of the cell.
        edges: (source, target) pairs.
        into: per inner node, (edge, source) of the edges into it.
        sources: what leaves each node.
        training: whether batch norms use the batch's statistics.
        record: whether they record them.
        changes: drawn for this pass.
    """

    layout: Layout
    edges: tuple[tuple[int, int], ...]
    into: dict[int, tuple[tuple[int, int], ...]]
    sources: Sequence[Source]
    training: bool
    record: bool
    changes: DrawnHooks

    @property
    def reduced(self) -> list[int]:
        """The edges whose skip comes from outside."""
        return [edge for source in self.sources for edge, _, _ in source.reduced]

    def weights(self) -> list[Tensor]:
        """The weights of all stages that are computed, depthwise before pointwise."""
        return [
            weight
            for source in self.sources
            for branch in source.branches
            for stage in branch.stages
            for weight in stage.weights
        ]


_KEPT = 6


def _release(state: SourceState) -> list[Tensor | None]:
    """Takes the tensors out of what a source left behind: autograd keeps them, and frees them in time."""
    found = [state.y1, state.y2, *state.pools, state.rest_indices, *(state.keep or [None])]
    state.y1 = state.y2 = state.rest_indices = None
    state.pools, state.keep = [None, None], []
    return found


def _restore(sources: Iterable[SourceState], kept: Sequence[Tensor | None], places: Sequence[int]) -> None:
    if [_place(tensor) for tensor in kept] != places:
        raise RuntimeError(
            "the kernels of mixed cells find saved tensors moved (by saved-tensor hooks?): set search.engine="
            "plain or search.memory=low"
        )
    for at, state in enumerate(sources):
        state.y1, state.y2, top, mean, state.rest_indices, rest = kept[at * _KEPT : (at + 1) * _KEPT]
        state.pools, state.keep = [top, mean], [rest]


def _place(tensor: Tensor | None) -> int:
    return 0 if tensor is None else tensor.data_ptr()


class CellFunction(torch.autograd.Function):
    """Both inputs, the mixture and the weights to the output of a cell."""

    @staticmethod
    def forward(
        ctx: Any,
        call: CellCall,
        inputs: int,
        mixture: Tensor,
        edge_weights: Tensor | None,
        *tensors: Tensor,
    ) -> Tensor:
        """Computes the output, [N, nodes * C, H', W'].

        Args:
            ctx: keeps what the backward pass needs.
            call: the cell.
            inputs: how many cell inputs stand first in `tensors`.
            mixture: [edges, primitives].
            edge_weights: [edges], or None.
            tensors: the cell's inputs, the skips that halve the sides, the weights.
        """
        states, layout = [state.contiguous() for state in tensors[:inputs]], call.layout
        extra = dict(zip(call.reduced, (t.contiguous() for t in tensors[inputs:]), strict=False))
        kernels, changes = Kernels(states[0].dtype), call.changes
        coefficients = Coefficients.of(mixture, edge_weights, changes.edges)
        forward = Pass(
            kernels, layout, call.sources, training=call.training, record=call.record, changes=changes.outputs
        )
        for node in range(inputs):
            if node in forward.sources:
                forward.compute_source(node, states[node], 0, extra)
        shape = forward.source_states[0].shape
        out = states[0].new_empty(shape.n, len(call.into) * layout.c, *shape.out)
        for node, into in call.into.items():
            forward.sum_into(node, into, coefficients, out)
            if node in forward.sources:
                forward.compute_source(node, out, (node - layout.inputs) * layout.c, extra)
        ctx.call, ctx.forward, ctx.coefficients, ctx.count = call, forward, coefficients, len(tensors)
        ctx.extra = list(extra)
        ctx.inputs = inputs
        kept = [tensor for state in forward.source_states.values() for tensor in _release(state)]
        ctx.places = [_place(tensor) for tensor in kept]
        ctx.save_for_backward(out, mixture, *states, *extra.values(), *kept)
        return out

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Any, ...]:  # type: ignore[override]
        """Gradients of everything that `forward` took.

        Raises:
            RuntimeError: the gradients are to be differentiated again, which the kernels can't.
        """
        if torch.is_grad_enabled():
            raise RuntimeError(
                "the kernels of mixed cells can't be differentiated twice: set search.engine=plain, or run the "
                "pass within supernet.differentiable_twice()"
            )
        _, mixture, *rest = ctx.saved_tensors
        states = rest[: ctx.inputs]
        call = ctx.call
        _restore(ctx.forward.source_states.values(), rest[ctx.inputs + len(ctx.extra) :], ctx.places)
        gradients = Gradients(
            out=grads[0].clone(memory_format=torch.contiguous_format),
            inputs=[torch.zeros_like(state) for state in states],
            mixture=np.zeros(ctx.coefficients.mixture.shape),
            edges=np.zeros(len(ctx.coefficients.edges)),
            extra={},
            weights={},
        )
        first_weight = 4 + ctx.inputs + len(ctx.extra)
        want = any(ctx.needs_input_grad[first_weight:])
        Backward(ctx.forward, ctx.coefficients, [t for _, t in call.edges], gradients, want_weights=want).run()
        for state in ctx.forward.source_states.values():
            _release(state)
        weights: list[Tensor | None] = []
        for source in call.sources:
            for branch in source.branches:
                for stage in branch.stages:
                    weights += gradients.weights.get(stage.dw.weight.data_ptr(), (None, None))
        return (
            None,
            None,
            torch.from_numpy(gradients.mixture).to(mixture.dtype),
            torch.from_numpy(gradients.edges).to(mixture.dtype) if ctx.needs_input_grad[3] else None,
            *gradients.inputs,
            *(gradients.extra[edge] for edge in ctx.extra),
            *weights,
        )
