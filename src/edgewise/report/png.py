"""Cells as pixels, for those who can't show an SVG picture, such as experiment trackers."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from edgewise.report.draw import COLOURS, DASHES, FILLS
from edgewise.report.geometry import Box, EdgeLine, Layout, NodeBox, Point
from edgewise.report.layout import CHARACTER, lay_out

if TYPE_CHECKING:
    from PIL.Image import Image
    from PIL.ImageDraw import ImageDraw
    from PIL.ImageFont import FreeTypeFont
    from PIL.ImageFont import ImageFont as BitmapFont

# Pixels of the picture for one of the layout, and of the drawing for one of the picture: it is drawn large and
# made smaller, which smooths slanted lines.
SCALE, FINER = 2, 2
TITLE = 26.0
MARGIN = 12.0
INK, PALE, WHITE = "#1c2430", "#3b4554", "#ffffff"


def paint_cells(cells: Mapping[str, Mapping[str, Any]]) -> np.ndarray:
    """Draws cells one below the other, each with its name, laid out as `draw_cell` lays them out.

    Args:
        cells: cells of a genotype's JSON, by the names that they get in the picture.

    Returns:
        uint8 [height, width, 3], RGB on white.
    """
    from PIL import Image, ImageDraw

    layouts = {name: lay_out(cell) for name, cell in cells.items()}
    width = max(layout.width for layout in layouts.values())
    height = sum(layout.height + TITLE for layout in layouts.values())
    factor = SCALE * FINER
    size = (math.ceil(width) * factor, math.ceil(height) * factor)
    picture = Image.new("RGB", size, WHITE)
    top = 0.0
    for name, layout in layouts.items():
        brush = _Brush(ImageDraw.Draw(picture), factor, top)
        brush.text((MARGIN, TITLE / 2), name, size=13, colour=INK, anchor="lm")
        brush.top += TITLE
        _paint(layout, brush)
        top = brush.top + layout.height
    return np.asarray(_smaller(picture))


def _smaller(picture: Image) -> Image:
    from PIL import Image

    return picture.resize((picture.width // FINER, picture.height // FINER), Image.Resampling.LANCZOS)


def _paint(layout: Layout, brush: _Brush) -> None:
    for line in sorted(layout.lines, key=lambda line: line.kind != "concat"):
        brush.line(line)
    for line in layout.lines:
        if line.label is not None and line.primitive is not None:
            brush.box(line.label, fill=FILLS[line.kind], colour=COLOURS[line.kind], width=1.0, radius=5)
            brush.label(line.label, line.primitive, COLOURS[line.kind])
    for node in layout.nodes:
        brush.node(node)


class _Brush:
    """Draws in the layout's units below a line of the picture.

    Args:
        draw: the drawing.
        factor: its pixels for one of the layout.
        top: where the layout begins, in its units.
    """

    def __init__(self, draw: ImageDraw, factor: int, top: float) -> None:
        self._draw = draw
        self._factor = factor
        self.top = top

    def _at(self, point: Point) -> Point:
        return point[0] * self._factor, (point[1] + self.top) * self._factor

    def text(self, at: Point, text: str, *, size: float, colour: str, anchor: str = "mm") -> None:
        """Writes a text."""
        font = _font(size * self._factor)
        self._draw.text(self._at(at), text, fill=colour, font=font, anchor=anchor)

    def label(self, box: Box, text: str, colour: str) -> None:
        """Writes an operation's name into its box, smaller where the font is too wide for it."""
        size = 11.0
        wide = _font(size * self._factor).getlength(text) / self._factor
        fitting = min(1.0, CHARACTER * len(text) / wide)
        self.text((box.x, box.y), text, size=size * fitting, colour=colour)

    def box(self, box: Box, *, fill: str, colour: str, width: float, radius: float) -> None:
        """Draws a rounded box."""
        corners = [self._at((box.left, box.top)), self._at((box.right, box.bottom))]
        outline = round(width * self._factor)
        self._draw.rounded_rectangle(corners, radius * self._factor, fill=fill, outline=colour, width=outline)

    def node(self, node: NodeBox) -> None:
        """Draws a node with its name."""
        self.box(node.box, fill=WHITE, colour=PALE, width=1.4, radius=7)
        self.text((node.box.x, node.box.y), node.text, size=12, colour=INK)

    def line(self, line: EdgeLine) -> None:
        """Draws an edge, dashed as in `draw_cell`, and its head."""
        colour = COLOURS[line.kind]
        width = round((1.2 if line.kind == "concat" else 1.8) * self._factor)
        dashes = [float(part) for part in DASHES.get(line.kind, "").split()]
        for piece in _dashed(line.samples(), dashes):
            self._draw.line([self._at(point) for point in piece], fill=colour, width=width, joint="curve")
        x, y = line.points[-1]
        head = [(x, y), (x - 7, y - 3.5), (x - 7, y + 3.5)]
        self._draw.polygon([self._at(point) for point in head], fill=colour)


def _dashed(points: list[Point], dashes: list[float]) -> Iterator[list[Point]]:
    """The pieces of a line that are drawn: dashes and gaps take turns; without them, all of it."""
    if not dashes:
        yield points
        return
    on, off = dashes
    piece, walked = [points[0]], 0.0
    for start, end in itertools.pairwise(points):
        length = math.dist(start, end)
        steps = max(1, math.ceil(length))
        for step in range(1, steps + 1):
            t = step / steps
            walked += length / steps
            if walked % (on + off) < on:
                piece.append((start[0] + (end[0] - start[0]) * t, start[1] + (end[1] - start[1]) * t))
            elif piece:
                if len(piece) > 1:
                    yield piece
                piece = []
    if len(piece) > 1:
        yield piece


def _font(size: float) -> FreeTypeFont | BitmapFont:
    """The font that comes with Pillow, so that a picture is the same on every machine."""
    from PIL import ImageFont

    return ImageFont.load_default(size)
