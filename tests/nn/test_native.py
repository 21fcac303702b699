"""The kernels for mixed cells: the same numbers as the plain supernet, whatever is asked of them."""

from __future__ import annotations

import copy
import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, replace

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from edgewise.nn import (
    AnySupernet,
    EngineName,
    MixedEdges,
    Mixture,
    NB201Supernet,
    Supernet,
    SupernetSpec,
    frozen_statistics,
    frozen_weights,
)
from edgewise.nn.drawn_hooks import NO_CHANGES
from edgewise.nn.engines.native import library
from edgewise.runtime.random import seeded
from edgewise.spaces import space

CLASSES = 5


@pytest.fixture(autouse=True)
def _compiled() -> None:
    if library() is None:
        pytest.skip("no C++ compiler here: the supernet runs on PyTorch's own operations")


@dataclass
class Case:
    """A supernet with everything that goes into a pass."""

    net: Supernet
    x: Tensor
    alpha: dict[str, Tensor]
    beta: dict[str, Tensor] | None
    active: Tensor | None = None

    def logits(self, engine: EngineName) -> Tensor:
        mixture = {name: Mixture(alpha.softmax(-1), self.active) for name, alpha in self.alpha.items()}
        self.net.use_engine(engine)
        return self.net(self.x, mixture, self.beta)

    def inputs(self) -> dict[str, Tensor]:
        beta = {f"beta.{name}": value for name, value in (self.beta or {}).items()}
        alpha = {f"alpha.{name}": value for name, value in self.alpha.items()}
        return alpha | beta | dict(self.net.named_parameters())


def make(
    name: str = "darts",
    *,
    k: int = 1,
    channels: int = 8,
    size: int = 12,
    batch: int = 3,
    dtype: torch.dtype = torch.float64,
    kept: Mapping[str, list[list[bool]]] | None = None,
) -> Case:
    """A random supernet of three cells with a random mixture."""
    where = space(name)
    with seeded(1):
        net = Supernet(where, SupernetSpec(channels, 3, CLASSES, k=k), kept).to(dtype)
        shape = len(where.topology.edges), len(where.primitives)
        alpha = {cell: torch.randn(shape, dtype=dtype, requires_grad=True) for cell in where.cell_types}
        beta = {cell: torch.rand(shape[0], dtype=dtype, requires_grad=True) for cell in where.cell_types}
        x = torch.randn(batch, 3, size, size, dtype=dtype)
    return Case(net, x, alpha, beta if k > 1 else None)


def outcome(case: Case, engine: EngineName) -> tuple[Tensor, dict[str, Tensor | None], dict[str, Tensor]]:
    """Logits, gradients of everything, and the state afterwards; the net is put back."""
    before = copy.deepcopy(case.net.state_dict())
    logits = case.logits(engine)
    loss = F.cross_entropy(logits, torch.arange(len(case.x)) % CLASSES)
    inputs = case.inputs()
    found = torch.autograd.grad(loss, list(inputs.values()), allow_unused=True)
    after = copy.deepcopy(case.net.state_dict())
    case.net.load_state_dict(before)
    return logits.detach(), dict(zip(inputs, found, strict=True)), after


def distance(a: Tensor, b: Tensor) -> float:
    """|a - b| relative to |a|."""
    return float((a - b).norm() / a.norm().clamp_min(1e-12))


def kernels_run(net: AnySupernet, x: Tensor) -> bool:
    """Whether the kernels take on every cell of a supernet."""
    net.use_engine("auto")
    return all(
        module.engines[0].can_run(x, NO_CHANGES) for module in net.modules() if isinstance(module, MixedEdges)
    )


def assert_same(case: Case, *, tolerance: float = 1e-10) -> None:
    assert kernels_run(case.net, case.x)
    plain, fast = outcome(case, "plain"), outcome(case, "auto")
    assert distance(plain[0], fast[0]) < tolerance
    assert {n for n, g in plain[1].items() if g is None} == {n for n, g in fast[1].items() if g is None}
    wrong = {
        name: distance(gradient, other)
        for name, gradient in plain[1].items()
        if gradient is not None and (other := fast[1][name]) is not None and gradient.norm() > 1e-14
        if distance(gradient, other) >= tolerance
    }
    assert wrong == {}
    for name, value in plain[2].items():
        torch.testing.assert_close(fast[2][name], value, rtol=1e-9, atol=1e-12, msg=name)
    assert (
        any(not torch.equal(value, case.net.state_dict()[n]) for n, value in plain[2].items()) == case.net.training
    )


@pytest.mark.parametrize("name", ["darts", "s1", "s2", "s3"])
@pytest.mark.parametrize("k", [1, 2, 4])
def test_logits_gradients_and_statistics_are_those_of_the_plain_supernet(name: str, k: int) -> None:
    assert_same(make(name, k=k, channels=8 if k < 4 else 16))


@pytest.mark.parametrize("size", [5, 8, 9, 17])
def test_images_of_any_size_give_the_same(size: int) -> None:
    assert_same(make(k=2, size=size, batch=2))


def test_in_evaluation_mode_the_running_statistics_count_and_stay() -> None:
    case = make(k=2)
    with torch.no_grad():
        for module in case.net.modules():
            if isinstance(module, torch.nn.BatchNorm2d):
                assert module.running_mean is not None
                assert module.running_var is not None
                module.running_mean.uniform_(-0.3, 0.3)
                module.running_var.uniform_(0.5, 1.5)
    case.net.eval()
    assert_same(case)


@pytest.mark.parametrize("shift", range(8))
def test_one_drawn_operation_an_edge_gives_the_same_and_the_others_get_no_gradient(shift: int) -> None:
    case = make()
    rows = len(case.net.space.topology.edges)
    case.active = torch.zeros(rows, 8, dtype=torch.bool)
    case.active[torch.arange(rows), (torch.arange(rows) * 3 + shift) % 8] = True
    assert_same(case)


def test_edges_that_have_dropped_primitives_give_the_same() -> None:
    kept = {name: [[(e + i) % 3 > 0 for i in range(8)] for e in range(14)] for name in ("normal", "reduce")}
    assert_same(make(kept=kept))


def test_in_float32_logits_agree_to_1e_4() -> None:
    case = make(k=4, channels=16, size=16, dtype=torch.float32)
    plain, fast = (case.logits(engine) for engine in ("plain", "auto"))
    torch.testing.assert_close(plain, fast, rtol=1e-4, atol=1e-4)


def test_within_frozen_statistics_nothing_is_recorded() -> None:
    case = make()
    before = copy.deepcopy(case.net.state_dict())
    with frozen_statistics(case.net):
        case.logits("auto")
    assert all(torch.equal(before[name], value) for name, value in case.net.state_dict().items())


def test_with_frozen_weights_the_mixtures_gradient_is_the_same_and_no_weight_has_one() -> None:
    case = make(k=2)
    labels = torch.arange(len(case.x)) % CLASSES
    wanted = [*case.alpha.values(), *(case.beta or {}).values()]
    with frozen_weights(case.net):
        frozen = torch.autograd.grad(F.cross_entropy(case.logits("auto"), labels), wanted)
    case.net.zero_grad()
    loss = F.cross_entropy(case.logits("auto"), labels)
    for ours, theirs in zip(frozen, torch.autograd.grad(loss, wanted), strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-12, atol=1e-14)
    assert all(p.requires_grad and p.grad is None for p in case.net.parameters())


def test_two_passes_give_the_same_bits() -> None:
    case = make(k=2, dtype=torch.float32)
    first, second = outcome(case, "auto"), outcome(case, "auto")
    assert torch.equal(first[0], second[0])
    assert all(
        (a is None and b is None) or (a is not None and b is not None and torch.equal(a, b))
        for a, b in zip(first[1].values(), second[1].values(), strict=True)
    )


def test_nan_in_a_weight_reaches_the_logits() -> None:
    case = make()
    with torch.no_grad():
        next(p for n, p in case.net.named_parameters() if "operations.4.1" in n).fill_(float("nan"))
    assert case.logits("auto").isnan().all()


def test_the_kernels_refuse_what_they_do_not_know() -> None:
    case = make()
    assert kernels_run(case.net, case.x)
    assert not kernels_run(make("s4").net, case.x)
    assert not kernels_run(case.net, case.x.half())
    with torch.autocast("cpu", torch.bfloat16):
        assert not kernels_run(case.net, case.x)


def test_the_kernels_refuse_pools_without_batch_norms_and_cells_that_give_the_last_node_alone() -> None:
    x = make().x
    spec = SupernetSpec(8, 3, CLASSES)
    one_input = space("nb201").topology
    pools = replace(space("nb201"), name="pools", primitives=("none", "avg_pool_3x3"))
    identities = replace(pools, primitives=("none", "skip_connect"))
    for odd in (pools, replace(pools, output="concat"), identities):
        assert odd.topology == one_input
        assert not kernels_run(NB201Supernet(odd, spec), x)
    assert kernels_run(NB201Supernet(replace(identities, output="concat"), spec), x)


def test_a_second_derivative_is_there_where_it_is_asked_for() -> None:
    case = make()
    found = []
    for engine in ("plain", "auto"):
        case.net.use_engine(engine)
        with case.net.differentiable_twice():
            mixture = {name: Mixture(alpha.softmax(-1)) for name, alpha in case.alpha.items()}
            loss = F.cross_entropy(case.net(case.x, mixture, case.beta), torch.arange(len(case.x)) % CLASSES)
        (first,) = torch.autograd.grad(loss, [case.alpha["normal"]], create_graph=True)
        found.append(torch.autograd.grad(first.square().sum(), [case.alpha["normal"]])[0])
        assert {m.engine for m in case.net.modules() if isinstance(m, MixedEdges)} == {engine}
    assert distance(*found) < 1e-8


def test_a_second_derivative_is_refused_instead_of_wrong() -> None:
    case = make()
    loss = F.cross_entropy(case.logits("auto"), torch.arange(len(case.x)) % CLASSES)
    with pytest.raises(RuntimeError, match=r"differentiated twice.*search.engine=plain"):
        torch.autograd.grad(loss, [case.alpha["normal"]], create_graph=True)


@pytest.mark.parametrize(("name", "value"), [("EDGEWISE_NATIVE", "0"), ("CXX", "/nowhere/c++")])
def test_without_kernels_auto_is_the_grouped_supernet(name: str, value: str, tmp_path) -> None:
    script = (
        "import logging; logging.basicConfig(level=logging.DEBUG)\n"
        "from tests.nn.test_native import make\n"
        "import torch\n"
        "case = make()\n"
        "from edgewise.nn.engines.native import library\n"
        "assert library() is None and library() is None\n"
        "assert torch.equal(case.logits('grouped'), case.logits('auto'))\n"
    )
    environment = {**os.environ, name: value, "EDGEWISE_CACHE": str(tmp_path)}
    done = subprocess.run([sys.executable, "-c", script], env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("PyTorch's own operations") == (name == "CXX")


def test_a_graph_that_is_kept_gives_its_gradients_twice_and_one_that_is_not_is_refused() -> None:
    case = make(k=2)
    loss, inputs = case.logits("auto").square().sum(), list(case.inputs().values())
    first = torch.autograd.grad(loss, inputs, retain_graph=True, allow_unused=True)
    second = torch.autograd.grad(loss, inputs, allow_unused=True)
    assert all(a is b is None or torch.equal(a, b) for a, b in zip(first, second, strict=True))
    with pytest.raises(RuntimeError, match="second time"):
        torch.autograd.grad(loss, inputs, allow_unused=True)


def test_saved_tensors_that_hooks_have_moved_are_refused_instead_of_read_where_they_were() -> None:
    case = make(k=2)
    with torch.autograd.graph.saved_tensors_hooks(lambda tensor: tensor, lambda tensor: tensor.clone()):
        loss = case.logits("auto").sum()
    with pytest.raises(RuntimeError, match="saved tensors moved"):
        loss.backward()


def test_what_the_kernels_keep_is_freed_by_the_backward_pass_and_not_only_with_the_graph() -> None:
    case = make(k=2)
    loss = case.logits("auto").sum()
    function = next(node for node in nodes_of(loss) if type(node).__name__ == "CellFunctionBackward")
    assert all(state.y1 is None and state.y2 is None for state in function.forward.source_states.values())
    loss.backward()
    assert all(
        state.y1 is None and state.pools == [None, None] for state in function.forward.source_states.values()
    )


def nodes_of(loss: Tensor) -> list:
    """The nodes of a graph."""
    found, waiting = [], [loss.grad_fn]
    while waiting:
        node = waiting.pop()
        if node is not None and node not in found:
            found.append(node)
            waiting += [following for following, _ in node.next_functions]
    return found
