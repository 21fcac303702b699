"""The peak of activations against a counter that knows the exported ONNX graph alone."""

from __future__ import annotations

import math
import random
from dataclasses import dataclass

import pytest
from onnx import ModelProto

from edgewise.export import Classifier, NetworkFacts
from edgewise.export.node_order import order_nodes
from edgewise.export.onnx_file import to_onnx
from edgewise.nn import NetworkSpec, ResidualNetwork, build_network
from edgewise.nn.activations import Graph, Step, trace
from edgewise.nn.step_order import best_order
from edgewise.spaces import DARTS, NASNET, NB201, Genotype, published, random_genotype

SIDE = 32
ALIASES = {"Reshape", "Expand", "Identity", "Flatten", "Squeeze", "Unsqueeze"}
CELLS = ["DARTS_V2", "PC_DARTS_cifar", "NASNet", "NB201_best_cifar10"]


@dataclass
class Node:
    """An operation of the file that needs a buffer of its own."""

    name: str
    reads: set[str]
    writes: str


def nodes_of(model: ModelProto) -> tuple[list[Node], str]:
    """The nodes that write activations, and the buffer of the logits; what only renames writes none."""
    buffer = {"images": "images"}
    nodes: list[Node] = []
    for node in model.graph.node:
        reads = {buffer[name] for name in node.input if name in buffer}
        if not reads or node.op_type == "Shape":
            continue  # what depends on no image is a constant, and a shape is a number or four
        if node.op_type in ALIASES:
            (buffer[node.output[0]],) = reads
        else:
            buffer[node.output[0]] = node.output[0]
            nodes.append(Node(node.op_type, reads, node.output[0]))
    return nodes, buffer["logits"]


def fuse_relus(nodes: list[Node], result: str) -> tuple[list[Node], str]:
    """Lets a ReLU that is the only reader of a node's result write into that result."""
    readers = {node.writes: sum(node.writes in other.reads for other in nodes) for node in nodes}
    into: dict[str, str] = {}
    kept = []
    for node in nodes:
        (source,) = node.reads if node.name == "Relu" else (None,)
        if source is not None and readers.get(source) == 1:
            into[node.writes] = into.get(source, source)
        else:
            kept.append(Node(node.name, {into.get(name, name) for name in node.reads}, node.writes))
    return kept, into.get(result, result)


def sizes_of(model: ModelProto) -> dict[str, int]:
    """Elements of every value of the file for a batch of one."""
    known = (*model.graph.input, *model.graph.value_info, *model.graph.output)
    return {v.name: math.prod(d.dim_value or 1 for d in v.type.tensor_type.shape.dim) for v in known}


def most_alive(nodes: list[Node], result: str, sizes: dict[str, int]) -> int:
    """Elements alive at the worst moment of the file's own order."""
    alive, most = {"images"}, 0
    for at, node in enumerate(nodes):
        alive.add(node.writes)
        most = max(most, sum(sizes[name] for name in alive))
        still_read = {name for later in nodes[at + 1 :] for name in later.reads} | {result}
        alive &= still_read
    return most


def of_file(network, genotype: Genotype, spec: NetworkSpec) -> tuple[int, Graph, int]:
    """The peak of the converter's order, its nodes as a graph, and the peak of the order that is written."""
    colours = ((0.4, 0.5, 0.6)[: spec.in_channels], (0.2, 0.25, 0.3)[: spec.in_channels])
    facts = NetworkFacts(genotype, spec, tuple(map(str, range(spec.classes))), *colours, SIDE)
    with pytest.MonkeyPatch.context() as patch:
        # In the converter's order, which is that of the network's own calls.
        patch.setattr("edgewise.export.onnx_file.order_nodes", lambda model: None)
        model = to_onnx(Classifier(network.eval(), facts))
    nodes, result = fuse_relus(*nodes_of(model))
    sizes = sizes_of(model)
    numbers = {name: at for at, name in enumerate(["images", *(node.writes for node in nodes)])}
    steps = (Step(n.name, tuple(numbers[name] for name in sorted(n.reads)), numbers[n.writes]) for n in nodes)
    graph = Graph(tuple(steps), tuple(sizes[name] for name in numbers), numbers[result])
    peak = most_alive(nodes, result, sizes)
    order_nodes(model)
    return peak, graph, most_alive(*fuse_relus(*nodes_of(model)), sizes)


def compare(network, genotype: Genotype, spec: NetworkSpec) -> None:
    """Both peaks are those of the file, to the element.

    Two things are in the file only, and neither is at the peak. The normalisation (Sub, Div) holds the images
    twice, before the first convolution reads them and writes no less. A batch norm behind the concatenation of a
    factorised reduction is left standing: it reads and writes as much as the concatenation does a step before,
    whose parts nothing else reads.
    """
    peak, file, written = of_file(network, genotype, spec)
    own = trace(network, image_size=SIDE, in_channels=spec.in_channels)
    normalised = [step for step in file.steps if step.name in ("Sub", "Div")]
    assert len(normalised) == 2
    assert {file.sizes[step.writes] for step in normalised} == {own.sizes[0]}
    assert own.sizes[own.steps[0].writes] >= own.sizes[0]
    left = [step for step in file.steps if step.name == "BatchNormalization"]
    folded = len(left) - sum(step.name == "native_batch_norm" for step in own.steps)
    makers = {step.writes: step.name for step in file.steps}
    assert sum(makers[step.reads[0]] == "Concat" for step in left) == folded
    assert len(file.steps) - len(normalised) - folded == len(own.steps)
    assert peak == own.peak() == file.peak()
    assert own.peak(best_order(own)) == file.peak(best_order(file)) == written


@pytest.mark.slow
@pytest.mark.parametrize("name", CELLS)
def test_the_peak_of_a_published_network_is_that_of_its_onnx_file(name):
    spec = NetworkSpec(channels=8, layers=3, classes=10)
    compare(build_network(published(name), spec), published(name), spec)


@pytest.mark.slow
@pytest.mark.parametrize("channels", [1, 3])
def test_the_peak_of_the_residual_network_is_that_of_its_onnx_file(channels):
    network = ResidualNetwork(width=8, blocks=2, classes=10, in_channels=channels, stem="cifar")
    compare(network, published("DARTS_V2"), NetworkSpec(8, 3, 10, in_channels=channels))


@pytest.mark.slow
@pytest.mark.parametrize("space", [DARTS, NASNET, NB201], ids=lambda space: space.name)
def test_the_peak_of_a_random_network_is_never_below_that_of_its_onnx_file(space):
    """It is above it only where a node of zeros is alive, which the counter takes for a constant."""
    spec = NetworkSpec(channels=6, layers=4, classes=5)
    for seed in range(5):
        genotype = random_genotype(space, random.Random(seed))
        network = build_network(genotype, spec)
        peak, file, written = of_file(network, genotype, spec)
        own = trace(network, image_size=SIDE, in_channels=3)
        zeros = any(step.name == "zeros_like" for step in own.steps)
        for found, wanted in ((own.peak(), peak), (own.peak(best_order(own)), file.peak(best_order(file)))):
            assert found >= wanted
            assert found == wanted or zeros
        assert written <= own.peak(best_order(own))
