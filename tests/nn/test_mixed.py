"""Mixed operations, partial channels, channel shuffle."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from edgewise.errors import ConfigError
from edgewise.nn import MixedOperation, PartialChannelEdge, channel_shuffle
from edgewise.nn.supernet import supernet_operation
from edgewise.spaces import DARTS


class Times(nn.Module):
    """Multiplies by a number and counts its calls."""

    def __init__(self, factor: float) -> None:
        super().__init__()
        self.factor, self.calls = factor, 0

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        self.calls += 1
        return self.factor * x


def darts_operations(channels: int, stride: int = 1) -> list[nn.Module]:
    torch.manual_seed(0)
    return [supernet_operation(p, channels, stride).double() for p in DARTS.primitives]


def test_a_mixed_operation_is_the_weighted_sum_of_its_operations():
    mixed = MixedOperation([Times(2.0), Times(3.0), Times(5.0)], none_index=None)
    out = mixed(torch.ones(1, 1, 1, 1), torch.tensor([10.0, 1.0, 0.1]))
    assert out.item() == pytest.approx(23.5)


@pytest.mark.parametrize("stride", [1, 2])
def test_leaving_none_out_equals_computing_it_in_value_and_in_every_gradient(stride):
    operations = darts_operations(4, stride)
    x = torch.randn(2, 4, 6, 6, dtype=torch.float64, requires_grad=True)
    alpha = torch.randn(8, dtype=torch.float64, requires_grad=True)

    def value_and_gradients(none_index):
        mixed = MixedOperation(operations, none_index=none_index)
        out = mixed(x, alpha.softmax(0))
        loss = (out**3).sum()
        return [out, *torch.autograd.grad(loss, [x, alpha, *mixed.parameters()])]

    torch.testing.assert_close(value_and_gradients(0), value_and_gradients(None), rtol=1e-12, atol=1e-14)


def test_none_is_not_evaluated_beside_other_operations():
    operations = [Times(0.0), Times(2.0)]
    MixedOperation(operations, none_index=0)(torch.ones(1, 1, 1, 1), torch.ones(2))
    assert [op.calls for op in operations] == [0, 1]


@pytest.mark.parametrize("active", [[False, True, False, True], [True, False, True, False], [False] * 3 + [True]])
def test_operations_that_are_not_active_are_not_evaluated_and_the_others_once(active):
    operations = [nn.Identity() for _ in range(4)]
    called = []
    for i, module in enumerate(operations):
        module.register_forward_hook(lambda *_, i=i: called.append(i))
    weights = torch.tensor([1.0, 2.0, 4.0, 8.0])
    out = MixedOperation(operations, none_index=0)(torch.ones(1, 1, 1, 1), weights, active)
    expected = [i for i in range(1, 4) if active[i]]
    assert called == expected
    assert out.item() == weights[expected].sum()


def test_where_only_none_is_active_the_result_is_zero_of_the_right_shape():
    mixed = MixedOperation(darts_operations(4, 2), none_index=0)
    out = mixed(torch.randn(2, 4, 6, 6).double(), torch.ones(8).double(), [True] + [False] * 7)
    assert out.shape == (2, 4, 3, 3)
    assert not out.any()


@pytest.mark.parametrize(("k", "stride"), [(None, 1), (2, 1), (2, 2)])
def test_gradients_in_the_weights_and_the_input_of_an_edge_are_those_of_finite_differences(k, stride):
    channels = 4
    mixed = MixedOperation(darts_operations(channels // (k or 1), stride), none_index=0)
    module = mixed if k is None else PartialChannelEdge(mixed, k=k, stride=stride)
    x = torch.randn(2, channels, 4, 4, dtype=torch.float64, requires_grad=True)
    weights = torch.rand(8, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda x, w: module(x, w), (x, weights))


def test_shuffling_16_channels_in_4_groups_gives_the_authors_order():
    x = torch.arange(16.0).view(1, 16, 1, 1)
    expected = [0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15]
    assert channel_shuffle(x, 4).flatten().tolist() == expected
    assert channel_shuffle(x, 1).flatten().tolist() == list(range(16))


def test_a_shuffle_moves_whole_channels_of_each_image_in_any_memory_layout():
    x = torch.randn(2, 6, 3, 5)
    for layout in (torch.contiguous_format, torch.channels_last):
        out = channel_shuffle(x.contiguous(memory_format=layout), 3)
        assert torch.equal(out, x[:, [0, 2, 4, 1, 3, 5]])


def test_channels_that_do_not_divide_into_the_groups_are_refused():
    with pytest.raises(ConfigError, match="10 channels don't divide into 4 groups"):
        channel_shuffle(torch.zeros(1, 10, 1, 1), 4)


@pytest.mark.parametrize("stride", [1, 2])
def test_k_1_is_the_mixed_operation_itself_bit_for_bit(stride):
    mixed = MixedOperation(darts_operations(4, stride), none_index=0)
    x, weights = torch.randn(2, 4, 6, 6).double(), torch.rand(8).double()
    assert torch.equal(PartialChannelEdge(mixed, k=1, stride=stride)(x, weights), mixed(x, weights))


def test_only_the_first_channels_are_mixed_and_the_others_pass_unchanged():
    edge = PartialChannelEdge(MixedOperation([Times(10.0)], none_index=None), k=4, stride=1)
    x = torch.arange(1.0, 9.0).view(1, 8, 1, 1)
    assert edge(x, torch.ones(1)).flatten().tolist() == [10, 3, 5, 7, 20, 4, 6, 8]


def test_on_an_edge_of_stride_2_the_channels_that_bypass_are_max_pooled_2x2():
    edge = PartialChannelEdge(MixedOperation([nn.AvgPool2d(2, 2)], none_index=None), k=2, stride=2)
    x = torch.randn(2, 4, 6, 6)
    out = edge(x, torch.ones(1))
    torch.testing.assert_close(out[:, [0, 2]], F.avg_pool2d(x[:, :2], 2))
    assert torch.equal(out[:, [1, 3]], F.max_pool2d(x[:, 2:], 2))


def test_an_edge_hands_on_which_operations_are_active():
    operations = [Times(0.0), Times(1.0), Times(1.0)]
    edge = PartialChannelEdge(MixedOperation(operations, none_index=0), k=2, stride=1)
    edge(torch.ones(1, 4, 2, 2), torch.ones(3), [False, True, False])
    assert [op.calls for op in operations] == [0, 1, 0]
