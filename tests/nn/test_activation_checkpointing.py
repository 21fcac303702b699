"""Cells that are computed once more in the backward pass: the same numbers, and no trace of the second time."""

from __future__ import annotations

import copy
from dataclasses import dataclass, replace

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from edgewise.nn import (
    AnySupernet,
    DropPath,
    EngineName,
    Hooks,
    Mixture,
    SupernetSpec,
    build_supernet,
    evaluation_mode,
    frozen_statistics,
    frozen_weights,
)
from edgewise.nn.engines.native import library
from edgewise.nn.noise import Noise
from edgewise.runtime.compute import Compute, Precision
from edgewise.runtime.random import seeded
from edgewise.spaces import space

CLASSES = 4


@dataclass
class Pair:
    """The same supernet with normal and with low memory, and what goes into both."""

    normal: nn.Module
    low: nn.Module
    x: Tensor
    alpha: dict[str, Tensor]
    beta: dict[str, Tensor]

    def mixture(self) -> dict[str, Mixture]:
        return {name: Mixture(alpha.softmax(-1)) for name, alpha in self.alpha.items()}

    def loss(self, net: AnySupernet, engine: EngineName, hooks: Hooks | None = None) -> Tensor:
        net.use_engine(engine)
        logits = net(self.x, self.mixture(), self.beta, hooks or Hooks())
        return F.cross_entropy(logits, torch.arange(len(self.x)) % CLASSES)

    def inputs(self, net: nn.Module) -> list[Tensor]:
        return [*self.alpha.values(), *self.beta.values(), *net.parameters()]


def make(
    name: str = "darts", *, k: int = 2, size: int = 8, layers: int = 4, dtype: torch.dtype = torch.float32
) -> Pair:
    where = space(name)
    spec = SupernetSpec(4 * k, layers, CLASSES, k=k)
    with seeded(3):
        normal = build_supernet(where, spec)
        shape = len(where.topology.edges), len(where.primitives)
        alpha = {cell: torch.randn(shape, requires_grad=True) for cell in where.cell_types}
        beta = {cell: torch.rand(shape[0], requires_grad=True) for cell in where.cell_types}
        x = torch.randn(4, 3, size, size)
        low = build_supernet(where, replace(spec, memory="low"))
    low.load_state_dict(normal.state_dict())
    alpha, beta = ({c: v.detach().to(dtype).requires_grad_() for c, v in d.items()} for d in (alpha, beta))
    return Pair(normal.to(dtype), low.to(dtype), x.to(dtype), alpha, beta)


def assert_same(a: list[Tensor | None], b: list[Tensor | None]) -> None:
    assert [one is None for one in a] == [one is None for one in b]
    assert sum(one is not None and bool(one.abs().sum() > 0) for one in a) > 5
    wrong = [i for i, (one, two) in enumerate(zip(a, b, strict=True)) if one is not None and not _equal(one, two)]
    assert wrong == []


def _equal(one: Tensor, two: Tensor | None) -> bool:
    return two is not None and torch.equal(one, two)


def assert_same_state(pair: Pair) -> None:
    after = pair.normal.state_dict()
    assert [name for name, value in pair.low.state_dict().items() if not torch.equal(value, after[name])] == []


def engines() -> list[EngineName]:
    return ["plain", "auto"]


@pytest.mark.parametrize("engine", engines())
@pytest.mark.parametrize("name", ["darts", "s4", "nb201"])
def test_loss_gradients_and_running_statistics_are_those_of_normal_memory_bit_for_bit(
    name: str, engine: EngineName
) -> None:
    if engine == "auto" and library() is None:
        pytest.skip("no C++ compiler here")
    pair = make(name)
    before = copy.deepcopy(pair.normal.state_dict())
    for _ in range(2):
        losses = [pair.loss(net, engine) for net in (pair.normal, pair.low)]
        assert torch.equal(*losses)
        gradients = [
            list(torch.autograd.grad(loss, pair.inputs(net), allow_unused=True))
            for loss, net in zip(losses, (pair.normal, pair.low), strict=True)
        ]
        assert_same(*gradients)
    assert_same_state(pair)
    counts = [value for key, value in pair.low.state_dict().items() if key.endswith("num_batches_tracked")]
    assert {int(count) for count in counts} == {2}
    assert any(not torch.equal(value, before[key]) for key, value in pair.low.state_dict().items())


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_in_both_precisions_gradients_are_the_same(precision: Precision) -> None:
    pair, compute = make(), Compute("cpu", precision)
    found = []
    for net in (pair.normal, pair.low):
        with compute.autocast():
            loss = pair.loss(net, "auto")
        found.append(list(torch.autograd.grad(loss, pair.inputs(net), allow_unused=True)))
    assert_same(*found)
    assert_same_state(pair)


def test_gradients_of_gradients_are_the_same() -> None:
    pair = make(layers=3, dtype=torch.float64)
    found = []
    for net in (pair.normal, pair.low):
        first = torch.autograd.grad(pair.loss(net, "plain"), list(net.parameters()), create_graph=True)
        length = torch.stack([one.square().sum() for one in first]).sum()
        found.append(list(torch.autograd.grad(length, pair.inputs(net), allow_unused=True)))
    for one, two in zip(*found, strict=True):
        torch.testing.assert_close(two, one, rtol=1e-9, atol=1e-12)
    assert sum(float(one.abs().sum()) > 0 for one in found[0]) > 5
    assert_same_state(pair)


@pytest.mark.parametrize("engine", engines())
def test_weights_that_are_given_for_one_pass_are_those_of_the_second_time_too(engine: EngineName) -> None:
    pair = make(layers=3)
    names = [name for name, _ in pair.normal.named_parameters()]
    other = [(torch.randn(p.shape) * 0.3).requires_grad_() for p in pair.normal.parameters()]
    found = []
    for net in (pair.normal, pair.low):
        with frozen_statistics(net):
            inputs = (pair.x, pair.mixture(), pair.beta)
            net.use_engine(engine)
            logits = torch.func.functional_call(net, dict(zip(names, other, strict=True)), inputs)
        found.append(list(torch.autograd.grad(logits.square().sum(), other, allow_unused=True)))
    assert_same(*found)
    assert_same_state(pair)


def test_hooks_that_say_what_they_draw_from_draw_the_same_and_once() -> None:
    pair = make(layers=3)
    found, ends = [], []
    for net in (pair.normal, pair.low):
        noise, drop = torch.Generator().manual_seed(1), torch.Generator().manual_seed(2)

        def add(primitive: str, stride: int, out: Tensor, noise: torch.Generator = noise) -> Tensor:
            return out + torch.randn(out.shape, generator=noise)

        hooks = Hooks(add, DropPath(0.3, drop), draws=(noise, drop))
        loss = pair.loss(net, "auto", hooks)
        middle = noise.get_state()
        found.append(list(torch.autograd.grad(loss, pair.inputs(net), allow_unused=True)))
        assert torch.equal(middle, noise.get_state())
        ends.append(torch.cat([noise.get_state(), drop.get_state()]))
    assert_same(*found)
    assert torch.equal(*ends)


def test_a_cell_under_hooks_of_unknown_draws_is_computed_once() -> None:
    pair = make(layers=3)
    for draws, times in ((None, 1), ((), 2)):
        calls = []

        def count(primitive: str, stride: int, out: Tensor, calls: list[int] = calls) -> Tensor:
            calls.append(1)
            return out

        pair.loss(pair.low, "plain", Hooks(count, draws=draws)).backward()
        if draws is None:
            once = len(calls)
        assert len(calls) == times * once


def test_frozen_weights_and_frozen_statistics_hold_the_second_time_although_they_ended_before() -> None:
    pair = make("s4", layers=3)
    found = []
    before = copy.deepcopy(pair.low.state_dict())
    for net in (pair.normal, pair.low):
        with frozen_weights(net), frozen_statistics(net):
            loss = pair.loss(net, "plain")
        found.append(list(torch.autograd.grad(loss, pair.inputs(net)[:4], allow_unused=True)))
    for one, two in zip(*found, strict=True):
        assert torch.equal(one, two)
    assert [key for key, value in pair.low.state_dict().items() if not torch.equal(value, before[key])] == []


def test_a_pass_in_evaluation_mode_is_repeated_in_evaluation_mode() -> None:
    pair = make(layers=3)
    found = []
    for net in (pair.normal, pair.low):
        with evaluation_mode(net):
            loss = pair.loss(net, "plain")
        found.append(list(torch.autograd.grad(loss, pair.inputs(net), allow_unused=True)))
        assert all(module.training for module in net.modules())
    assert_same(*found)


def test_the_primitive_noise_draws_the_same_the_second_time_and_counts_once() -> None:
    pair = make("s4", layers=3)
    for net in (pair.normal, pair.low):
        pair.loss(net, "plain").backward()
        pair.loss(net, "plain").backward()
    assert_same([p.grad for p in pair.normal.parameters()], [p.grad for p in pair.low.parameters()])
    calls = [module.calls for module in pair.low.modules() if isinstance(module, Noise)]
    assert calls
    assert set(calls) == {2}


@pytest.mark.parametrize("engine", engines())
def test_low_memory_keeps_less_for_the_backward_pass(engine: EngineName) -> None:
    pair = make(size=16)
    kept = []
    for net in (pair.normal, pair.low):
        sizes: dict[int, int] = {}

        def pack(tensor: Tensor, sizes: dict[int, int] = sizes) -> Tensor:
            sizes[tensor.untyped_storage().data_ptr()] = tensor.untyped_storage().nbytes()
            return tensor

        with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
            loss = pair.loss(net, engine)
        kept.append(sum(sizes.values()))
        del loss
    assert kept[1] < 0.4 * kept[0]


def test_without_gradients_the_loss_is_the_same() -> None:
    pair = make(layers=3)
    with torch.no_grad():
        assert torch.equal(pair.loss(pair.normal, "plain"), pair.loss(pair.low, "plain"))
