"""The nodes of an ONNX graph, put into an order that needs little memory for activations."""

from __future__ import annotations

from math import prod
from typing import TYPE_CHECKING

from edgewise.nn.activations import Graph, Step
from edgewise.nn.step_order import best_order

if TYPE_CHECKING:
    from onnx import ModelProto, NodeProto

# What runtimes do within the operation before it, or without moving anything.
_FUSED = frozenset(
    ("Relu", "Clip", "BatchNormalization", "Reshape", "Flatten", "Identity", "Squeeze", "Unsqueeze")
)


def order_nodes(model: ModelProto) -> None:
    """Reorders the nodes of a model in place; what it computes stays the same.

    Interpreters for small devices carry a graph out as it stands; onnxruntime has an order of its own.

    Args:
        model: a graph with one input, its shapes known.
    """
    groups = _groups(model)
    graph = _steps(model, groups)
    nodes = [node for index in best_order(graph) for node in groups[index]]
    del model.graph.node[:]
    model.graph.node.extend(nodes)


def _groups(model: ModelProto) -> list[list[NodeProto]]:
    """Nodes that stay together: a node, and those behind it that are done with it."""
    fixed = {initializer.name for initializer in model.graph.initializer}
    readers: dict[str, int] = {}
    for node in model.graph.node:
        for name in node.input:
            readers[name] = readers.get(name, 0) + 1
    groups: list[list[NodeProto]] = []
    group_of: dict[str, int] = {}
    for node in model.graph.node:
        moving = [name for name in node.input if name and name not in fixed]
        joins = (
            node.op_type in _FUSED
            and len(moving) == 1
            and readers[moving[0]] == 1
            and moving[0] in group_of
            and groups[group_of[moving[0]]][-1].output[0] == moving[0]
        )
        index = group_of[moving[0]] if joins else len(groups)
        if not joins:
            groups.append([])
        groups[index].append(node)
        group_of |= dict.fromkeys(node.output, index)
    return groups


def _steps(model: ModelProto, groups: list[list[NodeProto]]) -> Graph:
    """A step for each group; the input is buffer 0."""
    sizes = _activation_sizes(model)
    (image,) = (value.name for value in model.graph.input)
    made = {name: index + 1 for index, group in enumerate(groups) for node in group for name in node.output}
    steps = []
    for index, group in enumerate(groups):
        inner = {name for node in group for name in node.output}
        names = [name for node in group for name in node.input if name not in inner]
        reads = tuple(dict.fromkeys(made.get(name, 0) for name in names if name in made or name == image))
        steps.append(Step(group[0].op_type, reads, index + 1))
    outputs = [max(sizes.get(node.output[0], 0) for node in group) for group in groups]
    return Graph(tuple(steps), (sizes[image], *outputs), made[model.graph.output[0].name])


def _activation_sizes(model: ModelProto) -> dict[str, int]:
    """Elements of what depends on the image's values, for one image; shapes and weights don't."""
    import onnx

    inferred = onnx.shape_inference.infer_shapes(model).graph
    values = [*inferred.value_info, *inferred.input, *inferred.output]
    elements = {
        value.name: prod(dim.dim_value or 1 for dim in value.type.tensor_type.shape.dim) for value in values
    }
    alive = {value.name for value in model.graph.input}
    for node in model.graph.node:
        if node.op_type != "Shape" and alive.intersection(node.input):
            alive |= set(node.output)
    return {name: elements.get(name, 0) for name in alive}
