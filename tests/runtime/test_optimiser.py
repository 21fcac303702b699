"""The weights' optimiser and clipping: by hand, against torch's own loops, late gradients, scaler, layouts."""

from __future__ import annotations

import copy
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from edgewise.runtime.compute import Compute, restore_optimizer
from edgewise.runtime.optimiser import can_clip_together, sgd


def weights_of(*shapes: tuple[int, ...], dtype: torch.dtype = torch.float32) -> list[nn.Parameter]:
    generator = torch.Generator().manual_seed(0)
    return [nn.Parameter(torch.randn(shape, generator=generator).to(dtype)) for shape in shapes]


def with_gradients(weights: list[nn.Parameter], seed: int = 0) -> list[nn.Parameter]:
    generator = torch.Generator().manual_seed(seed)
    for weight in weights:
        weight.grad = torch.randn(weight.shape, generator=generator).to(weight.dtype)
    return weights


def gradients_of(weights: list[nn.Parameter]) -> list[Tensor]:
    return [weight.grad for weight in weights if weight.grad is not None]


def calls(action: Callable[[], object]) -> dict[str, int]:
    with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU]) as profile:
        action()
    return {event.key: event.count for event in profile.key_averages() if event.key.startswith("aten::")}


def test_two_steps_are_those_of_the_pencil() -> None:
    weight = nn.Parameter(torch.tensor([1.0]))
    optimizer = sgd([weight], 0.1, momentum=0.9, weight_decay=0.5)
    for gradient, after in ((2.0, 0.75), (1.0, 0.3875)):
        weight.grad = torch.tensor([gradient])
        optimizer.step()
        assert weight.item() == pytest.approx(after, abs=1e-7)


def test_a_step_is_one_call_whatever_the_number_of_weights() -> None:
    weights = with_gradients(weights_of(*[(3, 3)] * 50))
    optimizer = sgd(weights, 0.1, momentum=0.9, weight_decay=1e-3)
    optimizer.step()
    assert calls(optimizer.step) == {"aten::_fused_sgd_": 1}


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_a_weight_whose_first_gradient_comes_late_moves_as_with_torchs_own_loop(dtype: torch.dtype) -> None:
    ours = weights_of((7,), (5, 3), dtype=dtype)
    theirs = copy.deepcopy(ours)
    optimizers = (
        sgd(ours, 0.1, momentum=0.9, weight_decay=1e-2),
        torch.optim.SGD(theirs, 0.1, momentum=0.9, weight_decay=1e-2, fused=False),
    )
    for turn in range(6):
        for weights, optimizer in zip((ours, theirs), optimizers, strict=True):
            with_gradients(weights, seed=turn)
            if turn in (0, 1, 3):
                weights[1].grad = None
            optimizer.step()
        for own, other in zip(ours, theirs, strict=True):
            torch.testing.assert_close(own, other, rtol=4 * torch.finfo(dtype).eps, atol=torch.finfo(dtype).eps)
        assert len(optimizers[0].state) == len(optimizers[1].state)


def test_the_fused_step_is_as_precise_as_torchs_own_loop() -> None:
    errors = []
    for fused in (True, False):
        weights = weights_of((41, 7), (13,))
        exact = [nn.Parameter(weight.detach().double()) for weight in weights]
        settings = {"momentum": 0.9, "weight_decay": 3e-4}
        optimizer = sgd(weights, 0.1, **settings) if fused else torch.optim.SGD(weights, 0.1, **settings)
        reference = torch.optim.SGD(exact, 0.1, **settings)
        for turn in range(200):
            with_gradients(weights, seed=turn)
            for weight, twin in zip(weights, exact, strict=True):
                assert weight.grad is not None
                twin.grad = weight.grad.double()
            optimizer.step()
            reference.step()
        off = torch.cat([(w.detach() - e.detach()).flatten() for w, e in zip(weights, exact, strict=True)])
        errors.append(off.norm().item())
    assert 0 < errors[0] <= 1.05 * errors[1]


def test_weights_of_another_type_fall_back_to_torchs_own_loop() -> None:
    weights = with_gradients(weights_of((3,), dtype=torch.bfloat16))
    optimizer = sgd(weights, 0.5, momentum=0.9, weight_decay=0.0)
    before = weights[0].detach().clone()
    optimizer.step()
    assert not optimizer.param_groups[0]["fused"]
    assert not torch.equal(weights[0], before)


def test_a_checkpoint_of_torchs_own_loop_goes_on_fused() -> None:
    weights = with_gradients(weights_of((4,)))
    before = torch.optim.SGD(weights, 0.1, momentum=0.9)
    before.step()
    after = sgd(weights, 0.1, momentum=0.9, weight_decay=0.0)
    restore_optimizer(after, before.state_dict())
    buffer, place = after.state[weights[0]]["momentum_buffer"].clone(), weights[0].detach().clone()
    after.step()
    assert after.param_groups[0]["fused"]
    torch.testing.assert_close(weights[0].detach(), place - 0.1 * (0.9 * buffer + gradients_of(weights)[0]))


def test_behind_a_loss_scaler_steps_are_unscaled_and_overflows_are_skipped(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    compute = Compute("cpu")
    monkeypatch.setattr(type(compute._accelerator), "mixed_precision", "fp16")
    compute._accelerator.native_amp = True
    compute._accelerator.scaler = torch.amp.GradScaler("cpu", init_scale=1024.0)
    weight = nn.Parameter(torch.tensor([1.0, 2.0]))
    optimizer = compute.prepare_optimizer(sgd([weight], 0.5, momentum=0.9, weight_decay=0.0))
    compute.backward((weight * torch.tensor([0.25, 0.5])).sum())
    norm = compute.clip([weight], 100.0)
    optimizer.step()
    assert norm.item() == pytest.approx(0.3125**0.5)
    assert weight.tolist() == [0.875, 1.75]
    optimizer.zero_grad()
    compute.backward((weight * torch.tensor([float("inf"), 1.0])).sum())
    assert compute.clip([weight], 100.0).item() == 0
    optimizer.step()
    assert weight.tolist() == [0.875, 1.75]


def test_clipping_is_a_few_calls_and_gives_the_norm_of_all_gradients_in_float64() -> None:
    weights = with_gradients(weights_of(*[(3, 5)] * 40))
    whole = torch.cat([gradient.flatten() for gradient in gradients_of(weights)])
    wanted = whole / whole.double().norm() * 2.0
    norm = Compute("cpu").clip(weights, 2.0)
    assert norm.item() == whole.double().norm().float().item()
    after = torch.cat([gradient.flatten() for gradient in gradients_of(weights)])
    torch.testing.assert_close(after, wanted.float())
    made = calls(lambda: Compute("cpu").clip(weights, 2.0))
    assert (made["aten::linalg_vector_norm"], made["aten::mul_"]) == (1, 1)


def test_clipping_leaves_weights_without_gradient_without_one() -> None:
    weights = with_gradients(weights_of((2,), (3,), (2,)))
    weights[1].grad = None
    kept = [gradient.clone() for gradient in gradients_of(weights)]
    Compute("cpu").clip(weights, 1e-3)
    assert weights[1].grad is None
    norm = torch.cat(kept).norm()
    for gradient, before in zip(gradients_of(weights), kept, strict=True):
        torch.testing.assert_close(gradient, before / norm * 1e-3, rtol=1e-4, atol=0)


def test_channels_last_gradients_are_clipped_and_keep_their_layout() -> None:
    (weight,) = weights_of((4, 3, 2, 2))
    weight = nn.Parameter(weight.detach().contiguous(memory_format=torch.channels_last))
    weight.grad = torch.full_like(weight, 2.0)
    assert not can_clip_together([weight.grad])
    assert Compute("cpu").clip([weight], 1.0).item() == pytest.approx(2 * 48**0.5)
    assert weight.grad.stride() == weight.stride()
    assert weight.grad.norm().item() == pytest.approx(1.0, abs=1e-5)


def test_without_any_gradient_the_norm_is_zero() -> None:
    assert Compute("cpu").clip(weights_of((2,)), 1.0).item() == 0.0
