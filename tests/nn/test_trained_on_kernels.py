"""Derived networks on the kernels: the same numbers as their modules, in training, and nowhere else."""

from __future__ import annotations

import copy
import os
import subprocess
import sys
from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from edgewise.nn import (
    DropPath,
    FactorizedReduction,
    Network,
    NetworkSpec,
    SynchronisedBatchNorm2d,
    frozen_statistics,
    operation,
    use_engine,
)
from edgewise.nn.engines.native import library
from edgewise.nn.operations import relu_conv_norm
from edgewise.runtime.distributed import Processes
from edgewise.runtime.random import seeded
from edgewise.spaces import published

Make = Callable[[], nn.Module]
PRIMITIVES = ("sep_conv_3x3", "sep_conv_5x5", "sep_conv_7x7", "dil_conv_3x3", "dil_conv_5x5")
OURS = {"SeparableFunctionBackward", "PointwiseFunctionBackward", "AverageFunctionBackward"}


@pytest.fixture(autouse=True)
def _compiled() -> None:
    if library() is None:
        pytest.skip("no C++ compiler here: networks run on PyTorch's own operations")


def module_of(name: str, *, stride: int = 1, dtype: torch.dtype = torch.float64) -> nn.Module:
    """A module with batch norms of random scale and shift, for 6 channels; in training mode, plain."""
    makes: dict[str, Make] = {
        "pointwise": lambda: relu_conv_norm(6, 5, affine=True),
        "reduction": lambda: FactorizedReduction(6, 4, affine=True),
    }
    with seeded(3):
        made = makes[name]() if name in makes else operation(name, 6, stride=stride, affine=True)
        for child in made.modules():
            if isinstance(child, nn.BatchNorm2d):
                nn.init.normal_(child.weight)
                nn.init.normal_(child.bias)
    return made.to(dtype).train()


def outcome(module: nn.Module, x: Tensor) -> tuple[bool, dict[str, Tensor]]:
    """Whether the kernels ran; the output, all gradients, and what the batch norms recorded."""
    x = x.clone().requires_grad_()
    y = module(x)
    with seeded(4):
        y.backward(torch.randn(y.shape, dtype=y.dtype))
    assert x.grad is not None
    found = {"y": y.detach(), "x": x.grad}
    found |= {name: p.grad for name, p in module.named_parameters() if p.grad is not None}
    return type(y.grad_fn).__name__ in OURS, found | dict(module.named_buffers())


def both(module: nn.Module, x: Tensor) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """What the plain module and the kernels make of x."""
    fast = copy.deepcopy(module)
    use_engine(fast, "auto")
    plain, ours = outcome(module, x), outcome(fast, x)
    assert (plain[0], ours[0]) == (False, True)
    assert plain[1].keys() == ours[1].keys()
    return plain[1], ours[1]


def images(*shape: int, dtype: torch.dtype = torch.float64) -> Tensor:
    return torch.randn(shape, dtype=dtype, generator=torch.Generator().manual_seed(0))


SHAPES = [(3, 8, 8), (2, 7, 7), (1, 5, 9), (2, 1, 2), (2, 33, 17)]


@pytest.mark.parametrize(("batch", "height", "width"), SHAPES)
@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("name", PRIMITIVES)
def test_outputs_gradients_and_statistics_of_depthwise_convolutions_are_those_of_the_modules(
    name: str, stride: int, batch: int, height: int, width: int
) -> None:
    plain, ours = both(module_of(name, stride=stride), images(batch, 6, height, width))
    assert len(plain) == 2 + (14 if name.startswith("sep") else 7)
    for key, value in plain.items():
        torch.testing.assert_close(ours[key], value, rtol=1e-10, atol=1e-10, msg=key)


@pytest.mark.parametrize(("batch", "height", "width"), SHAPES)
@pytest.mark.parametrize("name", ["pointwise", "reduction", "avg_pool_3x3"])
def test_outputs_gradients_and_statistics_of_the_others_are_those_of_the_modules(
    name: str, batch: int, height: int, width: int
) -> None:
    plain, ours = both(module_of(name), images(batch, 6, height, width))
    for key, value in plain.items():
        torch.testing.assert_close(ours[key], value, rtol=1e-10, atol=1e-10, msg=key)


@pytest.mark.parametrize("name", [*PRIMITIVES, "pointwise", "reduction", "avg_pool_3x3"])
def test_in_float32_the_kernels_are_as_close_to_float64_as_the_modules_are(name: str) -> None:
    module = module_of(name)
    # Far from zero, so that batch norms are given means of many standard deviations.
    x = (images(16, 6, 16, 16) * 0.1 + 2).float().double()
    for parameter in module.parameters():
        parameter.data = parameter.data.float().double()
    exact = outcome(copy.deepcopy(module), x)[1]
    plain, ours = both(module.float(), x.float())

    def distance(a: Tensor, b: Tensor) -> float:
        return float((a.double() - b.double()).norm() / b.double().norm().clamp_min(1e-12))

    assert {
        key for key in exact if distance(ours[key], exact[key]) > 4 * distance(plain[key], exact[key]) + 1e-6
    } == set()


def network(
    *, dtype: torch.dtype = torch.float64, engine: str = "auto", channels: int = 4, layers: int = 5
) -> Network:
    with seeded(1):
        spec = NetworkSpec(channels=channels, layers=layers, classes=5, auxiliary=True)
        net = Network(published("PC_DARTS_cifar"), spec).to(dtype).train()
    use_engine(net, engine)  # type: ignore[arg-type]
    return net


def step(net: Network, x: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
    """Logits; gradients, and what the batch norms recorded."""
    drop = DropPath(0.3, torch.Generator().manual_seed(2))
    logits, auxiliary = net.training_forward(x, drop)
    assert auxiliary is not None
    labels = torch.arange(len(x)) % 5
    (F.cross_entropy(logits, labels) + 0.4 * F.cross_entropy(auxiliary, labels)).backward()
    found = {name: p.grad for name, p in net.named_parameters() if p.grad is not None}
    return logits.detach(), found | dict(net.named_buffers())


def kinds(y: Tensor) -> set[str]:
    """The nodes of a graph."""
    found, waiting, seen = set(), [y.grad_fn], set()
    while waiting:
        node = waiting.pop()
        if node is not None and node not in seen:
            seen.add(node)
            found.add(type(node).__name__)
            waiting += [following for following, _ in node.next_functions]
    return found


@pytest.mark.parametrize("size", [16, 13])
def test_a_step_of_a_network_with_drop_path_and_auxiliary_head_is_the_same(size: int) -> None:
    x = images(4, 3, size, size)
    plain, ours = step(network(engine="plain"), x), step(network(), x)
    torch.testing.assert_close(ours[0], plain[0], rtol=1e-9, atol=1e-10)
    assert ours[1].keys() == plain[1].keys()
    for key, value in plain[1].items():
        torch.testing.assert_close(ours[1][key], value, rtol=1e-7, atol=1e-9, msg=key)


def test_in_float32_logits_agree_to_1e_4() -> None:
    x = images(8, 3, 16, 16, dtype=torch.float32)
    plain, ours = (step(network(dtype=torch.float32, engine=engine), x)[0] for engine in ("plain", "auto"))
    torch.testing.assert_close(ours, plain, rtol=1e-4, atol=1e-4)


def test_all_kernels_run_in_a_network_on_auto_and_none_in_evaluation_or_plain() -> None:
    x, net = images(2, 3, 16, 16), network()
    assert kinds(net(x)) >= OURS
    use_engine(net, "plain")
    assert not kinds(net(x)) & OURS
    use_engine(net, "auto")
    assert not kinds(net.eval()(x)) & OURS


def test_names_and_weights_are_those_of_plain_sequences() -> None:
    state = operation("sep_conv_3x3", 4, stride=1, affine=True).state_dict()
    assert [n for n in state if n.endswith("weight")] == [f"{i}.weight" for i in (1, 2, 3, 5, 6, 7)]
    assert [n for n in relu_conv_norm(4, 4, affine=True).state_dict() if "weight" in n] == ["1.weight", "2.weight"]


def test_two_steps_give_the_same_bits() -> None:
    x = images(4, 3, 16, 16, dtype=torch.float32)
    first, second = (step(network(dtype=torch.float32), x) for _ in range(2))
    assert torch.equal(first[0], second[0])
    assert all(torch.equal(value, second[1][key]) for key, value in first[1].items())


@pytest.mark.parametrize("name", ["sep_conv_3x3", "dil_conv_3x3", "pointwise", "reduction", "avg_pool_3x3"])
def test_nan_and_infinity_in_an_image_reach_the_output_as_in_the_modules(name: str) -> None:
    for poison in (float("nan"), float("inf")):
        x = images(2, 6, 8, 8)
        x[1, 2, 3, 3] = poison
        plain = module_of(name)
        ours = copy.deepcopy(plain)
        use_engine(ours, "auto")
        expected, actual = plain(x), ours(x)
        assert type(actual.grad_fn).__name__ in OURS or name == "avg_pool_3x3"
        assert not expected.isfinite().all()
        assert torch.equal(actual.isfinite(), expected.isfinite())


def runs_plain(module: nn.Module, x: Tensor) -> bool:
    """Whether a module that may use the kernels for x gives the bits of PyTorch's operations."""
    plain = copy.deepcopy(module)
    use_engine(plain, "plain")
    use_engine(module, "auto")
    y = module(x)
    used = bool(kinds(y) & OURS)
    assert used or torch.equal(y, plain(x))
    return not used


@pytest.mark.parametrize("name", ["sep_conv_3x3", "pointwise", "reduction"])
class TestPlainInstead:
    """Where the kernels do not know what is asked for, the modules run."""

    def test_for_inputs_of_another_kind(self, name: str) -> None:
        x = images(2, 6, 8, 8, dtype=torch.float32)
        assert not runs_plain(module_of(name, dtype=torch.float32), x)
        assert runs_plain(module_of(name, dtype=torch.bfloat16), x.bfloat16())
        assert runs_plain(module_of(name, dtype=torch.float32), x.contiguous(memory_format=torch.channels_last))
        with torch.autocast("cpu", torch.bfloat16):
            assert runs_plain(module_of(name, dtype=torch.float32), x)

    def test_within_frozen_statistics(self, name: str) -> None:
        module, x = module_of(name), images(2, 6, 8, 8)
        with frozen_statistics(module):
            assert runs_plain(module, x)
        assert not runs_plain(module, x)

    def test_where_somebody_listens_to_a_part(self, name: str) -> None:
        module, calls = module_of(name), []
        part = next(child for child in module.modules() if isinstance(child, nn.BatchNorm2d))
        handle = part.register_forward_hook(lambda *_: calls.append(1))
        assert runs_plain(module, images(2, 6, 8, 8))
        assert calls
        handle.remove()
        handle = nn.modules.module.register_module_forward_hook(lambda *_: None)
        try:
            assert runs_plain(module, images(2, 6, 8, 8))
        finally:
            handle.remove()
        assert not runs_plain(module, images(2, 6, 8, 8))

    def test_where_a_part_is_another_one(self, name: str) -> None:
        x = images(2, 6, 8, 8)
        for kind, other in (
            (nn.ReLU, nn.Softplus()),
            (nn.BatchNorm2d, None),
        ):
            module = module_of(name)
            for parent in list(module.modules()):
                for key, child in parent.named_children():
                    if type(child) is kind:
                        new = other or SynchronisedBatchNorm2d(child, Processes())  # type: ignore[arg-type]
                        setattr(parent, key, new)
            assert runs_plain(module, x)

    def test_where_running_statistics_are_a_plain_mean(self, name: str) -> None:
        module = module_of(name)
        for child in module.modules():
            if isinstance(child, nn.BatchNorm2d):
                child.momentum = None
        assert runs_plain(module, images(2, 6, 8, 8))

    def test_and_one_value_a_channel_is_refused_as_ever(self, name: str) -> None:
        module = module_of(name)
        use_engine(module, "auto")
        with pytest.raises(ValueError, match="more than 1 value per channel"):
            module(images(1, 6, 1, 1))

    def test_but_a_second_derivative_is_refused_instead_of_wrong(self, name: str) -> None:
        module, x = module_of(name), images(2, 6, 8, 8).requires_grad_()
        use_engine(module, "auto")
        with pytest.raises(RuntimeError, match=r"differentiated twice.*train\.engine=plain"):
            torch.autograd.grad(module(x).square().sum(), x, create_graph=True)


def test_frozen_weights_get_no_gradient_and_the_input_the_same() -> None:
    module, x = module_of("sep_conv_3x3"), images(2, 6, 8, 8)
    expected = outcome(copy.deepcopy(module), x)[1]["x"]
    use_engine(module, "auto")
    module.requires_grad_(False)
    assert not [key for key in outcome(module, x)[1] if key.endswith(("weight", "bias"))]
    torch.testing.assert_close(outcome(module, x)[1]["x"], expected, rtol=1e-10, atol=1e-10)


def test_a_graph_that_is_kept_gives_its_gradients_twice_also_with_saved_tensors_moved() -> None:
    module, x = module_of("sep_conv_3x3"), images(2, 6, 8, 8).requires_grad_()
    use_engine(module, "auto")
    with torch.autograd.graph.saved_tensors_hooks(lambda tensor: tensor, lambda tensor: tensor.clone()):
        loss = module(x).square().sum()
    wanted = [x, *module.parameters()]
    first, second = (torch.autograd.grad(loss, wanted, retain_graph=True) for _ in range(2))
    assert all(torch.equal(a, b) for a, b in zip(first, second, strict=True))


def test_what_is_kept_for_the_backward_pass_is_the_output_of_each_pair_and_nothing_more() -> None:
    kept: list[Tensor] = []
    module, x = module_of("sep_conv_3x3"), images(2, 6, 8, 8).requires_grad_()
    use_engine(module, "auto")
    with torch.autograd.graph.saved_tensors_hooks(lambda t: kept.append(t) or t, lambda t: t):
        module(x)
    assert [t.shape for t in kept if t.dim() == 4 and t.shape[0] == 2] == [x.shape] * 3


def test_without_kernels_auto_is_plain() -> None:
    script = (
        "from tests.nn.test_trained_on_kernels import OURS, images, kinds, network\n"
        "import torch\n"
        "x = images(2, 3, 16, 16)\n"
        "ours, plain = network()(x), network(engine='plain')(x)\n"
        "assert torch.equal(ours, plain) and not kinds(ours) & OURS\n"
    )
    environment = {**os.environ, "EDGEWISE_NATIVE": "0"}
    done = subprocess.run([sys.executable, "-c", script], env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
