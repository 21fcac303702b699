"""Derived networks: layout, auxiliary head, stems, errors."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from edgewise.errors import ConfigError, GenotypeError
from edgewise.nn import (
    AuxiliaryHead,
    DerivedCell,
    FactorizedReduction,
    Network,
    NetworkSpec,
    Stem,
    choose_stem,
    count_params,
    reduction_layers,
)
from edgewise.nn.cell import CellPlace, plan_cells
from edgewise.spaces import Cell, Edge, Genotype, published


def network(**changes) -> Network:
    torch.manual_seed(0)
    size = {"channels": 4, "layers": 3, "classes": 5, **changes}
    return Network(published("PC_DARTS_cifar"), NetworkSpec(**size))


@pytest.mark.parametrize(("layers", "expected"), [(3, (1, 2)), (8, (2, 5)), (14, (4, 9)), (20, (6, 13))])
def test_reduction_cells_stand_at_a_third_and_at_two_thirds(layers, expected):
    assert reduction_layers(layers) == expected
    places = plan_cells(
        layers=layers, channels=4, stem_channels=12, stem_shrinks=False, concat={"normal": 4, "reduce": 4}
    )
    assert tuple(i for i, place in enumerate(places) if place.reduce) == expected
    assert [place.cell_type == "reduce" for place in places] == [place.reduce for place in places]


def test_the_plan_of_six_cells_is_the_one_written_by_hand():
    places = plan_cells(
        layers=6, channels=8, stem_channels=24, stem_shrinks=False, concat={"normal": 4, "reduce": 3}
    )
    channels = [(p.channels_before, p.channels_previous, p.channels) for p in places]
    assert channels == [(24, 24, 8), (24, 32, 8), (32, 32, 16), (32, 48, 16), (48, 64, 32), (64, 96, 32)]
    assert [p.reduce_previous for p in places] == [False, False, False, True, False, True]


def test_channels_double_and_sides_halve_at_each_reduction():
    net, shapes = network(layers=6), []
    for cell in net.cells:
        cell.register_forward_hook(lambda _module, _inputs, output: shapes.append(tuple(output.shape)))
    net(torch.randn(2, 3, 9, 9))
    assert shapes == [(2, 16, 9, 9), (2, 16, 9, 9), (2, 32, 5, 5), (2, 32, 5, 5), (2, 64, 3, 3), (2, 64, 3, 3)]


def test_all_batch_norms_of_a_network_have_an_affine_part_and_no_pool_has_one_behind_it():
    net = network()
    norms = [m for m in net.modules() if isinstance(m, nn.BatchNorm2d)]
    assert norms
    assert all(norm.affine for norm in norms)
    pools = [m for cell in net.cells for m in cell.operations if isinstance(m, (nn.MaxPool2d, nn.AvgPool2d))]
    edges = [e for cell in net.cells for e in cell.cell.edges]
    assert len(pools) == sum("pool" in edge.primitive for edge in edges) > 0


def plain_cell(edges: tuple[Edge, ...], concat: tuple[int, ...]) -> DerivedCell:
    """A normal cell whose preprocessing changes nothing."""
    place = CellPlace("normal", 1, 1, 1, reduce=False, reduce_previous=False)
    cell = DerivedCell(Cell(2, 2, edges, concat), place)
    cell.preprocess.before = cell.preprocess.previous = nn.Identity()
    return cell


def test_a_node_is_the_sum_of_its_edges_and_the_output_concatenates_the_chosen_nodes():
    edges = tuple(Edge(t, s, "skip_connect") for t, s in ((2, 0), (2, 1), (3, 0), (3, 2)))
    before, previous = torch.full((1, 1, 1, 1), 10.0), torch.full((1, 1, 1, 1), 1.0)
    assert plain_cell(edges, (2, 3))(before, previous, None).flatten().tolist() == [11.0, 21.0]
    assert plain_cell(edges, (3,))(before, previous, None).flatten().tolist() == [21.0]


def test_a_node_may_hear_the_same_edge_twice():
    twice = Edge(2, 1, "skip_connect")
    edges = (twice, twice, Edge(3, 0, "skip_connect"), Edge(3, 2, "skip_connect"))
    before, previous = torch.full((1, 1, 1, 1), 10.0), torch.full((1, 1, 1, 1), 1.0)
    assert plain_cell(edges, (2, 3))(before, previous, None).flatten().tolist() == [2.0, 12.0]


def test_the_auxiliary_head_hears_the_second_reduction_cell_and_only_in_training_forward():
    net, heard = network(layers=6, auxiliary=True), []
    outputs = []
    net.cells[4].register_forward_hook(lambda _module, _inputs, output: outputs.append(output))
    net.auxiliary.register_forward_pre_hook(lambda _module, inputs: heard.append(inputs[0]))
    x = torch.randn(2, 3, 32, 32)
    logits, extra = net.training_forward(x, None)
    assert heard[0] is outputs[0]
    assert logits.shape == extra.shape == (2, 5)
    net(x)
    assert len(heard) == 1


def test_without_an_auxiliary_head_there_are_no_auxiliary_logits_and_both_passes_agree():
    net = network().eval()
    x = torch.randn(2, 3, 8, 8)
    logits, extra = net.training_forward(x, None)
    assert extra is None
    assert torch.equal(net(x), logits)


POOLED = {
    8: lambda x: F.avg_pool2d(x, 5, stride=3, count_include_pad=False),
    7: lambda x: F.avg_pool2d(x, 5, stride=2, count_include_pad=False),
    2: lambda x: x,
    4: lambda x: F.avg_pool2d(x, 2),
    14: lambda x: F.avg_pool2d(x, 7),
}


@pytest.mark.parametrize("last_norm", [True, False])
@pytest.mark.parametrize("side", sorted(POOLED))
def test_the_auxiliary_head_pools_any_side_to_2x2_as_expected(side, last_norm):
    torch.manual_seed(side)
    head = AuxiliaryHead(6, 3, last_norm=last_norm).eval()
    x = torch.randn(2, 6, side, side)
    hidden = head.features(POOLED[side](F.relu(x)))
    assert hidden.shape == (2, 768, 1, 1)
    torch.testing.assert_close(head(x), head.classifier(hidden.flatten(1)))


def test_the_last_norm_of_the_auxiliary_head_is_there_except_with_the_imagenet_stem():
    def norms(stem):
        head = network(auxiliary=True, stem=stem).auxiliary
        return [m.num_features for m in head.modules() if isinstance(m, nn.BatchNorm2d)]

    assert norms("cifar") == norms("half") == [128, 768]
    assert norms("imagenet") == [128]


@pytest.mark.parametrize(
    ("name", "first", "second", "channels"),
    [("cifar", 32, 32, 24), ("half", 16, 16, 24), ("imagenet", 8, 4, 8)],
)
def test_a_stem_gives_its_sides_and_channels(name, first, second, channels):
    stem = Stem(name, in_channels=1, channels=8)
    one, two = stem(torch.randn(2, 1, 32, 32))
    assert one.shape == (2, channels, first, first)
    assert two.shape == (2, channels, second, second)
    assert stem.channels_out == channels
    assert stem.shrinks_between is (first != second)


@pytest.mark.parametrize("name", ["cifar", "half"])
def test_the_first_cell_hears_one_result_twice_where_the_stem_does_not_shrink(name):
    one, two = Stem(name, in_channels=3, channels=4)(torch.randn(1, 3, 8, 8))
    assert one is two


@pytest.mark.parametrize(
    ("size", "stem"),
    [(8, "cifar"), (48, "cifar"), (49, "half"), (127, "half"), (128, "imagenet"), (224, "imagenet")],
)
def test_the_stem_follows_from_the_image_size(size, stem):
    assert choose_stem(size) == stem


@pytest.mark.parametrize("stem", ["cifar", "half", "imagenet"])
@pytest.mark.parametrize("side", [32, 37])
def test_a_network_with_any_stem_takes_grey_images_of_even_and_odd_sides(stem, side):
    net = network(stem=stem, in_channels=1, auxiliary=True)
    logits, extra = net.training_forward(torch.randn(2, 1, side, side), None)
    assert torch.isfinite(torch.cat([logits, extra])).all()


def test_a_network_of_fewer_than_3_cells_is_refused_with_the_number():
    with pytest.raises(ConfigError, match=r"layers is 2: .* at least 3"):
        NetworkSpec(channels=4, layers=2, classes=2)


@pytest.mark.parametrize("channels", [0, 1, -4])
def test_fewer_than_two_channels_are_refused_with_the_number(channels):
    with pytest.raises(ConfigError, match=rf"channels is {channels}: .* at least 2"):
        NetworkSpec(channels=channels, layers=3, classes=2)


def test_a_reduction_of_odd_channels_has_one_more_filter_on_the_shifted_grid():
    network = Network(published("PC_DARTS_cifar"), NetworkSpec(channels=5, layers=3, classes=2))
    narrow = FactorizedReduction(3, 5, affine=True)
    assert [half.weight.shape[0] for half in narrow.halves] == [2, 3]
    assert narrow(torch.randn(2, 3, 7, 8)).shape == (2, 5, 4, 4)
    assert network(torch.randn(2, 3, 16, 16)).shape == (2, 2)


def test_an_invalid_genotype_makes_no_network():
    cell = Cell.from_pairs([("sep_conv_3x3", 0), ("none", 1)] * 4, (2, 3, 4, 5))
    with pytest.raises(GenotypeError, match="`none`"):
        Network(Genotype("darts", {"normal": cell, "reduce": cell}), NetworkSpec(channels=4, layers=3, classes=2))


def weights_of_an_edge(primitive: str, channels: int, stride: int) -> int:
    """Weights of an operation of NASNet-A or AmoebaNet-A, counted by hand."""
    norm = 2 * channels
    if primitive.startswith("sep_conv"):
        return 2 * (int(primitive[-1]) ** 2 * channels + channels**2 + norm)
    if primitive == "conv_7x1_1x7":
        return 2 * 7 * channels**2 + norm
    return channels**2 + norm if (primitive, stride) == ("skip_connect", 2) else 0


@pytest.mark.parametrize("name", ["NASNet", "AmoebaNet"])
def test_a_published_network_of_five_nodes_has_the_weights_counted_by_hand(name):
    cells, channels = published(name).cells, 36
    total = 27 * 3 * channels + 2 * 3 * channels
    before = previous = 3 * channels
    for layer in range(20):
        reduces = layer in (6, 13)
        cell = cells["reduce" if reduces else "normal"]
        channels *= 2 if reduces else 1
        total += (before + previous) * channels + 4 * channels
        total += sum(
            weights_of_an_edge(edge.primitive, channels, 2 if reduces and edge.source < 2 else 1)
            for edge in cell.edges
        )
        before, previous = previous, len(cell.concat) * channels
    total += 10 * previous + 10
    with torch.device("meta"):
        net = Network(published(name), NetworkSpec(channels=36, layers=20, classes=10))
    assert count_params(net) == total
