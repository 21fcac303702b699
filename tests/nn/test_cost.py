"""Cost against pencil and paper; the hand-made network of a given size."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from edgewise.nn import (
    FactorizedReduction,
    Network,
    NetworkSpec,
    ResidualNetwork,
    count_params,
    measure_cost,
    residual_network_of_size,
)
from edgewise.spaces import published


def small() -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(3, 4, 3, padding=1, bias=False),
        nn.BatchNorm2d(4),
        nn.ReLU(),
        nn.Conv2d(4, 4, 3, stride=2, padding=1, groups=4, bias=False),
        FactorizedReduction(4, 2, affine=True),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(2, 5),
    )


def test_the_cost_of_a_small_network_is_the_one_counted_by_hand():
    cost = measure_cost(small(), image_size=8, in_channels=3)
    assert cost.params == 3 * 4 * 9 + 2 * 4 + 4 * 9 + 4 * 2 + 2 * 2 + (2 * 5 + 5)
    # 8x8 full convolution, 4x4 depthwise convolution, 2x2 pointwise with half the filters on each grid, linear.
    assert cost.macs == 64 * 4 * 27 + 16 * 4 * 9 + 4 * 4 * 2 + 2 * 5
    assert cost.norm_elements == 64 * 4 + 4 * 2
    assert cost.relu_elements == 64 * 4 + 16 * 4
    assert cost.published_flops == cost.macs + 2 * cost.norm_elements + cost.relu_elements


def test_measuring_the_cost_changes_nothing_in_the_network():
    net = small().train()
    before = {key: value.clone() for key, value in net.state_dict().items()}
    measure_cost(net, image_size=8, in_channels=3)
    assert net.training
    assert all(torch.equal(value, before[key]) for key, value in net.state_dict().items())
    assert not any(module._forward_hooks for module in net.modules())


def test_the_auxiliary_head_does_not_count_and_stays_in_place():
    genotype = published("DARTS_V1")
    plain, headed = (Network(genotype, NetworkSpec(4, 3, 10, auxiliary=auxiliary)) for auxiliary in (False, True))
    cost = measure_cost(headed, image_size=8, in_channels=3)
    assert cost == measure_cost(plain, image_size=8, in_channels=3)
    assert headed.auxiliary is not None
    assert count_params(headed) - count_params(headed.auxiliary) == cost.params == count_params(plain)


def test_frozen_elements_do_not_count_as_parameters():
    net = nn.Linear(3, 2)
    net.bias.requires_grad_(requires_grad=False)
    assert count_params(net) == 6


@pytest.mark.parametrize(("layers", "params"), [(20, 3_634_678), (20, 2_500_000), (8, 1_000_000), (5, 1_300_000)])
def test_the_hand_made_network_is_within_5_percent_of_the_size_of_a_large_network(layers, params):
    net = residual_network_of_size(params, layers=layers, classes=10, in_channels=3, stem="cifar")
    assert abs(count_params(net) / params - 1) < 0.05
    assert len(net.blocks) == 3 * (layers // 3)


@pytest.mark.parametrize("params", [32_000, 38_674, 44_000, 55_000, 80_000])
def test_the_hand_made_network_is_within_5_percent_of_the_size_of_a_small_network(params):
    net = residual_network_of_size(params, layers=5, classes=10, in_channels=1, stem="cifar")
    assert abs(count_params(net) / params - 1) < 0.05


@pytest.mark.parametrize(("params", "blocks"), [(55_000, 1), (44_000, 2)])
def test_stages_have_another_number_of_blocks_only_where_no_width_fits(params, blocks):
    sizes = [
        count_params(ResidualNetwork(width=w, blocks=1, classes=10, in_channels=1, stem="cifar"))
        for w in range(2, 30)
    ]
    assert any(abs(size / params - 1) <= 0.05 for size in sizes) is (blocks == 1)
    net = residual_network_of_size(params, layers=5, classes=10, in_channels=1, stem="cifar")
    assert len(net.blocks) == 3 * blocks


def test_no_even_width_comes_closer_to_the_size():
    params = 60_000
    net = residual_network_of_size(params, layers=3, classes=10, in_channels=1, stem="cifar")
    others = [
        count_params(ResidualNetwork(width=w, blocks=1, classes=10, in_channels=1, stem="cifar"))
        for w in range(2, 40, 2)
    ]
    assert abs(count_params(net) - params) <= min(abs(other - params) for other in others)


@pytest.mark.parametrize("stem", ["cifar", "half", "imagenet"])
def test_a_residual_network_gives_logits_for_odd_images_and_every_weight_a_gradient(stem):
    net = ResidualNetwork(width=4, blocks=2, classes=3, in_channels=1, stem=stem)
    logits = net(torch.randn(4, 1, 33, 33))
    assert logits.shape == (4, 3)
    logits.logsumexp(1).sum().backward()
    assert all(p.grad is not None and p.grad.any() for p in net.parameters())


def test_a_residual_block_with_its_branch_dropped_is_its_shortcut():
    net = ResidualNetwork(width=4, blocks=1, classes=3, in_channels=1, stem="cifar").eval()
    x = torch.randn(2, 4, 6, 6)
    block = net.blocks[1]
    dropped = block(x, lambda out: torch.zeros_like(out))
    assert torch.equal(dropped, torch.relu(block.shortcut(x)))
    assert dropped.shape == (2, 8, 3, 3)
