"""Grouped cells: the same numbers as the plain supernet, in fewer calls, whatever is asked of them."""

from __future__ import annotations

import copy
import itertools
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from edgewise.nn import (
    AnySupernet,
    EngineName,
    Hooks,
    Mixture,
    PartialChannelEdge,
    SupernetSpec,
    build_supernet,
    frozen_statistics,
    frozen_weights,
)
from edgewise.nn.engines.grouped import cell
from edgewise.nn.engines.grouped.pools import run_pool
from edgewise.nn.engines.grouped.weigh import weigh
from edgewise.runtime.random import seeded
from edgewise.spaces import NB201, space

CLASSES = 5
SPACES = ("darts", "s1", "s2", "s3", "s4", "nb201")
Active = Mapping[str, Tensor]


@dataclass
class Case:
    """A supernet with everything that goes into a pass."""

    net: AnySupernet
    x: Tensor
    alpha: dict[str, Tensor]
    beta: dict[str, Tensor] | None
    active: Active | None = None

    def logits(self, engine: EngineName, hooks: Hooks | None = None) -> Tensor:
        drawn = self.active or dict.fromkeys(self.alpha)
        mixture = {name: Mixture(alpha.softmax(-1), drawn[name]) for name, alpha in self.alpha.items()}
        self.net.use_engine(engine)
        return self.net(self.x, mixture, self.beta, hooks or Hooks())

    def loss(self, engine: EngineName) -> Tensor:
        return F.cross_entropy(self.logits(engine), torch.arange(len(self.x)) % CLASSES)

    def arch(self) -> list[Tensor]:
        return [*self.alpha.values(), *(self.beta or {}).values()]

    def inputs(self) -> dict[str, Tensor]:
        arch = {f"arch.{i}": value for i, value in enumerate(self.arch())}
        return {"x": self.x} | arch | dict(self.net.named_parameters())


def make(
    name: str = "darts",
    *,
    k: int = 1,
    size: int = 8,
    batch: int = 3,
    dtype: torch.dtype = torch.float64,
    kept: Mapping[str, list[list[bool]]] | None = None,
) -> Case:
    """A random supernet of three cells with a random mixture."""
    where = space(name)
    with seeded(1):
        net = build_supernet(where, SupernetSpec(max(4, 2 * k), 3, CLASSES, k=k), kept).to(dtype)
        shape = len(where.topology.edges), len(where.primitives)
        alpha = {name: torch.randn(shape, dtype=dtype, requires_grad=True) for name in where.cell_types}
        beta = {name: torch.rand(shape[0], dtype=dtype, requires_grad=True) for name in where.cell_types}
        x = torch.randn(batch, 3, size, size, dtype=dtype, requires_grad=True)
    return Case(net, x, alpha, beta if k > 1 else None)


def drawn(case: Case, shift: int) -> Active:
    """One operation an edge."""
    edges, primitives = len(case.net.space.topology.edges), len(case.net.space.primitives)
    active = torch.zeros(edges, primitives, dtype=torch.bool)
    active[torch.arange(edges), (torch.arange(edges) * 3 + shift) % primitives] = True
    return dict.fromkeys(case.alpha, active)


def distance(a: Tensor, b: Tensor) -> float:
    """|a - b| relative to |a|."""
    return float((a - b).detach().norm() / a.detach().norm().clamp_min(1e-12))


def steps(case: Case, engine: EngineName) -> tuple[Tensor, dict[str, Tensor | None], dict[str, Tensor]]:
    """Logits and gradients of everything after a step of descent, and the state then; the case is left alone."""
    case = replace(case, net=copy.deepcopy(case.net))
    weights = list(case.net.parameters())
    first = torch.autograd.grad(case.loss(engine), weights, allow_unused=True)
    with torch.no_grad():
        for weight, gradient in zip(weights, first, strict=True):
            weight -= 0.0 if gradient is None else 0.1 * gradient
    logits = case.logits(engine)
    inputs = case.inputs()
    loss = F.cross_entropy(logits, torch.arange(len(case.x)) % CLASSES)
    found = torch.autograd.grad(loss, list(inputs.values()), allow_unused=True)
    return logits.detach(), dict(zip(inputs, found, strict=True)), case.net.state_dict()


def assert_same(case: Case, *, tolerance: float = 1e-10) -> None:
    plain, fast = steps(case, "plain"), steps(case, "grouped")
    assert distance(plain[0], fast[0]) < tolerance
    assert {n for n, g in plain[1].items() if g is None} == {n for n, g in fast[1].items() if g is None}
    wrong = {
        name: distance(gradient, other)
        for name, gradient in plain[1].items()
        if gradient is not None
        and (other := fast[1][name]) is not None
        and max(gradient.norm(), other.norm()) > 1e-13
        if distance(gradient, other) >= tolerance
    }
    assert wrong == {}
    for name, value in plain[2].items():
        torch.testing.assert_close(fast[2][name], value, rtol=1e-9, atol=1e-12, msg=name)


@pytest.fixture(params=[False, True], ids=["apart", "merged"])
def merged(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> bool:
    """Both ways of grouping: that of the CPU, and that of every other device."""
    monkeypatch.setattr(cell, "merges", lambda x: request.param)
    return request.param


@pytest.mark.usefixtures("merged")
@pytest.mark.parametrize(("name", "k"), [*itertools.product(SPACES, (1, 4)), ("nasnet", 2)])
def test_logits_gradients_and_statistics_are_those_of_the_plain_supernet_in_two_steps(name: str, k: int) -> None:
    case = make(name, k=k)
    assert_same(case)
    state = steps(case, "grouped")[2]
    assert {int(value) for name, value in state.items() if "num_batches" in name} == {2}


@pytest.mark.parametrize("name", ["darts", "nb201"])
@pytest.mark.parametrize("size", [5, 7, 13])
def test_images_with_odd_sides_give_the_same(name: str, size: int) -> None:
    assert_same(make(name, k=2, size=size, batch=2))


@pytest.mark.usefixtures("merged")
@pytest.mark.parametrize("name", ["darts", "nb201"])
def test_in_evaluation_mode_the_running_statistics_count_and_stay(name: str) -> None:
    case = make(name, k=2)
    norms = [module for module in case.net.modules() if isinstance(module, nn.BatchNorm2d)]
    for norm in norms:
        assert norm.running_mean is not None
        assert norm.running_var is not None
        norm.running_mean.uniform_(-0.3, 0.3)
        norm.running_var.uniform_(0.5, 1.5)
    case.net.eval()
    before = copy.deepcopy(case.net.state_dict())
    assert_same(case)
    case.logits("grouped")
    assert all(torch.equal(before[name], value) for name, value in case.net.state_dict().items())


@pytest.mark.usefixtures("merged")
@pytest.mark.parametrize("name", ["darts", "s4", "nb201"])
@pytest.mark.parametrize("shift", range(5))
def test_one_drawn_operation_an_edge_gives_the_same_and_the_others_get_no_gradient(name: str, shift: int) -> None:
    case = make(name)
    case.active = drawn(case, shift)
    assert_same(case)


def test_a_cell_that_drew_none_on_every_edge_gives_the_same() -> None:
    case = make("nb201")
    active = torch.zeros(6, 5, dtype=torch.bool)
    active[:, NB201.primitives.index("none")] = True
    case.active = {"cell": active}
    assert_same(case)
    gradients = steps(case, "grouped")[1]
    stem = [gradient for name, gradient in gradients.items() if name.startswith("stem")]
    assert stem
    assert all(gradient is not None and not gradient.any() for gradient in stem)


@pytest.mark.parametrize("name", ["darts", "nb201"])
def test_what_was_not_drawn_is_not_computed(name: str) -> None:
    case = make(name)
    case.active = drawn(case, 1)
    before = case.logits("grouped")
    active = next(iter(case.active.values()))
    edges = [module for module in case.net.modules() if isinstance(module, PartialChannelEdge)]
    with torch.no_grad():
        for e, edge in enumerate(edges):
            for i, operation in edge.mixed.operations.items():
                if not active[e % len(active), int(i)]:
                    for weight in operation.parameters():
                        weight.fill_(float("nan"))
    assert torch.equal(before, case.logits("grouped"))
    case.active = None
    assert case.logits("grouped").isnan().all()


@pytest.mark.usefixtures("merged")
@pytest.mark.parametrize("name", ["darts", "nb201"])
def test_edges_that_have_dropped_primitives_give_the_same(name: str) -> None:
    where = space(name)
    rows = [[(e + i) % 3 > 0 for i in range(len(where.primitives))] for e in range(len(where.topology.edges))]
    assert_same(make(name, k=2, kept=dict.fromkeys(where.cell_types, rows)))


@pytest.mark.parametrize(("name", "k"), [("darts", 2), ("nb201", 1), ("nb201", 2)])
def test_second_derivatives_are_those_of_the_plain_supernet(name: str, k: int) -> None:
    case = make(name, k=k, size=6, batch=2)
    inputs = [*case.arch(), *case.net.parameters()]
    vectors = [torch.randn_like(value) for value in inputs]
    products = []
    for engine in ("plain", "grouped"):
        gradients = torch.autograd.grad(case.loss(engine), inputs, create_graph=True)
        along = sum((g * v).sum() for g, v in zip(gradients, vectors, strict=True))
        assert isinstance(along, Tensor)
        products.append(torch.cat([p.flatten() for p in torch.autograd.grad(along, inputs)]))
    assert distance(*products) < 1e-10


def test_in_float32_logits_agree_to_1e_4() -> None:
    for name in ("darts", "nb201"):
        case = make(name, k=4, size=16, dtype=torch.float32)
        torch.testing.assert_close(case.logits("grouped"), case.logits("plain"), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(("size", "stride"), [(8, 1), (7, 1), (8, 2), (7, 2), (2, 1)])
def test_an_average_by_convolution_is_the_average_pool(size: int, stride: int) -> None:
    pool = nn.AvgPool2d(3, stride, padding=1, count_include_pad=False)
    x = torch.randn(2, 3, size, size, requires_grad=True)
    fast, plain = run_pool(pool, x), pool(x)
    assert fast.grad_fn is not None
    assert "Pool" not in fast.grad_fn.name()
    torch.testing.assert_close(fast, plain)
    factor = torch.randn_like(plain)
    ours, theirs = (torch.autograd.grad((out * factor).sum(), x)[0] for out in (fast, plain))
    torch.testing.assert_close(ours, theirs)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_half_precision_does_not_round_the_weights_of_terms(dtype: torch.dtype) -> None:
    weights = torch.tensor([[0.12530, 0.12525]], requires_grad=True)
    terms = torch.tensor([[[1.0, 2.0], [-1.0, -2.0]]], dtype=dtype)
    mixed = weigh(weights, terms)
    torch.testing.assert_close(mixed.float().flatten(), torch.tensor([5e-5, 1e-4]), rtol=0.05, atol=0.0)
    (gradient,) = torch.autograd.grad(mixed.sum(), weights)
    assert gradient.tolist() == [[3.0, -3.0]]


@pytest.mark.parametrize("name", ["darts", "nb201"])
def test_under_autocast_logits_and_alphas_gradient_are_near_the_plain_ones(name: str) -> None:
    case = make(name, k=2, size=16, batch=8, dtype=torch.float32)
    found = []
    for engine in ("plain", "grouped"):
        with torch.autocast("cpu", torch.bfloat16):
            logits = case.logits(engine)
        loss = F.cross_entropy(logits.float(), torch.arange(8) % CLASSES)
        found.append((logits.float(), torch.cat([g.flatten() for g in torch.autograd.grad(loss, case.arch())])))
    exact = case.logits("plain")
    assert distance(exact, found[1][0]) < 2 * distance(exact, found[0][0])
    assert distance(found[0][1], found[1][1]) < 0.2


def test_within_frozen_statistics_nothing_is_recorded() -> None:
    case = make(k=2)
    before = copy.deepcopy(case.net.state_dict())
    with frozen_statistics(case.net):
        case.logits("grouped")
    assert all(torch.equal(before[name], value) for name, value in case.net.state_dict().items())


def test_with_frozen_weights_the_mixtures_gradient_is_the_same_and_no_weight_is_in_the_graph() -> None:
    case = make(k=2)
    with frozen_weights(case.net):
        loss = case.loss("grouped")
    frozen = torch.autograd.grad(loss, case.arch(), retain_graph=True)
    for ours, theirs in zip(frozen, torch.autograd.grad(case.loss("grouped"), case.arch()), strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-12, atol=1e-14)
    with pytest.raises(RuntimeError, match="allow_unused"):
        torch.autograd.grad(loss, list(case.net.parameters()))


def test_a_copy_of_a_supernet_computes_with_its_own_weights() -> None:
    case = make("nb201")
    case.logits("grouped")
    other = replace(case, net=copy.deepcopy(case.net))
    with torch.no_grad():
        for weight in case.net.parameters():
            weight.zero_()
    assert distance(other.logits("plain"), other.logits("grouped")) < 1e-10


def test_hooks_see_every_output_whatever_the_engine() -> None:
    seen: dict[EngineName, list[str]] = {"plain": [], "grouped": []}
    for engine, names in seen.items():

        def note(primitive: str, stride: int, out: Tensor, names: list[str] = names) -> Tensor:
            names.append(primitive)
            return out

        make("nb201").logits(engine, Hooks(operation=note))
    assert seen["grouped"] == seen["plain"] != []


@pytest.mark.parametrize(("engine", "calls"), [("auto", 3), ("grouped", 3), ("plain", 0)])
@pytest.mark.parametrize("name", ["nb201", "s4"])
def test_auto_is_grouped_where_there_are_no_kernels(
    name: str, engine: EngineName, calls: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    compute, seen = cell.GroupedEngine.__call__, []

    def note(*arguments: Any, **options: Any) -> Tensor:
        seen.append(arguments)
        return compute(*arguments, **options)

    monkeypatch.setattr(cell.GroupedEngine, "__call__", note)
    make(name).logits(engine)
    assert len(seen) == calls
