"""The forward pass of a training: drop-path drawn beforehand, compiled passes, layout."""

from __future__ import annotations

import copy
from dataclasses import replace

import pytest
import torch
from torch import Tensor, nn

from edgewise.nn import DropPath
from edgewise.runtime import compiling
from edgewise.runtime.compiling import Compiled, compile_fault
from edgewise.runtime.compute import Compute
from edgewise.runtime.random import seeded
from edgewise.train import TrainTask
from edgewise.train.forward import TrainingPass
from tests.backend import Backend, use_backend
from tests.search.problem import make_splits
from tests.train.test_task import SETTINGS, network

# Five of a normal cell's eight edges are no identity, and seven of each of the two reduction cells'.
BRANCHES = 5 + 7 + 7


@pytest.fixture
def graphs(monkeypatch: pytest.MonkeyPatch) -> Backend:
    """What dynamo found, run without a compiler."""
    found = use_backend(monkeypatch)
    monkeypatch.setattr(compiling, "compile_fault", lambda device: None)
    monkeypatch.setattr("edgewise.runtime.compute.compile_fault", lambda device: None)
    return found


class Small(nn.Module):
    """One convolution with a batch norm and drop-path: little to compile."""

    def __init__(self) -> None:
        super().__init__()
        with seeded(0):
            self.convolution, self.norm = nn.Conv2d(3, 4, 3, bias=False), nn.BatchNorm2d(4)
            self.classifier = nn.Linear(4, 3)

    def training_forward(self, x: Tensor, drop_path: DropPath | None) -> tuple[Tensor, None]:
        out = self.norm(self.convolution(x)).relu()
        if drop_path is not None:
            out = drop_path(out)
        return self.classifier(out.mean((2, 3))), None


def make_task(
    *, compile: bool, drop_path: float = 0.4, batch_size: int = 8, module: nn.Module | None = None
) -> TrainTask:
    settings = replace(SETTINGS, drop_path=drop_path, batch_size=batch_size, auxiliary=0.4)
    return TrainTask(
        module or network(auxiliary=True),
        "found",
        settings,
        make_splits(),
        None,
        seed=5,
        compute=Compute("cpu", compile=compile),
    )


def weights(task: TrainTask) -> dict[str, Tensor]:
    return {name: tensor.clone() for name, tensor in task.network.state_dict().items()}


@pytest.mark.parametrize("probability", [0.0, 0.4])
def test_a_drop_path_drawn_beforehand_drops_what_one_that_draws_on_the_way_drops(probability: float) -> None:
    net = network().train()
    x = torch.randn(6, 3, 8, 8, generator=torch.Generator().manual_seed(0))
    one, two = (DropPath(probability, torch.Generator().manual_seed(4)) for _ in range(2))
    expected, _ = net.training_forward(x, one)
    drawn = two.drawn(BRANCHES, x)
    actual, _ = net.training_forward(x, drawn)
    assert torch.equal(actual, expected)
    assert drawn.used == BRANCHES
    assert torch.equal(one.generator.get_state(), two.generator.get_state())


def test_branches_are_counted_without_touching_statistics_or_mode() -> None:
    net = network().train()
    before = {name: tensor.clone() for name, tensor in net.state_dict().items()}
    forward = TrainingPass(net, Compute("cpu"), batch_size=4, drops=True)
    assert forward._count(torch.randn(4, 3, 8, 8)) == BRANCHES
    assert net.training
    assert all(torch.equal(before[name], tensor) for name, tensor in net.state_dict().items())


def test_a_compiled_training_ends_where_an_uncompiled_one_ends(graphs: Backend) -> None:
    tasks = [make_task(compile=compiled) for compiled in (False, True)]
    for task in tasks:
        for epoch in range(2):
            for step in range(task.steps):
                task.step(epoch, step)
    one, two = map(weights, tasks)
    assert list(one) == list(two)
    for name, tensor in one.items():
        torch.testing.assert_close(two[name], tensor, rtol=1e-5, atol=1e-6)
    assert graphs.graphs == 1, "one graph: no break, and none for the time before drop-path begins"


def test_a_last_smaller_batch_is_not_compiled_for(graphs: Backend) -> None:
    task = make_task(compile=True, batch_size=7)
    images = len(make_splits().train)
    assert images % 7
    for step in range(task.steps):
        task.step(0, step)
    assert graphs.graphs == 1


def test_a_checkpoint_of_a_compiled_training_goes_on_uncompiled_and_back(graphs: Backend) -> None:
    compiled, plain = make_task(compile=True), make_task(compile=False)
    for step in range(2):
        compiled.step(0, step)
    plain.load_state_dict(copy.deepcopy(compiled.state_dict()))
    for task in (compiled, plain):
        task.step(1, 0)
    for name, tensor in weights(compiled).items():
        torch.testing.assert_close(weights(plain)[name], tensor, rtol=1e-5, atol=1e-6)
    compiled.load_state_dict(plain.state_dict())


def test_a_compiled_pass_draws_as_much_as_an_uncompiled_one(graphs: Backend) -> None:
    states = []
    for compiled in (False, True):
        task = make_task(compile=compiled)
        for epoch in (0, 1):
            task.step(epoch, 0)
        states.append(task.streams.state_dict())
    assert str(states[0]) == str(states[1])


def test_channels_last_changes_layout_and_no_name_and_no_number_beyond_rounding() -> None:
    compute = Compute("cpu")
    net, twin = network().train(), network().train()
    x = torch.randn(4, 3, 8, 8, generator=torch.Generator().manual_seed(0))
    expected, _ = TrainingPass(net, compute, batch_size=4, drops=False)(x, DropPath(0.0, torch.Generator()))

    class Tensors:
        channels_last = True
        compiles = False

    laid_out = TrainingPass(twin, Tensors(), batch_size=4, drops=False)  # type: ignore[arg-type]
    actual, _ = laid_out(x, DropPath(0.0, torch.Generator()))
    torch.testing.assert_close(actual, expected, rtol=1e-3, atol=1e-4)
    wide = next(p for p in twin.parameters() if p.dim() == 4 and p.shape[1] > 1 and p.shape[2] > 1)
    assert wide.is_contiguous(memory_format=torch.channels_last)
    assert list(twin.state_dict()) == list(net.state_dict())


@pytest.mark.parametrize(
    ("device", "precision", "expected"),
    [("cpu", "bf16", False), ("cuda", "fp32", False), ("cuda", "bf16", True), ("cuda", "fp16", True)],
)
def test_images_lie_channels_last_under_autocast_on_cuda_alone(
    device: str, precision: str, expected: bool
) -> None:
    compute = Compute("cpu")
    compute.device, compute.precision = torch.device(device), precision  # type: ignore[assignment]
    assert compute.channels_last is expected


@pytest.mark.skipif(compile_fault(torch.device("cpu")) is not None, reason="no C++ compiler")
def test_a_training_compiled_by_the_machines_compiler_ends_where_an_uncompiled_one_ends() -> None:
    tasks = [make_task(compile=compiled, module=Small()) for compiled in (False, True)]
    for task in tasks:
        for step in range(2):
            task.step(1, step)
    pass_ = tasks[1]._forward._compiled
    assert isinstance(pass_, Compiled)
    assert not pass_.failed
    one, two = map(weights, tasks)
    assert list(one) == list(two)
    for name, tensor in one.items():
        torch.testing.assert_close(two[name], tensor, rtol=1e-4, atol=1e-5)
