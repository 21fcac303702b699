from __future__ import annotations

import random
from itertools import combinations
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgewise.report.geometry import Box, Layout
from edgewise.report.layout import lay_out
from edgewise.spaces import DARTS, PUBLISHED, random_genotype
from edgewise.spaces.nb201 import all_genotypes

ALL_NB201 = list(all_genotypes())
PUBLISHED_CELLS = [(name, cell) for name, genotype in PUBLISHED.items() for cell in genotype.cells]


@st.composite
def darts_cells(draw: st.DrawFn) -> dict[str, Any]:
    """Valid DARTS cells, drawn entry by entry so that failures shrink."""
    edges = []
    for node in range(2, 6):
        sources = draw(st.lists(st.integers(0, node - 1), min_size=2, max_size=2, unique=True))
        primitives = [draw(st.sampled_from(DARTS.derivable)) for _ in sources]
        edges += [
            {"source": source, "target": node, "primitive": primitive}
            for source, primitive in zip(sources, primitives, strict=True)
        ]
    return {"inputs": 2, "nodes": 4, "edges": edges, "concat": [2, 3, 4, 5]}


def cell_json(name: str, cell: str) -> dict[str, Any]:
    return PUBLISHED[name].to_dict()["cells"][cell]


def connected(cell: dict[str, Any]) -> list[dict[str, Any]]:
    """The edges that are drawn: all but those that carry `none`."""
    return [edge for edge in cell["edges"] if edge["primitive"] != "none"]


def faults(layout: Layout) -> list[str]:
    """Everything that lies on something else."""
    nodes = {("node", node.node): node.box for node in layout.nodes}
    labels = {("label", i): line.label for i, line in enumerate(layout.lines) if line.label is not None}
    boxes: dict[tuple[str, int | None], Box] = {**nodes, **labels}
    found = [f"{a} on {b}" for a, b in combinations(boxes, 2) if boxes[a].overlaps(boxes[b])]
    for i, line in enumerate(layout.lines):
        own = ("label", i)
        points = line.samples()
        found += [
            f"line {i} through {key}" for key, box in boxes.items() if key != own and any(map(box.holds, points))
        ]
    picture = Box(layout.width / 2, layout.height / 2, layout.width, layout.height)
    found += [f"{key} outside" for key, box in boxes.items() if not inside(box, picture)]
    found += [f"line {i} outside" for i, x in enumerate(layout.lines) if not all(map(picture.holds, x.samples()))]
    return found


def inside(box: Box, picture: Box) -> bool:
    return (
        picture.left <= box.left
        and box.right <= picture.right
        and picture.top <= box.top
        and box.bottom <= picture.bottom
    )


@settings(max_examples=150, deadline=None)
@given(darts_cells())
def test_in_no_darts_cell_does_a_label_node_or_line_lie_on_another_label_or_node(cell: dict[str, Any]) -> None:
    assert faults(lay_out(cell)) == []


@pytest.mark.parametrize(("name", "cell"), PUBLISHED_CELLS)
def test_in_no_published_cell_does_anything_lie_on_something_else(name: str, cell: str) -> None:
    assert faults(lay_out(cell_json(name, cell))) == []


@pytest.mark.parametrize("index", range(0, 15625, 78))
def test_in_no_cell_of_nas_bench_201_does_anything_lie_on_something_else(index: int) -> None:
    cell = ALL_NB201[index].to_dict()["cells"]["cell"]
    layout = lay_out(cell)
    assert faults(layout) == []
    assert len([line for line in layout.lines if line.target is not None]) == len(connected(cell))
    x = {node.node: node.box.x for node in layout.nodes}
    assert all(x[edge["source"]] < x[edge["target"]] for edge in connected(cell))


def test_the_check_for_overlaps_sees_a_label_that_is_moved_onto_another() -> None:
    layout = lay_out(cell_json("PDARTS", "normal"))
    first = layout.lines[0]
    moved = [
        line
        if i
        else type(first)(first.source, first.target, first.primitive, first.kind, first.points, other.label)
        for i, (line, other) in enumerate(zip(layout.lines, layout.lines[1:] + layout.lines[:1], strict=True))
    ]
    assert faults(Layout(layout.width, layout.height, layout.nodes, tuple(moved))) != []


@pytest.mark.parametrize(("name", "cell"), PUBLISHED_CELLS)
def test_nodes_stand_in_columns_by_their_longest_path_and_the_output_is_last(name: str, cell: str) -> None:
    drawn = cell_json(name, cell)
    inputs = drawn["inputs"]
    depth = dict.fromkeys(range(inputs), 0)
    for node in range(inputs, inputs + drawn["nodes"]):
        depth[node] = 1 + max(depth[e["source"]] for e in connected(drawn) if e["target"] == node)
    layout = lay_out(drawn)
    x = {node.node: node.box.x for node in layout.nodes}
    columns = sorted({x[node] for node in depth})
    assert {node: columns.index(x[node]) for node in depth} == depth
    assert x[None] > max(columns)


@pytest.mark.parametrize(("name", "cell"), PUBLISHED_CELLS)
def test_every_edge_has_its_line_label_and_kind_and_every_concatenated_node_a_line(name: str, cell: str) -> None:
    drawn = cell_json(name, cell)
    lines = lay_out(drawn).lines
    edges = sorted((e["source"], e["target"], e["primitive"]) for e in connected(drawn))
    assert sorted((x.source, x.target, x.primitive) for x in lines if x.target is not None and x.label) == edges
    assert [x.source for x in lines if x.target is None and x.kind == "concat"] == drawn["concat"]
    kinds = [x.kind for x in lines]
    expected = PUBLISHED[name].cells[cell]
    assert (kinds.count("skip"), kinds.count("pool")) == (expected.skips, expected.pools)
    assert kinds.count("parametrised") == expected.parametrised


def test_lines_begin_and_end_at_their_nodes() -> None:
    layout = lay_out(cell_json("GDAS_V1", "normal"))
    boxes = {node.node: node.box for node in layout.nodes}
    for line in layout.lines:
        source, target = boxes[line.source], boxes[line.target]
        assert line.points[0][0] == source.right
        assert source.top < line.points[0][1] < source.bottom
        assert line.points[-1][0] == target.left
        assert target.top < line.points[-1][1] < target.bottom


def test_two_lines_never_share_a_place_at_a_node() -> None:
    for seed in range(20):
        cell = random_genotype(DARTS, random.Random(seed)).to_dict()["cells"]["normal"]
        lines = lay_out(cell).lines
        for ends in ([x.points[0] for x in lines], [x.points[-1] for x in lines]):
            assert len(set(ends)) == len(ends)


def test_the_same_cell_is_always_laid_out_the_same_way() -> None:
    cell = cell_json("PC_DARTS_cifar", "reduce")
    assert lay_out(cell) == lay_out({**cell, "edges": list(cell["edges"])})
