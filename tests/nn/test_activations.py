"""Inference graphs and their peaks, by hand: a plane below is what a convolution to 4 channels writes."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from edgewise.nn import NetworkSpec, build_network
from edgewise.nn.activations import Graph, Step, trace
from edgewise.nn.step_order import best_order
from edgewise.spaces import PUBLISHED, published

SIDE = 8
IMAGE = SIDE * SIDE
PLANE = 4 * IMAGE


def conv(channels_in: int, channels_out: int) -> nn.Conv2d:
    return nn.Conv2d(channels_in, channels_out, 3, padding=1, bias=False)


class Body(nn.Module):
    """A network whose first convolution makes a plane; what follows is a function of it and of more modules."""

    def __init__(self, body: Callable[..., Tensor], *parts: nn.Module) -> None:
        super().__init__()
        self.first = conv(1, 4)
        self.parts = nn.ModuleList(parts)
        self.body = body

    def forward(self, x: Tensor) -> Tensor:
        return self.body(self.first(x), *self.parts)


def graph_of(network: nn.Module) -> Graph:
    return trace(network, image_size=SIDE, in_channels=1)


def graph_behind(body: Callable[..., Tensor], *parts: nn.Module) -> Graph:
    return graph_of(Body(body, *parts))


def names(graph: Graph) -> list[str]:
    return [step.name for step in graph.steps]


def is_topological(graph: Graph, order: tuple[int, ...]) -> bool:
    made = {0}
    for at in order:
        if not made.issuperset(graph.steps[at].reads):
            return False
        made.add(graph.steps[at].writes)
    return sorted(order) == list(range(len(graph.steps)))


def test_in_a_chain_a_batch_norm_and_a_relu_cost_nothing_and_what_was_read_is_given_back():
    graph = graph_of(nn.Sequential(conv(1, 4), nn.BatchNorm2d(4), nn.ReLU(), conv(4, 2)))
    assert graph.steps == (Step("convolution", (0,), 1), Step("convolution", (1,), 2))
    assert graph.sizes == (IMAGE, PLANE, PLANE // 2)
    assert graph.peak() == PLANE + PLANE // 2


def test_the_images_are_alive_while_the_first_operation_reads_them():
    graph = graph_of(nn.Sequential(conv(1, 4), nn.AdaptiveAvgPool2d(1)))
    assert graph.peak() == IMAGE + PLANE


def test_the_input_of_a_residual_block_stays_alive_until_the_addition():
    inner = (conv(4, 1), nn.BatchNorm2d(1), nn.ReLU(), conv(1, 4), nn.BatchNorm2d(4))
    graph = graph_behind(lambda x, block: block(x) + x, nn.Sequential(*inner))
    assert names(graph) == ["convolution"] * 3 + ["add"]
    assert graph.peak() == 3 * PLANE


def test_at_a_concatenation_the_parts_and_the_whole_are_alive():
    graph = graph_behind(lambda x, a, b: torch.cat([a(x), b(x)], 1), conv(4, 4), conv(4, 4))
    assert graph.sizes[graph.result] == 2 * PLANE
    assert graph.peak() == 4 * PLANE


def test_a_tensor_that_is_read_much_later_is_alive_in_between():
    chain = (Step("b", (1,), 2), Step("c", (2,), 3), Step("d", (3,), 4))
    graph = Graph((Step("a", (0,), 1), *chain, Step("e", (4, 1), 5)), (1, 10, 2, 2, 2, 1), 5)
    assert graph.peak() == 10 + 2 + 2


def test_a_written_buffer_that_nobody_reads_is_alive_while_it_is_written_only():
    steps = (Step("a", (0,), 1), Step("waste", (1,), 2), Step("c", (1,), 3))
    assert Graph(steps, (1, 10, 7, 8), 3).peak() == 18
    assert Graph(steps, (1, 10, 9, 8), 3).peak() == 19


def test_a_peak_belongs_to_an_order():
    wide = (Step("wide a", (0,), 1), Step("narrow a", (1,), 2), Step("wide b", (0,), 3), Step("narrow b", (3,), 4))
    graph = Graph((*wide, Step("join", (2, 4), 5)), (1, 10, 1, 10, 1, 1), 5)
    assert graph.peak() == 1 + 10 + 1
    assert graph.peak((0, 2, 1, 3, 4)) == 10 + 10 + 1
    assert graph.peak(best_order(graph)) == 12


def test_slices_count_as_copies_unless_they_take_all():
    graph = graph_behind(lambda x: x[:, :, ::2, ::2])
    assert names(graph) == ["convolution", "slice", "slice"]
    assert graph.sizes == (IMAGE, PLANE, PLANE // 2, PLANE // 4)
    assert names(graph_behind(lambda x: x[:, :, 0:SIDE].sum(1))) == ["convolution", "sum"]


def test_views_are_no_copies():
    graph = graph_behind(lambda x: x.flatten(2).unsqueeze(0).squeeze(0).reshape(1, 4, SIDE, SIDE).sum(1))
    assert names(graph) == ["convolution", "sum"]
    assert graph.peak() == IMAGE + PLANE


def test_a_view_that_is_read_keeps_its_tensor_alive():
    graph = graph_behind(lambda x, a, b: b(a(x)).flatten(1) + x.flatten(1), conv(4, 1), conv(1, 4))
    assert names(graph) == ["convolution"] * 3 + ["add"]
    assert graph.peak() == 3 * PLANE


def test_a_batch_norm_behind_a_concatenation_of_products_is_folded():
    def body(x, a, b, norm):
        return norm(torch.cat([a(x), b(x)], 1))

    assert names(graph_behind(body, conv(4, 4), conv(4, 4), nn.BatchNorm2d(8))) == ["convolution"] * 3 + ["cat"]
    pooled = graph_behind(body, conv(4, 4), nn.MaxPool2d(3, 1, 1), nn.BatchNorm2d(8))
    assert names(pooled)[-2:] == ["cat", "native_batch_norm"]


@pytest.mark.parametrize(
    ("body", "before"),
    [
        (lambda x, norm: norm(nn.functional.max_pool2d(x, 3, 1, 1)), "max_pool2d_with_indices"),
        (lambda x, norm: norm(nn.functional.avg_pool2d(x, 3, 1, 1)), "avg_pool2d"),
        (lambda x, norm: norm(torch.sigmoid(x)), "sigmoid"),
    ],
)
def test_a_batch_norm_behind_what_has_no_weights_is_an_operation_of_its_own(body, before):
    graph = graph_behind(body, nn.BatchNorm2d(4))
    assert names(graph) == ["convolution", before, "native_batch_norm"]
    assert graph.peak() == 2 * PLANE


def test_a_batch_norm_of_what_others_read_too_is_not_folded():
    graph = graph_behind(lambda x, norm: norm(x) + x, nn.BatchNorm2d(4))
    assert names(graph) == ["convolution", "native_batch_norm", "add"]
    assert graph.peak() == 3 * PLANE


def test_a_relu_whose_input_others_read_too_is_not_fused():
    graph = graph_behind(lambda x: torch.relu(x) + x)
    assert names(graph) == ["convolution", "relu", "add"]
    assert graph.peak() == 3 * PLANE
    assert names(graph_behind(lambda x: torch.relu(x) + 1)) == ["convolution", "add"]


def test_a_relu_never_overwrites_the_images():
    assert names(graph_of(nn.Sequential(nn.ReLU(), conv(1, 4)))) == ["relu", "convolution"]


def test_what_is_computed_twice_from_the_same_is_one_operation_whose_result_is_kept():
    """A file for the device has one such ReLU: next to the input, which is added later, it stays alive."""

    def body(x, a, b):
        return a(torch.relu(x)) + x + b(torch.relu(x))

    graph = graph_behind(body, conv(4, 4), conv(4, 4))
    assert names(graph) == ["convolution", "relu", "convolution", "add", "convolution", "add"]
    assert graph.steps[4].reads == graph.steps[2].reads == (2,)
    assert graph.peak() == 4 * PLANE


def test_operations_with_other_weights_other_settings_or_draws_are_never_one():
    several = graph_behind(lambda x, a, b: a(x) + b(x), conv(4, 4), conv(4, 4))
    assert names(several).count("convolution") == 3
    slices = graph_behind(lambda x: x[:, :2] + x[:, 2:])
    assert names(slices).count("slice") == 2
    draws = graph_behind(lambda x: torch.rand_like(x) + torch.rand_like(x))
    assert names(draws).count("rand_like") == 2


def test_every_part_of_a_split_counts():
    graph = graph_behind(lambda x: torch.cat(x.chunk(2, dim=1)[::-1], dim=1))
    assert names(graph) == ["convolution", "split", "split", "cat"]
    assert graph.sizes == (IMAGE, PLANE, PLANE // 2, PLANE // 2, PLANE)
    assert graph.steps[-1].reads == (3, 2)


def test_operations_that_reach_no_logits_are_left_out():
    def body(x, unused, used):
        unused(x)
        return used(x)

    assert names(graph_behind(body, conv(4, 4), conv(4, 2))) == ["convolution", "convolution"]


def test_the_auxiliary_head_is_left_out():
    class WithHead(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first, self.auxiliary = conv(1, 4), conv(4, 4)

        def forward(self, x: Tensor) -> Tensor:
            x = self.first(x)
            return x if self.auxiliary is None else x + self.auxiliary(x)

    assert names(graph_of(WithHead())) == ["convolution"]
    with_head, without = (
        trace(build_network(published("DARTS_V2"), spec), image_size=32, in_channels=3)
        for spec in (NetworkSpec(4, 3, 3, auxiliary=True), NetworkSpec(4, 3, 3))
    )
    assert with_head == without


def test_a_trace_leaves_the_network_as_it_is_and_takes_one_without_data():
    network = nn.Sequential(conv(1, 4), nn.BatchNorm2d(4)).double().train()
    before = {name: value.clone() for name, value in network.state_dict().items()}
    graph = graph_of(network)
    assert network.training
    for name, value in network.state_dict().items():
        assert value.device.type == "cpu"
        assert torch.equal(value, before[name])
    assert graph_of(network.to("meta")) == graph


@pytest.mark.parametrize("name", PUBLISHED)
def test_the_best_order_of_a_published_cell_is_valid_and_needs_no_more_than_its_own(name):
    with torch.device("meta"):
        network = build_network(PUBLISHED[name], NetworkSpec(channels=8, layers=3, classes=10))
    graph = trace(network, image_size=32, in_channels=3)
    order = best_order(graph)
    assert is_topological(graph, tuple(range(len(graph.steps))))
    assert is_topological(graph, order)
    assert graph.peak(order) <= graph.peak()


def test_the_peak_of_darts_second_cell_is_that_counted_by_hand():
    """At the first cell's concatenation: four nodes, what they make, and what the second cell reads of the stem.

    As written that is the stem's output itself, 3 C planes; in the best order it is pooled before the first cell:
    2 C planes of half the side.
    """
    with torch.device("meta"):
        network = build_network(published("DARTS_V2"), NetworkSpec(channels=8, layers=3, classes=10))
    graph = trace(network, image_size=32, in_channels=3)
    node = 8 * 32 * 32
    assert graph.peak() == (4 + 4 + 3) * node
    assert graph.peak(best_order(graph)) == (4 + 4) * node + 2 * node // 4
