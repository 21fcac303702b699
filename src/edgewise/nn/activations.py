"""The memory that activations need: which tensors are alive at each step of one image's inference."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import flop_registry

from edgewise.nn.ghost import ghost_of

# What only names the same values in another way, in an exported graph too.
_ALIASES = frozenset(
    (
        *("alias", "clone", "contiguous", "detach", "expand", "flatten", "reshape", "squeeze"),
        *("unflatten", "unsqueeze", "view", "_unsafe_view"),
    )
)
_NORMS = frozenset(("native_batch_norm", "_native_batch_norm_legit_no_training", "cudnn_batch_norm"))
_ACTIVATIONS = frozenset(("relu", "relu_", "hardtanh", "hardtanh_"))
_LINEAR = frozenset(("convolution", "bmm", "addmm", "mm"))


@dataclass(frozen=True)
class Step:
    """An operation of an inference graph, after batch norms are folded and activations fused.

    Args:
        name: of the operation, as PyTorch's operators are called.
        reads: the buffers that it reads.
        writes: the buffer that it writes.
    """

    name: str
    reads: tuple[int, ...]
    writes: int


@dataclass(frozen=True)
class Graph:
    """The operations of one image's inference, in an order in which they can be carried out.

    Args:
        steps: the operations.
        sizes: elements of each buffer; the images are buffer 0.
        result: the buffer of the logits.
    """

    steps: tuple[Step, ...]
    sizes: tuple[int, ...]
    result: int

    def peak(self, order: Sequence[int] | None = None) -> int:
        """Most elements that are alive at once: what a step reads and writes, and all that is read later.

        Args:
            order: of the steps; as they stand if left out.
        """
        steps = self.steps if order is None else [self.steps[i] for i in order]
        last = self._last_reads(steps)
        alive, most = self.sizes[0], self.sizes[0]
        for at, step in enumerate(steps):
            alive += self.sizes[step.writes]
            most = max(most, alive)
            alive -= sum(self.sizes[buffer] for buffer in {*step.reads, step.writes} if last[buffer] <= at)
        return most

    def _last_reads(self, steps: Sequence[Step]) -> list[int]:
        last = [-1] * len(self.sizes)
        for at, step in enumerate(steps):
            for buffer in step.reads:
                last[buffer] = at
        last[self.result] = len(steps)
        return last


@dataclass(frozen=True)
class Pass:
    """What one pass of an image shows.

    Args:
        graph: the inference graph.
        macs: multiply-adds of convolutions and linear layers.
    """

    graph: Graph
    macs: int


def trace(network: nn.Module, *, image_size: int, in_channels: int) -> Graph:
    """The inference graph of a network, from one pass of a copy without its weights.

    As in exported graphs, slices count as copies, and what would be computed twice from the same is computed once
    and kept until its last reader; what reaches no logits is left out. The first of a pool's outputs counts, not
    its indices.

    Args:
        network: maps [1, in_channels, image_size, image_size] to logits; a child called `auxiliary` is left out.
        image_size: side of the image in pixels.
        in_channels: 3 for RGB, 1 for grey.
    """
    return count_pass(network, image_size=image_size, in_channels=in_channels).graph


def count_pass(network: nn.Module, *, image_size: int, in_channels: int) -> Pass:
    """The inference graph and the multiply-adds of a network, from one pass; see `trace` and `measure_cost`."""
    ghost, image = ghost_of(network, image_size=image_size, in_channels=in_channels)
    recorder = _Recorder(image)
    with torch.no_grad(), recorder:
        logits = ghost(image)
    result = recorder.value_of(logits)
    graph = _fused(_needed(recorder.calls, result), recorder.elements, result)
    return Pass(graph, recorder.flops // 2)


@dataclass(frozen=True)
class _Call:
    name: str
    reads: tuple[int, ...]
    writes: int


@dataclass
class _Recorder(TorchDispatchMode):
    """Notes every operator call that reads activations; each result is a value of its own.

    Calls of one operator on the same values and weights have one result, as they have in an exported graph.
    """

    image: Tensor
    calls: list[_Call] = field(default_factory=list)
    elements: list[int] = field(default_factory=list)
    flops: int = 0

    def __post_init__(self) -> None:
        super().__init__()
        self._values: dict[int, int] = {}
        self._made: dict[Any, tuple[int, ...]] = {}
        self._kept: list[Tensor] = []  # so that no two tensors have the same id
        self._name(self.image)

    def value_of(self, tensor: Tensor) -> int:
        """The number of a tensor's value."""
        return self._values[id(tensor)]

    def _name(self, tensor: Tensor) -> int:
        self._kept.append(tensor)
        self._values[id(tensor)] = len(self.elements)
        self.elements.append(tensor.numel())
        return self._values[id(tensor)]

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        given = (args, kwargs or {})
        out = func(*args, **given[1])
        if func.overloadpacket in flop_registry:
            self.flops += flop_registry[func.overloadpacket](*args, **given[1], out_val=out)
        read = tuple(self._values[id(tensor)] for tensor in _tensors(given) if id(tensor) in self._values)
        # A list holds parts that are all results; in a tuple the first is one, and the rest are by-products.
        results = tuple(_tensors(out)) if isinstance(out, list) else tuple(_tensors(out))[:1]
        if not read or not results:
            return out
        call = self._signature(func, given)
        if call is not None and call in self._made:
            self._kept += results
            self._values.update(zip(map(id, results), self._made[call], strict=True))
            return out
        for result in results:
            name = func.overloadpacket.__name__
            whole = name == "slice" and result.numel() == self.elements[read[0]]
            self.calls.append(_Call("alias" if whole else name, read, self._name(result)))
        if call is not None:
            self._made[call] = tuple(self._values[id(result)] for result in results)
        return out

    def _signature(self, func: Any, given: Any) -> Any:
        """What two calls that give the same have in common; None for calls that draw or that change a tensor."""
        if func._schema.is_mutable or torch.Tag.nondeterministic_seeded in func.tags:
            return None
        self._kept += _tensors(given)
        return func, self._comparable(given)

    def _comparable(self, value: Any) -> Any:
        if isinstance(value, Tensor):
            number = self._values.get(id(value))
            return ("weights", id(value)) if number is None else ("value", number)
        if isinstance(value, dict):
            return tuple((key, self._comparable(inner)) for key, inner in value.items())
        if isinstance(value, (list, tuple)):
            return tuple(self._comparable(inner) for inner in value)
        return type(value), value


def _tensors(value: Any) -> Iterator[Tensor]:
    if isinstance(value, Tensor):
        yield value
    elif isinstance(value, dict):
        yield from _tensors(tuple(value.values()))
    elif isinstance(value, (list, tuple)):
        for inner in value:
            yield from _tensors(inner)


def _needed(calls: Sequence[_Call], result: int) -> list[_Call]:
    """The calls that a result depends on."""
    wanted, found = {result}, []
    for call in reversed(calls):
        if call.writes in wanted:
            wanted.update(call.reads)
            found.append(call)
    return found[::-1]


def _fused(calls: Sequence[_Call], elements: Sequence[int], result: int) -> Graph:
    """Names values that share memory by one buffer, and keeps the calls that make a new one."""
    root = list(range(len(elements)))
    for call in calls:
        if call.name in _ALIASES:
            root[call.writes] = root[call.reads[0]]
    readers = [0] * len(elements)
    for call in calls:
        if call.name not in _ALIASES:
            for value in {root[value] for value in call.reads}:
                readers[value] += 1
    readers[root[result]] += 1
    maker = {call.writes: call for call in calls}
    merged = list(range(len(elements)))
    steps = []
    for call in calls:
        reads = tuple(dict.fromkeys(merged[root[value]] for value in call.reads))
        if call.name in _ALIASES:
            continue
        source = root[call.reads[0]]
        alone = readers[source] == 1 and source != 0
        folds = call.name in _NORMS and alone and _is_linear(source, maker, root, readers)
        if folds or (call.name in _ACTIVATIONS and alone):
            merged[call.writes] = merged[source]
        else:
            steps.append(Step(call.name, reads, call.writes))
    return _numbered(steps, elements, merged[root[result]])


def _is_linear(value: int, maker: dict[int, _Call], root: Sequence[int], readers: Sequence[int]) -> bool:
    """Whether a scale and a shift can go into the weights of what has made a value."""
    call = maker.get(value)
    if call is None:
        return False
    if call.name == "cat":
        return all(
            readers[root[part]] == 1 and _is_linear(root[part], maker, root, readers) for part in call.reads
        )
    return call.name in _LINEAR


def _numbered(steps: Sequence[Step], elements: Sequence[int], result: int) -> Graph:
    numbers = {0: 0}
    for step in steps:
        numbers.setdefault(step.writes, len(numbers))
    sizes = [0] * len(numbers)
    for value, number in numbers.items():
        sizes[number] = elements[value]
    renamed = tuple(Step(s.name, tuple(numbers[v] for v in s.reads), numbers[s.writes]) for s in steps)
    return Graph(renamed, tuple(sizes), numbers[result])
