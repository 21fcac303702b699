"""The factorised reduction: its arithmetic, and that it cannot corrupt the heap."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
import torch
import torch.nn.functional as F
from torch.utils._python_dispatch import TorchDispatchMode

from edgewise.nn import FactorizedReduction

CHILD = """
import torch
from edgewise.nn import FactorizedReduction, MixedOperation, PartialChannelEdge, operation

torch.manual_seed(0)
cases = [(FactorizedReduction(i, o, affine=False), i) for i, o in ((1, 2), (2, 2), (4, 4), (4, 2))]
partial = MixedOperation([FactorizedReduction(4, 4, affine=False)], none_index=None)
for module, channels in cases:
    for _ in range(60):
        x = torch.randn(64, channels, 16, 16).contiguous(memory_format=torch.channels_last).requires_grad_()
        module(x).square().sum().backward()
        assert torch.isfinite(x.grad).all() and all(torch.isfinite(p.grad).all() for p in module.parameters())
        module.zero_grad()
for name in ("conv_1x1", "nor_conv_1x1"):
    module = operation(name, 2, stride=2, affine=False)
    for _ in range(60):
        x = torch.randn(64, 2, 16, 16).contiguous(memory_format=torch.channels_last).requires_grad_()
        module(x).square().sum().backward()
        assert torch.isfinite(x.grad).all()
edge = PartialChannelEdge(partial, k=4, stride=2)
for _ in range(60):
    x = torch.randn(64, 16, 16, 16).contiguous(memory_format=torch.channels_last).requires_grad_()
    edge(x, torch.ones(1)).square().sum().backward()
    assert torch.isfinite(x.grad).all()
print("finite")
"""


def test_backward_passes_on_few_channels_last_channels_end_without_a_crash():
    # The fault lies in oneDNN's AVX2 kernel, so that one is asked for, also where AVX-512 is to be had.
    environment = {**os.environ, "ONEDNN_MAX_CPU_ISA": "AVX2"}
    done = subprocess.run(
        [sys.executable, "-c", CHILD], capture_output=True, text=True, timeout=300, env=environment
    )
    assert (done.returncode, done.stdout.strip()) == (0, "finite"), done.stderr[-2000:]


class Recorder(TorchDispatchMode):
    """Notes the name of every operation of torch."""

    def __init__(self) -> None:
        super().__init__()
        self.names: list[str] = []

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        self.names.append(func.__name__)
        return func(*args, **(kwargs or {}))


def test_neither_pass_calls_a_convolution():
    module = FactorizedReduction(2, 2, affine=False)
    x = torch.randn(8, 2, 8, 8).contiguous(memory_format=torch.channels_last).requires_grad_()
    with Recorder() as recorder:
        module(x).square().sum().backward()
    assert any("mm" in name for name in recorder.names)
    assert not [name for name in recorder.names if "conv" in name]


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
@pytest.mark.parametrize("sides", [(8, 8), (6, 10), (2, 2)])
def test_on_even_sides_it_equals_two_convolutions_with_stride_2_one_of_them_shifted(sides, layout):
    torch.manual_seed(1)
    module = FactorizedReduction(3, 6, affine=True).double()
    x = torch.randn(4, 3, *sides, dtype=torch.float64).contiguous(memory_format=layout)
    first, second = (half.weight for half in module.halves)
    rectified = F.relu(x)
    both = [F.conv2d(rectified, first, stride=2), F.conv2d(rectified[:, :, 1:, 1:], second, stride=2)]
    expected = F.batch_norm(torch.cat(both, dim=1), None, None, training=True)
    torch.testing.assert_close(module(x), expected, rtol=1e-12, atol=1e-12)


def test_its_gradients_equal_those_of_two_convolutions():
    torch.manual_seed(2)
    module = FactorizedReduction(3, 4, affine=False).double()
    x = torch.randn(2, 3, 6, 6, dtype=torch.float64, requires_grad=True)
    weights = [half.weight for half in module.halves]
    factor = torch.randn(2, 4, 3, 3, dtype=torch.float64)
    got = torch.autograd.grad((module(x) * factor).sum(), [x, *weights])
    rectified = F.relu(x)
    convolved = torch.cat(
        [F.conv2d(rectified, weights[0], stride=2), F.conv2d(rectified[:, :, 1:, 1:], weights[1], stride=2)], 1
    )
    want = torch.autograd.grad((F.batch_norm(convolved, None, None, training=True) * factor).sum(), [x, *weights])
    torch.testing.assert_close(got, want, rtol=1e-10, atol=1e-10)


def test_on_odd_sides_the_shifted_grid_is_padded_with_zeros_on_the_right_and_at_the_bottom():
    module = FactorizedReduction(1, 2, affine=False).eval()
    with torch.no_grad():
        for half in module.halves:
            half.weight.fill_(1.0)
    out = module(torch.arange(1.0, 10.0).view(1, 1, 3, 3)) * (1 + module.norm.eps) ** 0.5
    torch.testing.assert_close(out[0, 0], torch.tensor([[1.0, 3.0], [7.0, 9.0]]))
    torch.testing.assert_close(out[0, 1], torch.tensor([[5.0, 0.0], [0.0, 0.0]]))


def test_together_both_grids_lose_no_pixel_of_the_diagonal_quarters():
    module = FactorizedReduction(1, 2, affine=False).eval()
    x = torch.rand(1, 1, 4, 4, requires_grad=True)
    seen = torch.autograd.grad(module(x).sum(), x)[0][0, 0] != 0
    assert seen.tolist() == [[(row + column) % 2 == 0 for column in range(4)] for row in range(4)]


def test_its_start_weights_are_those_of_a_1x1_convolution_of_the_same_seed():
    torch.manual_seed(5)
    module = FactorizedReduction(6, 4, affine=False)
    torch.manual_seed(5)
    convolutions = [torch.nn.Conv2d(6, 2, 1, bias=False) for _ in range(2)]
    for half, convolution in zip(module.halves, convolutions, strict=True):
        assert torch.equal(half.weight, convolution.weight)
