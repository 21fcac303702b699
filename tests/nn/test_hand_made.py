from __future__ import annotations

import pytest
import torch

from edgewise.citations import CITATIONS
from edgewise.errors import ConfigError
from edgewise.nn import (
    HAND_MADE,
    DropPath,
    InvertedResidualNetwork,
    NetworkSpec,
    ResNet8,
    count_params,
    hand_made,
    measure_cost,
    measure_figures,
)
from edgewise.nn.inverted_residual import InvertedResidual


def resnet8(width: int = 16) -> ResNet8:
    return ResNet8(width=width, classes=10, in_channels=3, stem="cifar")


def test_resnet8_is_the_published_network() -> None:
    network = resnet8()
    running = sum(
        buffer.numel()
        for name, buffer in network.named_buffers()
        if name.endswith(("running_mean", "running_var"))
    )
    assert count_params(network) == 78_186
    # As Keras counts: with the running statistics of batch norms.
    assert count_params(network) + running == 78_666
    assert measure_cost(network, image_size=32, in_channels=3).macs == 12_501_632


def test_resnet8_keeps_three_planes_of_16_kib_alive_as_int8() -> None:
    figures = measure_figures(resnet8(), image_size=32, in_channels=3, element_bytes=1)
    assert figures.ram == 3 * 16 * 32 * 32 == 49_152
    assert measure_figures(resnet8(), image_size=32, in_channels=3, element_bytes=4).ram == 4 * 49_152


def test_resnet8_halves_the_image_twice_and_adds_before_the_activation() -> None:
    network = resnet8().eval()
    shapes = []
    for block in network.blocks:
        block.register_forward_hook(
            lambda module, args, out: shapes.append((tuple(out.shape), float(out.detach().min())))
        )
    network(torch.randn(1, 3, 32, 32, generator=torch.Generator().manual_seed(0)))
    assert [shape for shape, _ in shapes] == [(1, 16, 32, 32), (1, 32, 16, 16), (1, 64, 8, 8)]
    assert all(low == 0.0 for _, low in shapes)


def test_an_inverted_residual_block_adds_its_input_only_where_the_shape_stays() -> None:
    stays, grows, halves = (
        InvertedResidual(4, 4, stride=1),
        InvertedResidual(4, 8, stride=1),
        InvertedResidual(4, 4, stride=2),
    )
    assert [block.adds for block in (stays, grows, halves)] == [True, False, False]
    for parameter in stays.parameters():
        parameter.data.zero_()
    x = torch.randn(2, 4, 6, 6, generator=torch.Generator().manual_seed(1))
    assert torch.equal(stays(x, None), x)


def test_an_inverted_residual_block_has_the_published_number_of_weights() -> None:
    block = InvertedResidual(5, 7, stride=1)
    wide = 6 * 5
    assert count_params(block) == 5 * wide + 9 * wide + wide * 7 + 2 * (wide + wide + 7)


def test_an_inverted_residual_block_is_linear_at_its_end() -> None:
    out = InvertedResidual(3, 6, stride=1).eval()(
        torch.randn(4, 3, 8, 8, generator=torch.Generator().manual_seed(2)), None
    )
    assert out.min() < 0 < out.max()


@pytest.mark.parametrize("name", list(HAND_MADE))
@pytest.mark.parametrize(("stem", "side"), [("cifar", 9), ("half", 50), ("imagenet", 130)])
def test_every_hand_made_network_takes_every_stem_grey_images_and_odd_sides(name, stem, side) -> None:
    like = NetworkSpec(channels=8, layers=3, classes=4, in_channels=1, stem=stem)
    network = HAND_MADE[name].build(3, 1, like)
    assert network(torch.zeros(2, 1, side, side)).shape == (2, 4)


@pytest.mark.parametrize("name", list(HAND_MADE))
def test_a_hand_made_network_grows_with_its_width_and_its_blocks(name: str) -> None:
    like = NetworkSpec(channels=8, layers=3, classes=4)
    sizes = [count_params(HAND_MADE[name].build(width, 1, like)) for width in (2, 3, 5, 9)]
    assert sizes == sorted(set(sizes))
    deeper = count_params(HAND_MADE[name].build(3, 2, like)) > count_params(HAND_MADE[name].build(3, 1, like))
    assert deeper is HAND_MADE[name].deepens


@pytest.mark.parametrize("name", list(HAND_MADE))
def test_drop_path_reaches_the_branches_of_a_hand_made_network(name: str) -> None:
    like = NetworkSpec(channels=8, layers=3, classes=4)
    network = HAND_MADE[name].build(4, 2, like).train()
    x = torch.randn(8, 3, 8, 8, generator=torch.Generator().manual_seed(3))
    kept, _ = network.training_forward(x, None)  # type: ignore[operator]
    dropped, _ = network.training_forward(x, DropPath(0.9, torch.Generator().manual_seed(4)))  # type: ignore[operator]
    assert not torch.equal(kept, dropped)


@pytest.mark.parametrize(
    ("layers", "depths"), [(3, (1, 2)), (5, (1, 2)), (6, (2, 1, 3)), (20, (6, 5, 7, 4, 3, 2, 1))]
)
def test_depths_of_a_hand_made_network_begin_with_the_one_next_to_the_cells(layers, depths) -> None:
    assert HAND_MADE["hand"].depths(layers) == depths
    assert HAND_MADE["resnet8"].depths(layers) == (1,)


def test_hand_made_networks_are_cited_and_have_other_names_too() -> None:
    assert all(kind.source in CITATIONS for kind in HAND_MADE.values())
    assert hand_made("residual") is HAND_MADE["hand"]
    assert hand_made("inverted_residual").build(2, 1, NetworkSpec(8, 3, 4)).__class__ is InvertedResidualNetwork
    with pytest.raises(ConfigError, match="choose one of hand, inverted, resnet8"):
        hand_made("resnet50")
