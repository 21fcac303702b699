"""Parts of a network that keep their inputs alone, and are computed once more in the backward pass."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from edgewise.nn.hooks import NO_HOOKS, Hooks
from edgewise.nn.mixture import Mixture
from edgewise.nn.noise import Noise

Memory = Literal["normal", "low"]
"""`low` keeps the inputs of each cell's edges for the backward pass, and there computes the edges once more: less
memory, more time, the same numbers bit for bit.
"""

Argument = Tensor | Mixture | Hooks | None


def checkpointed(owner: nn.Module, function: Callable[..., Tensor], memory: Memory) -> Callable[..., Tensor]:
    """The function, or for `low` memory what stands for it.

    Args:
        owner: holds all weights, batch norms and noise that the function uses.
        function: takes tensors, a mixture and hooks.
        memory: see `Memory`.
    """
    return function if memory == "normal" else Recomputed(owner, function)


class Recomputed:
    """A function that keeps its inputs alone.

    Under hooks that don't say what they draw from it is computed once, as ever: it could not be repeated.

    Args:
        owner: see `checkpointed`.
        function: see `checkpointed`.

    Source: T. Chen et al., Training Deep Nets with Sublinear Memory Cost, 2016.
    """

    def __init__(self, owner: nn.Module, function: Callable[..., Tensor]) -> None:
        self.owner = owner
        self.function = function

    def __call__(self, *arguments: Argument) -> Tensor:
        """The function's output."""
        hooks = next((one for one in arguments if isinstance(one, Hooks)), NO_HOOKS)
        bound = _Bound(self.owner, self.function)
        parameters = dict(bound.named_parameters())
        tensors = [*_tensors(arguments), *parameters.values()]
        repeatable = hooks == NO_HOOKS or hooks.draws is not None
        if not (repeatable and torch.is_grad_enabled() and any(one.requires_grad for one in tensors)):
            return bound(*arguments)
        call = _Call(
            bound,
            _emptied(arguments),
            tuple(parameters),
            _PassState.now(self.owner, hooks, tensors[0].device.type),
        )
        return _Recompute.apply(call, arguments, *tensors)


class _Bound(nn.Module):
    """A function over the weights of its owner."""

    def __init__(self, owner: nn.Module, function: Callable[..., Tensor]) -> None:
        super().__init__()
        self.owner = owner
        self.training = owner.training
        # Not an attribute of its own: a module would be registered, and its weights twice.
        self._held = (function,)

    def forward(self, *arguments: Argument) -> Tensor:
        """The function's output."""
        (function,) = self._held
        return function(*arguments)


@dataclass(frozen=True)
class _PassState:
    """What a function depends on besides tensors.

    Args:
        training: the owner's mode.
        recording: of each batch norm, whether it records statistics.
        calls: of each primitive `noise`.
        draws: the generators of the hooks, and where they stand.
        autocast: device type, precision, on or off, cache.
    """

    training: bool
    recording: tuple[bool, ...]
    calls: tuple[int, ...]
    draws: tuple[tuple[torch.Generator, Tensor], ...]
    autocast: tuple[str, torch.dtype, bool, bool]

    @staticmethod
    def now(owner: nn.Module, hooks: Hooks, kind: str) -> _PassState:
        """As they are, for a device type."""
        dtype, cache = torch.get_autocast_dtype(kind), torch.is_autocast_cache_enabled()
        return _PassState(
            owner.training,
            tuple(norm.track_running_stats for norm in _norms(owner)),
            tuple(noise.calls for noise in _noises(owner)),
            tuple((generator, generator.get_state()) for generator in hooks.draws or ()),
            (kind, dtype, torch.is_autocast_enabled(kind), cache),
        )

    def put(self, owner: nn.Module) -> None:
        """Brings the owner and the generators to where they were."""
        owner.train(self.training)
        for norm, recording in zip(_norms(owner), self.recording, strict=True):
            norm.track_running_stats = recording
        for noise, calls in zip(_noises(owner), self.calls, strict=True):
            noise.calls = calls
        for generator, state in self.draws:
            generator.set_state(state)

    @contextmanager
    def again(self, owner: nn.Module) -> Iterator[None]:
        """Within it, all is as it was; afterwards, as it was before."""
        kind, dtype, enabled, cache = self.autocast
        present = _PassState.now(owner, Hooks(draws=tuple(one for one, _ in self.draws)), kind)
        self.put(owner)
        try:
            with torch.autocast(kind, dtype=dtype, enabled=enabled, cache_enabled=cache):
                yield
        finally:
            present.put(owner)


@dataclass(frozen=True)
class _Call:
    """One call of a function.

    Args:
        bound: the function.
        arguments: its arguments, emptied of tensors.
        weights: the names of its weights.
        pass_state: before the call.
    """

    bound: _Bound
    arguments: tuple[Argument, ...]
    weights: tuple[str, ...]
    pass_state: _PassState

    def again(self, tensors: Sequence[Tensor]) -> Tensor:
        """The output from other tensors; leaves no trace in the owner."""
        count = len(tensors) - len(self.weights)
        arguments = _filled(self.arguments, tensors[:count])
        state = dict(zip(self.weights, tensors[count:], strict=True))
        # Statistics are recorded into copies: in bf16, a batch norm that does not record rounds in another way.
        state |= {name: buffer.clone() for name, buffer in self.bound.named_buffers()}
        with self.pass_state.again(self.bound.owner):
            return torch.func.functional_call(self.bound, state, arguments)


class _Recompute(torch.autograd.Function):
    """Runs a function without keeping anything, and again when its gradients are asked for."""

    @staticmethod
    def forward(ctx: Any, call: _Call, arguments: tuple[Argument, ...], *tensors: Tensor) -> Tensor:
        """The function's output."""
        ctx.call = call
        ctx.save_for_backward(*tensors)
        return call.bound(*arguments)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:  # type: ignore[override]
        """The gradients of all tensors; they can be differentiated again, where the function can."""
        twice, needed = torch.is_grad_enabled(), ctx.needs_input_grad[2:]
        # A tensor may be given twice: a view of each tells the two gradients apart.
        tensors = [
            (one.view_as(one) if twice else one.detach().requires_grad_()) if need else one.detach()
            for one, need in zip(ctx.saved_tensors, needed, strict=True)
        ]
        with torch.enable_grad():
            out = ctx.call.again(tensors)
        wanted = [one for one, need in zip(tensors, needed, strict=True) if need]
        found = iter(torch.autograd.grad(out, wanted, grads, create_graph=twice, allow_unused=True))
        return None, None, *(next(found) if need else None for need in needed)


def _tensors(arguments: Sequence[Argument]) -> list[Tensor]:
    """The tensors among arguments, the last first: so do backward passes reach them, and sums keep their order."""
    found = [one.weights if isinstance(one, Mixture) else one for one in arguments]
    return [one for one in reversed(found) if isinstance(one, Tensor)]


def _filled(arguments: Sequence[Argument], tensors: Sequence[Tensor]) -> tuple[Argument, ...]:
    """The arguments with other tensors, in the order of `_tensors`."""
    rest = list(tensors)
    return tuple(
        rest.pop()
        if isinstance(one, Tensor)
        else replace(one, weights=rest.pop())
        if isinstance(one, Mixture)
        else one
        for one in arguments
    )


def _emptied(arguments: Sequence[Argument]) -> tuple[Argument, ...]:
    return _filled(arguments, [torch.empty(0)] * len(_tensors(arguments)))


def _noises(owner: nn.Module) -> list[Noise]:
    return [module for module in owner.modules() if isinstance(module, Noise)]


def _norms(owner: nn.Module) -> list[_BatchNorm]:
    return [module for module in owner.modules() if isinstance(module, _BatchNorm)]
