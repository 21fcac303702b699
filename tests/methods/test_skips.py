"""Dropout and noise on skip connections, drop-path and weight decay over a search."""

from __future__ import annotations

import math

import pytest
import torch

from edgewise.methods import OperationNoise, SchedulePosition, SearchDropPath, SkipDropout, WeightDecayRamp
from edgewise.spaces import DARTS
from tests.methods.rows import stream

CIFAR10 = SkipDropout()
CIFAR100 = SkipDropout(rates=(0.1, 0.2, 0.3))
OTHERS = [primitive for primitive in DARTS.primitives if primitive != "skip_connect"]
MODES = ["additive", "multiplicative", "uniform"]


@pytest.mark.parametrize(("part", "starts"), [(CIFAR10, (0.0, 0.4, 0.7)), (CIFAR100, (0.1, 0.2, 0.3))])
def test_while_alpha_is_frozen_the_rate_falls_on_a_line_that_ends_at_the_stages_end(part, starts):
    for stage, start in enumerate(starts):
        for epoch in range(10):
            expected = start * (25 - epoch - 1) / 25
            assert part.rate(stage, SchedulePosition(epoch, 25), 10) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize(("part", "starts"), [(CIFAR10, (0.0, 0.4, 0.7)), (CIFAR100, (0.1, 0.2, 0.3))])
def test_afterwards_the_rate_falls_by_e_to_the_minus_a_fifth_an_epoch_from_its_start(part, starts):
    for stage, start in enumerate(starts):
        for epoch in range(10, 25):
            expected = start * math.exp(-0.2 * (epoch - 10))
            assert part.rate(stage, SchedulePosition(epoch, 25), 10) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize(
    ("stage", "epoch", "expected"),
    [(1, 0, 0.384), (1, 9, 0.24), (1, 10, 0.4), (2, 0, 0.672), (2, 11, 0.573112), (2, 24, 0.042567), (0, 10, 0.0)],
)
def test_rates_of_cifar_10_by_hand(stage, epoch, expected):
    assert CIFAR10.rate(stage, SchedulePosition(epoch, 25), 10) == pytest.approx(expected, abs=1e-6)


def test_dropout_acts_on_skips_of_stride_1_alone():
    hook = CIFAR10.hook(0.5, stream())
    assert hook is not None
    x = torch.ones(4, 3, 5, 5)
    for primitive in OTHERS:
        assert hook(primitive, 1, x) is x
    assert hook("skip_connect", 2, x) is x
    assert hook("skip_connect", 1, x).unique().tolist() == [0.0, 2.0]


@pytest.mark.parametrize("rate", [0.1, 0.4, 0.7])
def test_dropout_keeps_single_values_at_its_rate_and_their_expectation(rate):
    hook = CIFAR10.hook(rate, stream(1))
    assert hook is not None
    x = torch.full((8, 8, 32, 32), 3.0)
    out = hook("skip_connect", 1, x)
    n = x.numel()
    dropped = int((out == 0).sum())
    assert abs(dropped - n * rate) < 5 * math.sqrt(n * rate * (1 - rate))
    torch.testing.assert_close(out[out != 0], torch.full((n - dropped,), 3.0 / (1 - rate)))
    assert out.mean().item() == pytest.approx(3.0, rel=0.02)
    # Values fall one by one: neither whole images nor whole channels.
    assert ((out == 0).float().mean((2, 3)) - rate).abs().max() < 0.1


def test_dropouts_gradient_is_its_mask():
    hook = CIFAR10.hook(0.4, stream(2))
    assert hook is not None
    x = torch.ones(2, 2, 6, 6, requires_grad=True)
    out = hook("skip_connect", 1, x)
    gradient = torch.autograd.grad(out.sum(), x)[0]
    assert torch.equal(gradient, out.detach())


@pytest.mark.parametrize("rate", [0.0, -0.0])
def test_a_rate_of_0_is_no_hook_at_all(rate):
    assert CIFAR10.hook(rate, stream()) is None


def noise_hook(mode: str, *, factor: float = 0.2, epoch: int = 0, seed: int = 0, fade: bool = False):
    part = OperationNoise(mode=mode, factor=factor, cosine_decay=fade)  # type: ignore[arg-type]
    hook = part.hook(SchedulePosition(epoch, 50), stream(seed))
    assert hook is not None
    return hook


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("stride", [1, 2])
def test_noise_acts_on_skips_of_either_stride_and_on_nothing_else(mode, stride):
    hook, x = noise_hook(mode), torch.randn(2, 3, 4, 4)
    for primitive in OTHERS:
        assert hook(primitive, stride, x) is x
    out = hook("skip_connect", stride, x)
    assert out.shape == x.shape
    assert (out != x).all()


@pytest.mark.parametrize("spread", [0.5, 4.0])
def test_additive_noise_is_normal_with_the_factor_times_the_outputs_deviation(spread):
    x = 7.0 + spread * torch.randn(16, 8, 16, 16, generator=stream(3))
    noise = noise_hook("additive", seed=4)("skip_connect", 1, x) - x
    assert noise.std().item() == pytest.approx(0.2 * x.std().item(), rel=0.02)
    assert abs(noise.mean().item()) < 0.01 * spread
    # A normal distribution has 68.3 % within one deviation and 95.4 % within two.
    shares = [(noise.abs() < k * noise.std()).float().mean().item() for k in (1, 2)]
    assert shares == pytest.approx([0.683, 0.954], abs=0.01)


def test_multiplicative_noise_has_mean_1_and_the_factor_as_its_deviation():
    ratio = (
        noise_hook("multiplicative", factor=0.3, seed=5)("skip_connect", 1, torch.full((32, 8, 16, 16), 5.0)) / 5
    )
    assert ratio.mean().item() == pytest.approx(1.0, abs=0.005)
    assert ratio.std().item() == pytest.approx(0.3, rel=0.02)


def test_uniform_noise_has_the_factor_as_its_variance_and_ends_sharply():
    x = torch.randn(32, 8, 16, 16, generator=stream(6))
    noise = noise_hook("uniform", factor=0.2, seed=7)("skip_connect", 1, x) - x
    edge = math.sqrt(0.6)
    assert noise.var().item() == pytest.approx(0.2, rel=0.02)
    assert 0.99 * edge < noise.max().item() <= edge + 1e-6
    assert -edge - 1e-6 <= noise.min().item() < -0.99 * edge


def test_additive_noise_gives_the_outputs_own_gradient():
    x = torch.randn(2, 3, 4, 4, requires_grad=True)
    out = noise_hook("additive")("skip_connect", 1, x)
    assert torch.equal(torch.autograd.grad(out.sum(), x)[0], torch.ones_like(x))


@pytest.mark.parametrize("mode", MODES)
def test_a_factor_of_0_is_no_noise_at_all(mode):
    assert OperationNoise(mode=mode, factor=0.0).hook(SchedulePosition(0, 50), stream()) is None


@pytest.mark.parametrize(("epoch", "expected"), [(0, 1.0), (25, 0.5), (10, 0.904508), (40, 0.095492)])
def test_noise_fades_on_half_a_cosine_where_it_is_asked_to(epoch, expected):
    assert OperationNoise(cosine_decay=True).scale(SchedulePosition(epoch, 50)) == pytest.approx(
        expected, abs=1e-6
    )
    assert OperationNoise().scale(SchedulePosition(epoch, 50)) == 1.0


@pytest.mark.parametrize("mode", MODES)
def test_faded_noise_is_the_same_noise_times_the_scale(mode):
    x = torch.randn(4, 3, 8, 8, generator=stream(8))
    full = noise_hook(mode)("skip_connect", 1, x) - x
    half = noise_hook(mode, epoch=25, fade=True)("skip_connect", 1, x) - x
    torch.testing.assert_close(half, 0.5 * full, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("mode", MODES)
def test_noise_comes_from_its_own_stream_and_each_call_draws_anew(mode):
    before = torch.get_rng_state()
    hook, x = noise_hook(mode, seed=9), torch.ones(2, 2, 4, 4) + torch.arange(4.0)
    first, second = hook("skip_connect", 1, x), hook("skip_connect", 1, x)
    assert torch.equal(first, noise_hook(mode, seed=9)("skip_connect", 1, x))
    assert not torch.equal(first, second)
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize(("epoch", "epochs", "expected"), [(0, 50, 0.0), (49, 50, 0.2), (7, 15, 0.1), (0, 1, 0.0)])
def test_drop_path_rises_on_a_line_from_0_to_its_probability_in_the_last_epoch(epoch, epochs, expected):
    assert SearchDropPath().rate(SchedulePosition(epoch, epochs)) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("epoch", "epochs", "expected"), [(0, 50, 3e-4), (49, 50, 0.03), (7, 15, 0.01515), (0, 1, 3e-4)]
)
def test_the_weight_decay_rises_on_a_line_from_its_start_to_its_end(epoch, epochs, expected):
    assert WeightDecayRamp().weight_decay(3e-4, SchedulePosition(epoch, epochs)) == pytest.approx(expected)


def test_the_weight_decay_can_fall_as_well():
    assert WeightDecayRamp(end=0.0).weight_decay(0.1, SchedulePosition(5, 11)) == pytest.approx(0.05)
