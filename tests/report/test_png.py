"""Cells as pixels: what stands where, in which colour, and nothing else."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from edgewise.report.draw import COLOURS, FILLS
from edgewise.report.geometry import Layout
from edgewise.report.layout import lay_out
from edgewise.report.png import SCALE, TITLE, paint_cells
from edgewise.spaces import published

CELLS = {
    (name, kind): cell
    for name in ("PC_DARTS_cifar", "DARTS_V2", "NB201_ResNet")
    for kind, cell in published(name).to_dict()["cells"].items()
}


def colour(picture: np.ndarray, x: float, y: float) -> str:
    """The colour at a place of the (first) layout, as `#rrggbb`."""
    pixel = picture[round((y + TITLE) * SCALE), round(x * SCALE)]
    return "#" + "".join(f"{value:02x}" for value in pixel)


def paint(cell: dict[str, Any]) -> tuple[np.ndarray, Layout]:
    return paint_cells({"a cell": cell}), lay_out(cell)


@pytest.mark.parametrize("cell", CELLS.values(), ids=map(str, CELLS))
def test_every_label_and_node_stands_where_the_layout_puts_it(cell: dict[str, Any]) -> None:
    picture, layout = paint(cell)
    for line in layout.lines:
        if line.label is not None:
            # Between the border and the text.
            assert colour(picture, line.label.left + 3, line.label.y) == FILLS[line.kind]
    for node in layout.nodes:
        assert colour(picture, node.box.left + 3, node.box.y) == "#ffffff"
        assert colour(picture, node.box.x, node.box.top + 0.7) != "#ffffff"


@pytest.mark.parametrize("cell", CELLS.values(), ids=map(str, CELLS))
def test_every_edge_ends_in_a_head_of_its_colour(cell: dict[str, Any]) -> None:
    picture, layout = paint(cell)
    for line in layout.lines:
        x, y = line.points[-1]
        assert colour(picture, x - 5, y) == COLOURS[line.kind]


def test_skips_are_dashed_and_convolutions_are_not() -> None:
    picture, layout = paint(CELLS["PC_DARTS_cifar", "normal"])

    def gaps(kind: str) -> int:
        line = next(line for line in layout.lines if line.kind == kind)
        boxes = [other.label for other in layout.lines if other.label is not None]
        seen = [colour(picture, *point) for point in line.samples() if not any(box.holds(point) for box in boxes)]
        return seen.count("#ffffff")

    assert gaps("skip") > 0
    assert gaps("parametrised") == 0


def test_cells_stand_below_each_other_and_none_is_cut_off() -> None:
    cells = published("PC_DARTS_cifar").to_dict()["cells"]
    picture = paint_cells(cells)
    layouts = [lay_out(cell) for cell in cells.values()]
    height, width, depth = picture.shape
    assert (picture.dtype, depth) == (np.uint8, 3)
    assert width >= SCALE * max(layout.width for layout in layouts)
    assert height >= SCALE * sum(layout.height + TITLE for layout in layouts)
    assert (picture[-4:] == 255).all()
    assert (picture[:, -4:] == 255).all()


def test_another_operation_is_another_picture_and_the_same_cell_the_same_one() -> None:
    cell = CELLS["PC_DARTS_cifar", "normal"]
    first = {**cell["edges"][0], "primitive": "max_pool_3x3"}
    other = paint({**cell, "edges": [first, *cell["edges"][1:]]})[0]
    assert np.array_equal(paint(cell)[0], paint(cell)[0])
    assert not np.array_equal(other, paint(cell)[0])
