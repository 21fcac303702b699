"""The primitive `noise` of S4: what it gives, when, and from which stream."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from edgewise.nn import operation
from edgewise.nn.noise import Noise


def noise(stride: int = 1, *, seed: int = 0) -> Noise:
    torch.manual_seed(seed)
    return Noise(stride)


@pytest.mark.parametrize(("stride", "size"), [(1, (7, 8)), (2, (4, 4))])
def test_its_output_has_the_shape_and_type_of_the_other_operations(stride, size):
    for dtype in (torch.float32, torch.float64):
        x = torch.randn(3, 4, 7, 8, dtype=dtype)
        out = noise(stride)(x)
        assert out.shape == (3, 4, *size)
        assert out.dtype == dtype
        assert out.shape == operation("sep_conv_3x3", 4, stride=stride, affine=False).to(dtype)(x).shape


def test_in_training_it_is_standard_normal_whatever_comes_in():
    out = noise()(1000 + torch.zeros(16, 8, 32, 32))
    assert out.mean().item() == pytest.approx(0.0, abs=0.01)
    assert out.std().item() == pytest.approx(1.0, abs=0.01)
    assert (out.abs() < 1).float().mean().item() == pytest.approx(0.683, abs=0.01)


@pytest.mark.parametrize("stride", [1, 2])
def test_in_evaluation_it_gives_its_mean_zeros_and_draws_nothing(stride):
    module = noise(stride).eval()
    out = module(torch.randn(2, 3, 6, 6))
    assert out.shape == (2, 3, 6 // stride, 6 // stride)
    assert not out.any()
    assert module.calls == 0


def test_every_call_draws_anew_and_two_modules_draw_apart():
    torch.manual_seed(0)
    first, second = Noise(1), Noise(1)
    x = torch.zeros(2, 2, 4, 4)
    drawn = [first(x), first(x), second(x), second(x)]
    assert all(not torch.equal(a, b) for i, a in enumerate(drawn) for b in drawn[:i])


def test_its_numbers_follow_from_the_seed_of_its_making():
    x = torch.zeros(2, 2, 4, 4)
    assert torch.equal(noise(seed=5)(x), noise(seed=5)(x))
    assert not torch.equal(noise(seed=5)(x), noise(seed=6)(x))


def test_a_call_leaves_the_global_stream_alone_and_does_not_hear_it():
    module, x = noise(), torch.zeros(2, 2, 4, 4)
    before = torch.get_rng_state()
    first = module(x)
    assert torch.equal(torch.get_rng_state(), before)
    module.calls = 0
    torch.manual_seed(99)
    assert torch.equal(module(x), first)


def test_from_a_state_dict_it_goes_on_where_it_was():
    x = torch.zeros(2, 2, 4, 4)
    module, other = nn.Sequential(noise(seed=1)), nn.Sequential(noise(seed=2))
    module(x), module(x)
    state = module.state_dict()
    expected = module(x)
    other.load_state_dict(state)
    assert torch.equal(other(x), expected)
    assert torch.equal(other(x), module(x))


def test_it_has_no_weights_and_gives_its_input_no_gradient():
    module, x = noise(), torch.randn(2, 2, 4, 4, requires_grad=True)
    assert not list(module.parameters())
    loss = (module(x) * x.detach()).sum() + 0 * x.sum()
    assert not torch.autograd.grad(loss, x)[0].any()
