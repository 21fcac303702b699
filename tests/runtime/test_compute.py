"""Device and precision are what was asked for, or an error that says why not."""

from __future__ import annotations

import pytest
import torch

from edgewise.errors import ConfigError
from edgewise.runtime.compute import Compute, restore_optimizer

needs_no_cuda = pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has a CUDA device")


@pytest.mark.parametrize("device", ["toaster", "cpu:x", ""])
def test_an_unknown_device_is_refused_by_name_with_a_way_out(device: str) -> None:
    with pytest.raises(ConfigError) as caught:
        Compute(device)
    assert f"--device {device!r}" in str(caught.value)
    assert "--device cpu" in str(caught.value)
    assert "\n" not in str(caught.value)


@needs_no_cuda
def test_a_device_that_is_absent_is_refused_by_name_with_a_way_out() -> None:
    with pytest.raises(ConfigError, match=r"--device 'cuda' can't be used here .*--device auto or --device cpu"):
        Compute("cuda")


def test_an_unknown_precision_is_refused_with_the_known_ones() -> None:
    with pytest.raises(ConfigError, match="'fp8' is unknown: choose one of fp32, bf16, fp16"):
        Compute("cpu", "fp8")  # type: ignore[arg-type]


def test_fp16_is_refused_on_the_cpu_with_what_to_use_instead() -> None:
    with pytest.raises(ConfigError, match=r"fp16 needs an accelerator.*use fp32 or bf16"):
        Compute("cpu", "fp16")


def test_auto_finds_a_device_that_exists() -> None:
    device = Compute("auto").device
    assert torch.ones(2, device=device).sum().item() == 2


@needs_no_cuda
def test_auto_is_the_cpu_where_there_is_no_accelerator() -> None:
    if torch.accelerator.is_available():
        pytest.skip("this machine has an accelerator")
    assert Compute("auto").device == torch.device("cpu")


def product_type(compute: Compute) -> torch.dtype:
    with compute.autocast():
        return (torch.ones(2, 2) @ torch.ones(2, 2)).dtype


def test_products_are_taken_in_the_precision_asked_for() -> None:
    assert product_type(Compute("cpu", "fp32")) == torch.float32
    assert product_type(Compute("cpu", "bf16")) == torch.bfloat16
    assert product_type(Compute("cpu", "fp32")) == torch.float32


def test_precision_ends_with_the_autocast_block() -> None:
    compute = Compute("cpu", "bf16")
    with compute.autocast():
        pass
    assert (torch.ones(2, 2) @ torch.ones(2, 2)).dtype == torch.float32


@pytest.mark.parametrize(("first", "second"), [("fp32", "bf16"), ("bf16", "fp32")])
def test_an_earlier_run_keeps_its_precision_when_a_later_one_has_another(first, second) -> None:
    types = {"fp32": torch.float32, "bf16": torch.bfloat16}
    earlier = Compute("cpu", first)
    later = Compute("cpu", second)
    assert product_type(later) == types[second]
    assert product_type(earlier) == types[first]


def parameters_with_gradient(*values: float) -> list[torch.Tensor]:
    parameters = [torch.zeros(1, requires_grad=True) for _ in values]
    for parameter, value in zip(parameters, values, strict=True):
        parameter.grad = torch.tensor([value])
    return parameters


def test_clipping_scales_all_gradients_together_and_returns_the_norm_before() -> None:
    parameters = parameters_with_gradient(3.0, 4.0)
    assert Compute("cpu").clip(parameters, 1.0).item() == pytest.approx(5.0)
    assert [p.grad.item() for p in parameters if p.grad is not None] == pytest.approx([0.6, 0.8], abs=1e-5)


def test_clipping_leaves_a_short_gradient_as_it_is() -> None:
    parameters = parameters_with_gradient(3.0, 4.0)
    assert Compute("cpu").clip(iter(parameters), 5.5).item() == pytest.approx(5.0)
    assert [p.grad.item() for p in parameters if p.grad is not None] == [3.0, 4.0]


def test_gradients_are_those_of_autograd_and_no_grad_field_is_touched() -> None:
    x = torch.tensor([1.0, 2.0], requires_grad=True)
    w = torch.tensor([3.0, 4.0], requires_grad=True)
    w.grad = torch.tensor([7.0, 7.0])
    (gradient,) = Compute("cpu").gradients((x * w).square().sum(), [x])
    assert gradient.tolist() == [18.0, 64.0]
    assert x.grad is None
    assert w.grad.tolist() == [7.0, 7.0]


def test_gradients_come_back_unscaled_where_there_is_a_loss_scaler() -> None:
    compute = Compute("cpu")
    seen = []
    compute._accelerator.scaler = torch.amp.GradScaler("cpu", init_scale=1024.0)
    x = torch.tensor([1.0, 2.0], requires_grad=True)
    x.register_hook(lambda gradient: seen.append(gradient.tolist()))
    (gradient,) = compute.gradients(x.square().sum(), [x])
    assert seen == [[2048.0, 4096.0]]
    assert gradient.tolist() == [2.0, 4.0]


@pytest.mark.parametrize("value", [0.0, float("inf"), float("nan")])
def test_an_overflow_in_any_gradient_is_noticed_with_one_read_and_only_behind_a_loss_scaler(value: float) -> None:
    gradients = [torch.ones(3), torch.tensor([[1.0, value]]), torch.ones(())]
    compute = Compute("cpu")
    assert not compute.overflowed(gradients)
    compute._accelerator.scaler = torch.amp.GradScaler("cpu")
    with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU]) as profile:
        assert compute.overflowed(gradients) == (value != 0.0)
    reads = {event.key: event.count for event in profile.key_averages()}
    assert reads["aten::_local_scalar_dense"] == 1


def test_backward_fills_the_gradients_and_the_prepared_optimiser_steps() -> None:
    compute = Compute("cpu")
    x = torch.tensor([1.0], requires_grad=True)
    optimizer = compute.prepare_optimizer(torch.optim.SGD([x], lr=0.25))
    compute.backward((x * x).sum())
    optimizer.step()
    assert x.item() == 0.5
    optimizer.zero_grad()
    assert x.grad is None


def test_there_is_no_scaler_state_in_fp32_and_none_is_needed() -> None:
    compute = Compute("cpu")
    assert compute.scaler_state() == {}
    compute.load_scaler_state({})


def test_a_restored_optimiser_has_the_old_momentum_and_its_own_learning_rate() -> None:
    weight = torch.nn.Parameter(torch.ones(2))
    before = torch.optim.SGD([weight], lr=0.5, momentum=0.9)
    weight.grad = torch.tensor([1.0, 2.0])
    before.step()
    after = torch.optim.SGD([weight], lr=0.1, momentum=0.8)
    restore_optimizer(after, before.state_dict())
    assert after.state[weight]["momentum_buffer"].tolist() == [1.0, 2.0]
    assert (after.param_groups[0]["lr"], after.param_groups[0]["momentum"]) == (0.1, 0.8)
