"""Cells that keep their inputs alone, and are computed once more in the backward pass."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from edgewise.nn.engine import Engine
from edgewise.nn.hooks import NO_HOOKS, Hooks
from edgewise.nn.mixture import Mixture
from edgewise.nn.noise import Noise

Memory = Literal["normal", "low"]
"""`low` keeps the inputs of each cell for the backward pass, and there computes the cell once more: less memory,
more time, the same numbers bit for bit.
"""

CellArgument = Tensor | Mixture | Hooks | None


def remembering(cell: nn.Module, memory: Memory) -> Callable[..., Tensor]:
    """The cell, or for `low` memory what stands for it.

    Args:
        cell: called with tensors, a mixture and hooks.
        memory: see `Memory`.
    """
    return cell if memory == "normal" else Recomputed(cell)


class Recomputed:
    """A cell that keeps its inputs alone.

    A cell under hooks that don't say what they draw from is computed once, as ever: it could not be repeated.

    Args:
        cell: the cell.

    Source: T. Chen et al., Training Deep Nets with Sublinear Memory Cost, 2016.
    """

    def __init__(self, cell: nn.Module) -> None:
        self.cell = cell

    def __call__(self, *arguments: CellArgument, engine: Engine | None = None) -> Tensor:
        """The cell's output.

        Args:
            arguments: the cell's.
            engine: the cell's, where it takes one.
        """
        hooks = next((one for one in arguments if isinstance(one, Hooks)), NO_HOOKS)
        call = _Call.now(self.cell, arguments, hooks, engine)
        tensors = call.tensors()
        repeatable = hooks == NO_HOOKS or hooks.draws is not None
        if not (repeatable and torch.is_grad_enabled() and any(one.requires_grad for one in tensors)):
            return call.run(self.cell)
        return _Recompute.apply(call, *tensors)


@dataclass(frozen=True)
class _Call:
    """One call of a cell, and what it depends on besides tensors.

    Args:
        cell: the cell.
        arguments: its arguments; emptied of tensors where they are kept elsewhere.
        engine: its engine, or None.
        weights: the names of its weights.
        training: its mode.
        recording: of each batch norm in it, whether it records statistics.
        calls: of each primitive `noise` in it.
        draws: the generators of its hooks, and where they stood.
        autocast: device type, on or off, precision, cache.
    """

    cell: nn.Module
    arguments: tuple[CellArgument, ...]
    engine: Engine | None
    weights: tuple[str, ...]
    training: bool
    recording: tuple[bool, ...]
    calls: tuple[int, ...]
    draws: tuple[tuple[torch.Generator, Tensor], ...]
    autocast: tuple[str, bool, torch.dtype, bool]

    @staticmethod
    def now(cell: nn.Module, arguments: tuple[CellArgument, ...], hooks: Hooks, engine: Engine | None) -> _Call:
        """With everything as it is before the call."""
        kind = next(one for one in arguments if isinstance(one, Tensor)).device.type
        return _Call(
            cell,
            arguments,
            engine,
            tuple(name for name, _ in cell.named_parameters()),
            cell.training,
            tuple(norm.track_running_stats for norm in _norms(cell)),
            tuple(noise.calls for noise in _noises(cell)),
            tuple((generator, generator.get_state()) for generator in hooks.draws or ()),
            (
                kind,
                torch.is_autocast_enabled(kind),
                torch.get_autocast_dtype(kind),
                torch.is_autocast_cache_enabled(),
            ),
        )

    def tensors(self) -> list[Tensor]:
        """The arguments' tensors, the last first, and the weights.

        Backward passes reach a cell's last input first, and sums keep that order.
        """
        found = [one.weights if isinstance(one, Mixture) else one for one in self.arguments]
        return [one for one in found[::-1] if isinstance(one, Tensor)] + [
            p for _, p in self.cell.named_parameters()
        ]

    def run(self, cell: Callable[..., Tensor]) -> Tensor:
        """The cell's output."""
        return cell(*self.arguments, **self._keywords())

    def _keywords(self) -> dict[str, Engine]:
        return {} if self.engine is None else {"engine": self.engine}

    def without_tensors(self) -> _Call:
        """The same call, with nothing that takes memory."""
        empty = torch.empty(0)
        found = [
            empty if isinstance(one, Tensor) else replace(one, weights=empty) if isinstance(one, Mixture) else one
            for one in self.arguments
        ]
        return replace(self, arguments=tuple(found))

    def again(self, tensors: Sequence[Tensor]) -> Tensor:
        """The cell's output from other tensors, in the order of `tensors()`; leaves no trace in the cell."""
        rest = iter(tensors[: len(tensors) - len(self.weights)][::-1])
        arguments = tuple(
            next(rest)
            if isinstance(one, Tensor)
            else replace(one, weights=next(rest))
            if isinstance(one, Mixture)
            else one
            for one in self.arguments
        )
        state = dict(zip(self.weights, tensors[len(tensors) - len(self.weights) :], strict=True))
        # Statistics are recorded into copies: in bf16, a batch norm that does not record rounds in another way.
        state |= {name: buffer.clone() for name, buffer in self.cell.named_buffers()}
        kind, enabled, dtype, cache = self.autocast
        with self._as_before(), torch.autocast(kind, dtype=dtype, enabled=enabled, cache_enabled=cache):
            return torch.func.functional_call(self.cell, state, arguments, self._keywords())

    @contextmanager
    def _as_before(self) -> Iterator[None]:
        """Mode and random streams as they were at the call; afterwards, as they are now."""
        mode, noises, norms = self.cell.training, _noises(self.cell), _norms(self.cell)
        calls, recording = [noise.calls for noise in noises], [norm.track_running_stats for norm in norms]
        states = [generator.get_state() for generator, _ in self.draws]
        self.cell.train(self.training)
        _set_calls(noises, self.calls)
        _set_recording(norms, self.recording)
        for generator, state in self.draws:
            generator.set_state(state)
        try:
            yield
        finally:
            self.cell.train(mode)
            _set_calls(noises, calls)
            _set_recording(norms, recording)
            for (generator, _), state in zip(self.draws, states, strict=True):
                generator.set_state(state)


class _Recompute(torch.autograd.Function):
    """Runs a cell without keeping anything, and again when its gradients are asked for."""

    @staticmethod
    def forward(ctx: Any, call: _Call, *tensors: Tensor) -> Tensor:
        """The cell's output."""
        out = call.run(call.cell)
        ctx.call = call.without_tensors()
        ctx.save_for_backward(*tensors)
        return out

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:  # type: ignore[override]
        """The gradients of all tensors; they can be differentiated again, where the cell can."""
        twice, needed = torch.is_grad_enabled(), ctx.needs_input_grad[1:]
        # A tensor may be given twice: a view of each tells the two gradients apart.
        tensors = [
            (one.view_as(one) if twice else one.detach().requires_grad_()) if need else one.detach()
            for one, need in zip(ctx.saved_tensors, needed, strict=True)
        ]
        with torch.enable_grad():
            out = ctx.call.again(tensors)
        wanted = [one for one, need in zip(tensors, needed, strict=True) if need]
        found = iter(torch.autograd.grad(out, wanted, grads, create_graph=twice, allow_unused=True))
        return None, *(next(found) if need else None for need in needed)


def _noises(cell: nn.Module) -> list[Noise]:
    return [module for module in cell.modules() if isinstance(module, Noise)]


def _norms(cell: nn.Module) -> list[_BatchNorm]:
    return [module for module in cell.modules() if isinstance(module, _BatchNorm)]


def _set_recording(norms: Sequence[_BatchNorm], recording: Sequence[bool]) -> None:
    for norm, wanted in zip(norms, recording, strict=True):
        norm.track_running_stats = wanted


def _set_calls(noises: Sequence[Noise], calls: Sequence[int]) -> None:
    for noise, count in zip(noises, calls, strict=True):
        noise.calls = count
