"""The nodes of an ONNX graph, put into an order that needs little memory for activations."""

from __future__ import annotations

from collections import Counter
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
    sizes = _activation_sizes(model)
    if model.graph.output[0].name not in sizes:  # cells of zeros: no image changes the logits
        return
    # What no image changes (shapes, weights that are spread over a batch) comes first and needs nothing of it.
    fixed = [node for node in model.graph.node if node.output[0] not in sizes]
    groups = _groups(model, sizes)
    nodes = fixed + [node for index in best_order(_steps(model, groups, sizes)) for node in groups[index]]
    del model.graph.node[:]
    model.graph.node.extend(nodes)


def _groups(model: ModelProto, sizes: dict[str, int]) -> list[list[NodeProto]]:
    """Nodes that stay together: one that makes an activation, and those behind it that are done with it."""
    moving = [(node, [name for name in node.input if name in sizes]) for node in model.graph.node]
    readers = Counter(name for _, names in moving for name in set(names))
    groups: list[list[NodeProto]] = []
    group_of: dict[str, int] = {}
    for node, names in moving:
        if node.output[0] not in sizes:
            continue
        index = group_of.get(names[0], len(groups))
        behind = index < len(groups) and groups[index][-1].output[0] == names[0]
        if not (node.op_type in _FUSED and behind and readers[names[0]] == 1):
            index = len(groups)
            groups.append([])
        groups[index].append(node)
        group_of |= dict.fromkeys(node.output, index)
    return groups


def _steps(model: ModelProto, groups: list[list[NodeProto]], sizes: dict[str, int]) -> Graph:
    """A step for each group; the input is buffer 0."""
    (image,) = (value.name for value in model.graph.input)
    made = {image: 0} | {name: at + 1 for at, group in enumerate(groups) for node in group for name in node.output}
    steps = []
    for index, group in enumerate(groups):
        names = [name for name in group[0].input if name in made]
        reads = tuple(dict.fromkeys(made[name] for name in names))
        steps.append(Step(group[0].op_type, reads, index + 1))
    outputs = [max(sizes[node.output[0]] for node in group) for group in groups]
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
