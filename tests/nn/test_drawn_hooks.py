"""Hooks on every engine: what is drawn beforehand is what the plain cell draws, and comes to the same numbers."""

from __future__ import annotations

import copy
from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from edgewise.methods import OperationNoise, SchedulePosition, SkipDropout
from edgewise.nn import AnySupernet, DropPath, EngineName, Hooks, Mixture, SupernetSpec, build_supernet
from edgewise.nn import edges as room
from edgewise.nn.engines.native import NativeEngine, library
from edgewise.nn.hooks import DrawnHook, OperationHook
from edgewise.runtime.random import seeded
from edgewise.spaces import space

CLASSES, BATCH = 5, 4
MakeHooks = Callable[[], Hooks]


def stream(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def noise(mode: str) -> OperationHook | None:
    return OperationNoise(mode=mode, factor=0.3).hook(SchedulePosition(0, 4), stream(1))  # type: ignore[arg-type]


def dropout() -> OperationHook | None:
    return SkipDropout().hook(0.4, stream(2))


HOOKS: dict[str, MakeHooks] = {
    "additive": lambda: Hooks(noise("additive")),
    "multiplicative": lambda: Hooks(noise("multiplicative")),
    "uniform": lambda: Hooks(noise("uniform")),
    "dropout": lambda: Hooks(dropout()),
    "both": lambda: Hooks.together([Hooks(noise("additive")), Hooks(dropout())]),
    "drop-path": lambda: Hooks(edge=DropPath(0.4, stream(3))),
    "all": lambda: Hooks.together(
        [Hooks(noise("additive")), Hooks(dropout()), Hooks(None, DropPath(0.3, stream(3)))]
    ),
}
CASES = [("darts", 4, name) for name in HOOKS]
CASES += [("darts", 1, "all"), ("nb201", 1, "all"), ("nb201", 2, "all"), ("s4", 1, "all"), ("nasnet", 1, "all")]


def make(
    where: str, k: int, dtype: torch.dtype, memory: str = "normal"
) -> tuple[AnySupernet, Tensor, list[Tensor]]:
    """A supernet, images, and alpha and beta of each cell type."""
    found = space(where)
    with seeded(1):
        spec = SupernetSpec(2 * k if k > 1 else 4, 3, CLASSES, k=k, memory=memory)  # type: ignore[arg-type]
        net = build_supernet(found, spec).to(dtype)
        edges = len(found.topology.edges)
        arch = [
            torch.randn(edges, len(found.primitives), dtype=dtype, requires_grad=True) for _ in found.cell_types
        ]
        arch += [torch.rand(edges, dtype=dtype, requires_grad=True) for _ in found.cell_types]
        x = torch.randn(BATCH, 3, 8, 8, dtype=dtype)
    return net, x, arch


def outcome(
    net: AnySupernet, x: Tensor, arch: list[Tensor], hooks: Hooks, engine: EngineName, active: Tensor | None = None
) -> dict[str, Tensor]:
    """Logits, gradients and statistics of one pass; the net is left alone."""
    net, types = copy.deepcopy(net), net.space.cell_types
    mixture = {name: Mixture(a.softmax(-1), active) for name, a in zip(types, arch[: len(types)], strict=True)}
    beta = dict(zip(types, arch[len(types) :], strict=True))
    net.use_engine(engine)
    logits = net(x, mixture, beta, hooks)
    inputs = [*arch, *net.parameters()]
    found = torch.autograd.grad(
        F.cross_entropy(logits, torch.arange(len(x)) % CLASSES), inputs, allow_unused=True, materialize_grads=True
    )
    return {"logits": logits.detach()} | {str(i): g for i, g in enumerate(found)} | dict(net.named_buffers())


def farthest(a: dict[str, Tensor], b: dict[str, Tensor]) -> float:
    """The largest distance of two outcomes in any of their tensors, relative to its size.

    Means behind an average pool of a normalised plane are zero but for rounding: a size below 1e-4 counts as that.
    """
    assert a.keys() == b.keys()
    return max(float((a[name] - b[name]).double().norm() / a[name].double().norm().clamp_min(1e-4)) for name in a)


def runs_plain(monkeypatch: pytest.MonkeyPatch) -> list[bool]:
    """Notes each cell that is computed module by module."""
    seen: list[bool] = []
    plain = room.mix_nodes
    monkeypatch.setattr(room, "mix_nodes", lambda *a: (seen.append(True), plain(*a))[1])
    return seen


@pytest.mark.parametrize("engine", ["grouped", "auto"])
@pytest.mark.parametrize(("where", "k", "name"), CASES)
def test_hooks_come_to_the_plain_cells_numbers_in_float64(
    where: str, k: int, name: str, engine: EngineName, monkeypatch: pytest.MonkeyPatch
) -> None:
    case = make(where, k, torch.float64)
    plain = outcome(*case, HOOKS[name](), "plain")
    assert farthest(outcome(*case, Hooks(), "plain"), plain) > 1e-3
    seen = runs_plain(monkeypatch)
    assert farthest(plain, outcome(*case, HOOKS[name](), engine)) < 1e-10
    assert seen == []


@pytest.mark.skipif(library() is None, reason="no C++ compiler: the kernels are not there")
@pytest.mark.parametrize("name", HOOKS)
def test_the_kernels_carry_what_recipes_do_and_in_float32_logits_are_those_of_the_plain_cell(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    ran: list[bool] = []
    run = NativeEngine.__call__
    monkeypatch.setattr(NativeEngine, "__call__", lambda *a: (ran.append(True), run(*a))[1])
    case = make("darts", 4, torch.float32)
    plain, fast = (outcome(*case, HOOKS[name](), engine)["logits"] for engine in ("plain", "auto"))
    torch.testing.assert_close(fast, plain, rtol=1e-4, atol=1e-4)
    assert len(ran) == 3


@pytest.mark.parametrize("engine", ["grouped", "auto"])
@pytest.mark.parametrize("name", ["all", "drop-path"])
def test_with_low_memory_a_cell_is_changed_as_it_was_the_first_time(name: str, engine: EngineName) -> None:
    def hooks() -> Hooks:
        draws = stream(1), stream(2), stream(3)
        operation = OperationNoise().hook(SchedulePosition(0, 4), draws[0])
        other = SkipDropout().hook(0.4, draws[1])
        edge = Hooks(None, DropPath(0.3, draws[2]), draws[2:])
        if name != "all":
            return edge
        return Hooks.together([Hooks(operation, draws=draws[:1]), Hooks(other, draws=draws[1:2]), edge])

    normal, low = (
        outcome(*make("darts", 4, torch.float64, memory), hooks(), engine) for memory in ("normal", "low")
    )
    assert all(torch.equal(normal[key], low[key]) for key in normal)


@pytest.mark.parametrize("engine", ["grouped", "auto"])
def test_operations_that_are_not_active_draw_nothing(engine: EngineName) -> None:
    case = make("darts", 1, torch.float64)
    active = torch.zeros(14, 8, dtype=torch.bool)
    active[torch.arange(14), torch.arange(14) % 8] = True
    plain, fast = (outcome(*case, HOOKS["all"](), kind, active) for kind in ("plain", engine))
    assert farthest(plain, fast) < 1e-10


@pytest.mark.parametrize("engine", ["grouped", "auto"])
def test_hooks_that_change_convolutions_are_carried_by_the_grouped_cells(
    engine: EngineName, monkeypatch: pytest.MonkeyPatch
) -> None:
    def halve() -> Hooks:
        return Hooks(
            DrawnHook(frozenset({"sep_conv_3x3", "max_pool_3x3"}), lambda p, s, shape: lambda out: out / 2)
        )

    case = make("darts", 1, torch.float64)
    plain = outcome(*case, halve(), "plain")
    assert farthest(outcome(*case, Hooks(), "plain"), plain) > 1e-3
    seen = runs_plain(monkeypatch)
    assert farthest(plain, outcome(*case, halve(), engine)) < 1e-10
    assert seen == []


@pytest.mark.parametrize(
    "hooks", [Hooks(lambda primitive, stride, out: out / 2), Hooks(edge=lambda out: out / 2)], ids=["one", "edge"]
)
def test_hooks_that_cannot_tell_beforehand_run_plain(hooks: Hooks, monkeypatch: pytest.MonkeyPatch) -> None:
    case = make("darts", 1, torch.float64)
    seen = runs_plain(monkeypatch)
    plain, fast = (outcome(*case, hooks, engine) for engine in ("plain", "auto"))
    assert len(seen) == 2 * 3
    assert all(torch.equal(plain[key], fast[key]) for key in plain)


def test_drop_path_of_probability_0_draws_nothing_and_changes_nothing() -> None:
    case = make("darts", 4, torch.float64)
    generator = stream(3)
    before = generator.get_state()
    none, zero = (outcome(*case, hooks, "auto") for hooks in (Hooks(), Hooks(edge=DropPath(0.0, generator))))
    assert all(torch.equal(none[key], zero[key]) for key in none)
    assert torch.equal(generator.get_state(), before)
