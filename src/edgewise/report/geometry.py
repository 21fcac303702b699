"""Boxes and lines of a drawn cell, in pixels; y grows downwards."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Point = tuple[float, float]
Kind = Literal["skip", "pool", "parametrised", "concat"]


@dataclass(frozen=True)
class Box:
    """A rectangle: its centre, width and height."""

    x: float
    y: float
    width: float
    height: float

    @property
    def left(self) -> float:
        """The left side."""
        return self.x - self.width / 2

    @property
    def right(self) -> float:
        """The right side."""
        return self.x + self.width / 2

    @property
    def top(self) -> float:
        """The upper side."""
        return self.y - self.height / 2

    @property
    def bottom(self) -> float:
        """The lower side."""
        return self.y + self.height / 2

    def overlaps(self, other: Box) -> bool:
        """Whether the two share more than a border."""
        return (
            min(self.right, other.right) > max(self.left, other.left)
            and min(self.bottom, other.bottom) > max(self.top, other.top)
        )  # fmt: skip

    def holds(self, point: Point) -> bool:
        """Whether a point lies inside, the border left out."""
        return self.left < point[0] < self.right and self.top < point[1] < self.bottom


@dataclass(frozen=True)
class NodeBox:
    """A drawn node; `node` is None for the cell's output."""

    node: int | None
    kind: Literal["input", "inner", "output"]
    text: str
    box: Box


@dataclass(frozen=True)
class EdgeLine:
    """A drawn edge: horizontal where it passes a column, a curve between two columns.

    `points` alternate: a curve leads from points 0 to 1, a straight line from 1 to 2, a curve from 2 to 3, ...
    """

    source: int
    target: int | None
    primitive: str | None
    kind: Kind
    points: tuple[Point, ...]
    label: Box | None

    def samples(self, per_piece: int = 16) -> list[Point]:
        """Points along the line, for checking what it crosses."""
        found: list[Point] = []
        for i, (start, end) in enumerate(zip(self.points, self.points[1:], strict=False)):
            for step in range(per_piece + 1):
                t = step / per_piece
                # The curve of the drawing: control points half way across, at the heights of the ends.
                bend = t * t * (3 - 2 * t) if i % 2 == 0 else t
                across = t if i % 2 else (1.5 * t * (1 - t) + t * t * t)
                found.append((start[0] + (end[0] - start[0]) * across, start[1] + (end[1] - start[1]) * bend))
        return found


@dataclass(frozen=True)
class Layout:
    """A cell laid out: size, nodes and edges."""

    width: float
    height: float
    nodes: tuple[NodeBox, ...]
    lines: tuple[EdgeLine, ...]
