"""ReLU and convolution that keep their input alone: the numbers of the modules, with less kept."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from edgewise.nn.memory_saving import MemorySavingReluConvNorm
from edgewise.nn.operations import relu_conv_norm
from edgewise.runtime.compute import Compute, Precision


def pair(dtype: torch.dtype = torch.float32) -> tuple[nn.Module, nn.Module, Tensor]:
    plain = relu_conv_norm(6, 4, affine=False).to(dtype)
    x = torch.randn(3, 6, 5, 5, dtype=dtype, requires_grad=True)
    return plain, MemorySavingReluConvNorm(*plain), x


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_output_and_gradients_are_those_of_the_modules_bit_for_bit(precision: Precision) -> None:
    plain, saving, x = pair()
    weights = list(plain.parameters())
    factor = torch.randn(3, 4, 5, 5)
    found = []
    for module in (plain, saving):
        with Compute("cpu", precision).autocast():
            out = module(x)
        found.append([out, *torch.autograd.grad((out * factor).sum(), [x, *weights])])
    assert all(torch.equal(a, b) for a, b in zip(*found, strict=True))
    assert all(a.dtype == b.dtype for a, b in zip(*found, strict=True))


def test_another_module_in_the_place_of_the_relu_is_used() -> None:
    plain, saving, x = pair()
    plain[0] = saving[0] = nn.Softplus()
    assert torch.equal(saving(x), plain(x))


def test_its_gradients_can_be_differentiated() -> None:
    _, saving, x = pair(torch.float64)
    saving.eval()
    assert torch.autograd.gradcheck(saving, (x,))
    assert torch.autograd.gradgradcheck(saving, (x,))


def test_names_of_weights_are_those_of_the_modules() -> None:
    plain, saving, _ = pair()
    assert list(plain.state_dict()) == list(saving.state_dict())


def test_the_input_is_kept_and_no_copy_of_it() -> None:
    plain, saving, x = pair()
    kept = []
    for module in (plain, saving):
        places: set[int] = set()

        def pack(tensor: Tensor, places: set[int] = places) -> Tensor:
            if tensor.shape == x.shape:
                places.add(tensor.data_ptr())
            return tensor

        with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
            module(x)
        kept.append(places)
    assert x.data_ptr() not in kept[0]
    assert kept[1] == {x.data_ptr()}


def test_weights_that_ask_for_no_gradient_get_none() -> None:
    _, saving, x = pair()
    saving.requires_grad_(False)
    saving(x).sum().backward()
    assert x.grad is not None
    assert [p.grad for p in saving.parameters()] == [None]
