"""The operations of an edge."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from edgewise.core.errors import GenotypeError
from edgewise.nn import OPERATIONS, MixedOperation, PartialChannelEdge, operation
from edgewise.nn.supernet import supernet_operation
from edgewise.spaces import SPACES
from tests.spaces.strategies import steady

SIDES = st.integers(1, 9)


@pytest.mark.parametrize("primitive", sorted(OPERATIONS))
@settings(steady, max_examples=25)
@given(height=SIDES, width=SIDES, stride=st.sampled_from([1, 2]), channels=st.sampled_from([2, 4, 6]))
def test_an_operation_keeps_channels_and_divides_sides_by_its_stride_rounding_up(
    primitive, height, width, stride, channels
):
    out = operation(primitive, channels, stride=stride, affine=True)(torch.randn(3, channels, height, width))
    assert out.shape == (3, channels, -(-height // stride), -(-width // stride))


@settings(steady, max_examples=20)
@given(height=SIDES, width=SIDES, stride=st.sampled_from([1, 2]), k=st.sampled_from([1, 2, 4]))
def test_a_partial_channel_edge_keeps_channels_and_divides_sides_by_its_stride_rounding_up(
    height, width, stride, k
):
    modules = [supernet_operation(p, 8 // k, stride) for p in ("skip_connect", "sep_conv_3x3", "max_pool_3x3")]
    edge = PartialChannelEdge(MixedOperation(modules, none_index=None), k=k, stride=stride)
    out = edge(torch.randn(3, 8, height, width), torch.ones(3))
    assert out.shape == (3, 8, -(-height // stride), -(-width // stride))


def test_there_is_an_operation_for_every_primitive_of_every_space():
    assert set(OPERATIONS) == {primitive for space in SPACES.values() for primitive in space.primitives}


def test_an_unknown_primitive_is_refused_by_name():
    with pytest.raises(GenotypeError, match=r"unknown primitive 'sep_conv_9x9'; known: none"):
        operation("sep_conv_9x9", 4, stride=1, affine=True)


def test_none_gives_zeros_and_a_skip_of_stride_1_gives_its_input():
    x = torch.randn(2, 4, 5, 5)
    assert not operation("none", 4, stride=2, affine=True)(x).any()
    assert operation("skip_connect", 4, stride=1, affine=True)(x) is x


def test_average_pooling_does_not_count_the_padding():
    pool = operation("avg_pool_3x3", 1, stride=1, affine=True)
    torch.testing.assert_close(pool(torch.ones(1, 1, 4, 4)), torch.ones(1, 1, 4, 4))
    ramp = torch.arange(9.0).view(1, 1, 3, 3)
    assert pool(ramp)[0, 0, 0, 0] == (0 + 1 + 3 + 4) / 4


def test_max_pooling_takes_the_largest_of_nine_even_where_all_are_negative():
    x = -torch.arange(1.0, 17.0).view(1, 1, 4, 4)
    out = operation("max_pool_3x3", 1, stride=2, affine=True)(x)
    assert out.flatten().tolist() == [-1.0, -2.0, -5.0, -6.0]


@pytest.mark.parametrize("primitive", ["max_pool_3x3", "avg_pool_3x3"])
@pytest.mark.parametrize("stride", [1, 2])
def test_a_pool_has_a_batch_norm_without_affine_behind_it_in_the_supernet_and_none_in_a_network(primitive, stride):
    x = 5 + 3 * torch.randn(8, 4, 6, 6)
    plain = operation(primitive, 4, stride=stride, affine=True)
    pools = {
        "max_pool_3x3": lambda: F.max_pool2d(x, 3, stride, 1),
        "avg_pool_3x3": lambda: F.avg_pool2d(x, 3, stride, 1, count_include_pad=False),
    }
    torch.testing.assert_close(plain(x), pools[primitive]())
    searched = supernet_operation(primitive, 4, stride)
    torch.testing.assert_close(searched(x), F.batch_norm(plain(x), None, None, training=True))
    assert not list(searched.parameters())


@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("primitive", sorted(OPERATIONS))
def test_batch_norms_have_an_affine_part_exactly_when_asked(primitive, stride):
    for affine in (True, False):
        module = operation(primitive, 4, stride=stride, affine=affine)
        norms = [m for m in module.modules() if isinstance(m, nn.BatchNorm2d)]
        assert all(norm.affine is affine for norm in norms)
        has_norm = "conv" in primitive or (primitive, stride) == ("skip_connect", 2)
        assert bool(norms) is has_norm


def test_a_separable_convolution_runs_twice_with_the_stride_in_the_first():
    convs = [m for m in operation("sep_conv_5x5", 4, stride=2, affine=True).modules() if isinstance(m, nn.Conv2d)]
    assert [(c.kernel_size[0], c.stride[0], c.groups, c.dilation[0]) for c in convs] == [
        (5, 2, 4, 1),
        (1, 1, 1, 1),
        (5, 1, 4, 1),
        (1, 1, 1, 1),
    ]


@pytest.mark.parametrize(("primitive", "reach"), [("dil_conv_3x3", 2), ("dil_conv_5x5", 4), ("sep_conv_3x3", 2)])
def test_a_convolution_sees_exactly_as_far_as_its_kernel_and_dilation_reach(primitive, reach):
    module = operation(primitive, 2, stride=1, affine=False).double().eval()
    with torch.no_grad():
        for weight in module.parameters():  # positive, so that no ReLU hides anything
            weight.abs_()
    x = torch.rand(1, 2, 17, 17, dtype=torch.float64, requires_grad=True)
    (seen,) = torch.autograd.grad(module(x)[0, :, 8, 8].sum(), x)
    rows = seen[0].abs().sum((0, 2)).nonzero().flatten()
    assert (rows.min().item(), rows.max().item()) == (8 - reach, 8 + reach)
    gaps = "dil" in primitive
    assert (rows.diff() == (2 if gaps else 1)).all()
