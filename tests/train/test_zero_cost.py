"""Zero-cost scores by hand on small networks, and that a network is left as it was."""

from __future__ import annotations

import copy
import math

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from edgewise.data import Batch
from edgewise.errors import ConfigError
from edgewise.nn import NetworkSpec, build_network, count_params
from edgewise.runtime.random import seeded
from edgewise.spaces import published
from edgewise.train.zero_cost import ZERO_COST, zero_cost


def batch(seed: int, size: int = 6, channels: int = 2, side: int = 8) -> Batch:
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(size, channels, side, side, generator=generator)
    return Batch(x, torch.arange(size) % 3, torch.arange(size))


def small() -> nn.Sequential:
    with seeded(0):
        return nn.Sequential(
            nn.Conv2d(2, 4, 3, padding=1, bias=False),
            nn.BatchNorm2d(4),
            nn.ReLU(),
            nn.AdaptiveAvgPool2d(1),
            nn.Flatten(),
            nn.Linear(4, 3),
        )


def layer_gradients(net: nn.Sequential, one: Batch) -> list[Tensor]:
    own = copy.deepcopy(net)
    F.cross_entropy(own(one.x), one.y).backward()
    grads = [own[0].weight.grad, own[5].weight.grad]
    assert all(grad is not None for grad in grads)
    return [grad for grad in grads if grad is not None]


def test_parameters_and_multiply_adds_are_counted() -> None:
    net = small()
    assert zero_cost("params", net, [batch(0)]) == count_params(net) == 72 + 8 + 15
    assert zero_cost("macs", net, [batch(0)]) == 64 * 72 + 12


def test_norms_and_saliencies_of_gradients_by_hand() -> None:
    net, one = small(), batch(1)
    conv, linear = layer_gradients(net, one)
    assert zero_cost("grad_norm", net, [one]) == pytest.approx(float(conv.norm() + linear.norm()), rel=1e-5)
    expected = float(((net[0].weight * conv).abs().sum() + (net[5].weight * linear).abs().sum()).detach())
    assert zero_cost("snip", net, [one]) == pytest.approx(expected, rel=1e-5)


def test_synflow_by_hand() -> None:
    net = small()
    ones = torch.ones(1, 2, 8, 8, dtype=torch.float64)
    features = F.conv2d(ones, net[0].weight.detach().double().abs(), padding=1).mean((2, 3))
    weights, bias = (tensor.detach().double().abs() for tensor in (net[5].weight, net[5].bias))
    through = float((features @ weights.T).sum())
    # Every path counts once for the convolution and once for the linear layer; the bias is on no path.
    assert float((features @ weights.T + bias).sum()) > through
    assert zero_cost("synflow", net, [batch(0)]) == pytest.approx(math.log(2 * through), rel=1e-9)


def test_naswot_by_hand() -> None:
    net, one = small(), batch(2)
    with torch.no_grad():
        codes = (F.relu(F.batch_norm(net[0](one.x), None, None, training=True)) > 0).flatten(1)
    kernel = torch.tensor([[float((a == b).sum()) for b in codes] for a in codes], dtype=torch.float64)
    assert zero_cost("naswot", net, [one]) == pytest.approx(float(kernel.logdet()), rel=1e-9)


def test_zico_by_hand_and_one_batch_is_an_error() -> None:
    net, some = small(), [batch(seed) for seed in (3, 4, 5)]
    expected = 0.0
    for grads in zip(*(layer_gradients(net, one) for one in some), strict=True):
        stacked = torch.stack(grads).double()
        spread = (stacked - stacked.mean(0)).square().mean(0).sqrt()
        expected += math.log(float((stacked.abs().mean(0) / spread).sum()))
    assert zero_cost("zico", net, some) == pytest.approx(expected, rel=1e-4)
    with pytest.raises(ValueError, match="two or more"):
        zero_cost("zico", net, some[:1])


@pytest.mark.parametrize("name", ZERO_COST)
def test_a_score_is_finite_repeatable_and_leaves_a_real_network_alone(name: str) -> None:
    with seeded(0):
        net = build_network(published("DARTS_V2"), NetworkSpec(channels=4, layers=3, classes=3, in_channels=2))
    before, modules = copy.deepcopy(net.state_dict()), [type(module) for module in net.modules()]
    some = [batch(6), batch(7)]
    one, two = zero_cost(name, net, some), zero_cost(name, net, some)
    assert one == two
    assert math.isfinite(one)
    assert all(torch.equal(value, before[key]) for key, value in net.state_dict().items())
    assert [type(module) for module in net.modules()] == modules
    assert all(weight.grad is None for weight in net.parameters())


def test_an_unknown_score_is_refused_with_the_known_ones() -> None:
    with pytest.raises(ConfigError, match=r"unknown zero-cost score 'nothing'.*naswot"):
        zero_cost("nothing", small(), [batch(0)])
