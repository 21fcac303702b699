"""The operations of an edge."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from edgewise.errors import GenotypeError
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


# The columns of the thesis's appendix A; names in the order of its rows.
APPENDIX_A = {
    "nasnet": "skip_connect conv_1x7_7x1 conv_1x3_3x1 avg_pool_3x3 max_pool_3x3 max_pool_5x5 max_pool_7x7 "
    "conv_1x1 conv_3x3 sep_conv_3x3 sep_conv_5x5 sep_conv_7x7 dil_conv_3x3",
    "darts": "none skip_connect avg_pool_3x3 max_pool_3x3 sep_conv_3x3 sep_conv_5x5 dil_conv_3x3 dil_conv_5x5",
    "nb201": "none skip_connect avg_pool_3x3 nor_conv_1x1 nor_conv_3x3",
}


@pytest.mark.parametrize("space", APPENDIX_A)
def test_a_space_has_the_operations_of_its_column_of_the_thesis_and_all_can_be_built(space):
    column = APPENDIX_A[space].split()
    assert set(SPACES[space].primitives) == set(column)
    assert set(column) <= set(OPERATIONS)


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


@pytest.mark.parametrize("kernel", [3, 5, 7])
def test_a_max_pool_sees_exactly_its_kernel(kernel):
    x = torch.zeros(1, 1, 15, 15)
    x[0, 0, 7, 7] = 1.0
    out = operation(f"max_pool_{kernel}x{kernel}", 1, stride=1, affine=True)(x)[0, 0]
    lit = out.nonzero()
    reach = kernel // 2
    assert (lit.min().item(), lit.max().item(), len(lit)) == (7 - reach, 7 + reach, kernel**2)


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


@pytest.mark.parametrize(
    ("primitive", "reach"),
    [
        ("dil_conv_3x3", 2),
        ("dil_conv_5x5", 4),
        ("sep_conv_3x3", 2),
        ("conv_1x1", 0),
        ("conv_3x3", 1),
        ("conv_1x3_3x1", 1),
        ("conv_1x7_7x1", 3),
        ("nor_conv_1x1", 0),
        ("nor_conv_3x3", 1),
    ],
)
def test_a_convolution_sees_exactly_as_far_as_its_kernel_and_dilation_reach(primitive, reach):
    module = operation(primitive, 2, stride=1, affine=False).double().eval()
    with torch.no_grad():
        for weight in module.parameters():  # positive, so that no ReLU hides anything
            weight.abs_()
    x = torch.rand(1, 2, 17, 17, dtype=torch.float64, requires_grad=True)
    (seen,) = torch.autograd.grad(module(x)[0, :, 8, 8].sum(), x)
    rows = seen[0].abs().sum((0, 2)).nonzero().flatten()
    assert (rows.min().item(), rows.max().item()) == (8 - reach, 8 + reach)
    columns = seen[0].abs().sum((0, 1)).nonzero().flatten()
    assert torch.equal(columns, rows)
    gaps = "dil" in primitive
    assert (rows.diff() == (2 if gaps else 1)).all()


@pytest.mark.parametrize(("primitive", "kernel"), [("conv_1x7_7x1", 7), ("conv_7x1_1x7", 7), ("conv_1x3_3x1", 3)])
def test_a_factored_convolution_runs_along_rows_first_and_takes_each_stride_on_its_own_side(primitive, kernel):
    convs = [m for m in operation(primitive, 4, stride=2, affine=True).modules() if isinstance(m, nn.Conv2d)]
    assert [(c.kernel_size, c.stride, c.groups) for c in convs] == [
        ((1, kernel), (1, 2), 1),
        ((kernel, 1), (2, 1), 1),
    ]


@pytest.mark.parametrize("primitive", ["conv_1x1", "nor_conv_1x1"])
@pytest.mark.parametrize("side", [6, 7])
def test_a_1x1_convolution_with_stride_2_equals_torchs(primitive, side):
    module = operation(primitive, 4, stride=2, affine=False).double()
    (weight,) = module.parameters()
    x = torch.randn(3, 4, side, side, dtype=torch.float64, requires_grad=True)
    factor = torch.randn(3, 4, -(-side // 2), -(-side // 2), dtype=torch.float64)
    expected = F.batch_norm(F.conv2d(F.relu(x), weight, stride=2), None, None, training=True)
    torch.testing.assert_close(module(x), expected, rtol=1e-10, atol=1e-10)
    got = torch.autograd.grad((module(x) * factor).sum(), [x, weight])
    want = torch.autograd.grad((expected * factor).sum(), [x, weight])
    torch.testing.assert_close(got, want, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("primitive", ["conv_1x1", "nor_conv_1x1"])
def test_no_1x1_convolution_of_an_edge_has_a_stride(primitive):
    for stride in (1, 2):
        for module in operation(primitive, 2, stride=stride, affine=False).modules():
            assert not isinstance(module, nn.Conv2d) or module.stride == (1, 1)


@pytest.mark.parametrize("kernel", [1, 3])
def test_a_convolution_of_nas_bench_201_has_a_bias_only_without_affine_where_it_changes_nothing(kernel):
    name = f"nor_conv_{kernel}x{kernel}"
    derived = operation(name, 4, stride=1, affine=True)
    searched = operation(name, 4, stride=1, affine=False)
    assert sum(p.numel() for p in derived.parameters()) == 16 * kernel**2 + 2 * 4
    assert sum(p.numel() for p in searched.parameters()) == 16 * kernel**2 + 4
    x, (convolution,) = torch.randn(5, 4, 6, 6), [m for m in searched.modules() if isinstance(m, nn.Conv2d)]
    before = searched(x)
    with torch.no_grad():
        convolution.bias.add_(3.0)
    torch.testing.assert_close(searched(x), before, rtol=1e-4, atol=1e-5)
