"""The layered layout of a cell: nodes in columns by longest path, operations in columns of their own between them.

Every edge owns a slot in each column that it passes, so nothing can lie on a label or a node: columns are kept
clear by `placing`, and between two columns there are only curves.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from edgewise.report.geometry import Box, EdgeLine, Kind, Layout, NodeBox, Point
from edgewise.report.layer_order import order, place
from edgewise.spaces.cells import NONE
from edgewise.spaces.primitives import kind_of

CHARACTER = 6.6
LABEL_PADDING = 14.0
LABEL_HEIGHT = 20.0
NODE_WIDTH = 34.0
NODE_HEIGHT = 30.0
INPUT_WIDTH = 58.0
PORT = 10.0
BEND = 4.0
CLEAR = 8.0
BORDER = 12.0
GAP, WIDEST_GAP = 26.0, 60.0
# A straight long edge is worth more than a node in the middle of its neighbours.
NODE_PULL, LABEL_PULL, BEND_PULL = 1.0, 2.0, 4.0


@dataclass
class _Station:
    """What stands in a column: a node, a label, or the slot where an edge passes."""

    width: float
    height: float
    pull: float


@dataclass
class _Route:
    """An edge on its way: the stations that it meets, its two nodes included."""

    source: int
    target: int | None
    primitive: str | None
    stations: list[int]
    label: int | None


class _Plan:
    """Columns and stations before they have coordinates; node columns are even, label columns odd."""

    def __init__(self, cell: Mapping[str, Any]) -> None:
        self.inputs: int = cell["inputs"]
        self.count = self.inputs + cell["nodes"]
        self.edges = [(e["source"], e["target"], e["primitive"]) for e in cell["edges"] if e["primitive"] != NONE]
        depth = [0] * self.inputs
        for node in range(self.inputs, self.count):
            # A node that hears nothing still stands right of the inputs.
            depth.append(1 + max((depth[source] for source, target, _ in self.edges if target == node), default=0))
        self.output = self.count
        depth.append(max(depth) + 1)
        self.stations: list[_Station] = []
        self.columns: list[list[int]] = [[] for _ in range(2 * depth[-1] + 1)]
        self.routes: list[_Route] = []
        ports = self._ports(cell["concat"])
        for node, d in enumerate(depth):
            width = INPUT_WIDTH if node < self.inputs or node == self.output else NODE_WIDTH
            self._add(2 * d, _Station(width, max(NODE_HEIGHT, PORT * ports[node] + 8), NODE_PULL))
        labels = [0] * len(self.columns)
        for source, target, primitive in sorted(self.edges, key=lambda e: depth[e[1]] - depth[e[0]]):
            self._route(source, target, primitive, depth, labels)
        for node in cell["concat"]:
            self._route(node, self.output, None, depth, labels)

    def _ports(self, concat: list[int]) -> list[int]:
        into = [0] * (self.count + 1)
        out = [0] * (self.count + 1)
        for source, target in [(s, t) for s, t, _ in self.edges] + [(node, self.output) for node in concat]:
            out[source] += 1
            into[target] += 1
        return [max(a, b) for a, b in zip(into, out, strict=True)]

    def _add(self, column: int, station: _Station) -> int:
        self.stations.append(station)
        self.columns[column].append(len(self.stations) - 1)
        return len(self.stations) - 1

    def _route(self, source: int, target: int, primitive: str | None, depth: list[int], labels: list[int]) -> None:
        first, last = 2 * depth[source], 2 * depth[target]
        at = None
        if primitive is not None:
            # The emptiest label column on the way, the one next to the target among equals.
            at = min(range(last - 1, first, -2), key=lambda column: labels[column])
            labels[at] += 1
        stations, label = [source], None
        for column in range(first + 1, last):
            if primitive is not None and column == at:
                width = CHARACTER * len(primitive) + LABEL_PADDING
                label = self._add(column, _Station(width, LABEL_HEIGHT, LABEL_PULL))
                stations.append(label)
            else:
                stations.append(self._add(column, _Station(0.0, BEND, BEND_PULL)))
        is_output = target == self.output
        route = _Route(source, None if is_output else target, primitive, [*stations, target], label)
        self.routes.append(route)

    def links(self) -> list[tuple[int, int]]:
        """The pairs of stations that a line joins."""
        return [pair for r in self.routes for pair in zip(r.stations, r.stations[1:], strict=False)]


def lay_out(cell: Mapping[str, Any]) -> Layout:
    """Places the nodes, operations and edges of a cell; edges that carry `none` are left out.

    Args:
        cell: a cell of a genotype's JSON: inputs, nodes, edges, concat.
    """
    plan = _Plan(cell)
    links = plan.links()
    columns = order(plan.columns, links)
    heights = [station.height for station in plan.stations]
    y = place(columns, links, heights, [station.pull for station in plan.stations], CLEAR)
    top = min(y[s] - heights[s] / 2 for s in range(len(y))) - BORDER
    y = [height - top for height in y]
    column_of = {station: c for c, column in enumerate(columns) for station in column}
    at = [column_of[station] for station in range(len(y))]
    sides, width = _columns_across(columns, plan, links, y, at)
    boxes = [
        Box(sum(sides[at[i]]) / 2, y[i], station.width, station.height) for i, station in enumerate(plan.stations)
    ]
    ports = _port_heights(plan, y)
    lines = tuple(
        _line(route, boxes, sides, at, ports[i, True], ports[i, False]) for i, route in enumerate(plan.routes)
    )
    nodes = tuple(_node(plan, node, boxes[node]) for node in range(plan.count + 1))
    return Layout(width, max(box.bottom for box in boxes) + BORDER, nodes, lines)


def _columns_across(
    columns: list[list[int]], plan: _Plan, links: list[tuple[int, int]], y: list[float], at: list[int]
) -> tuple[list[tuple[float, float]], float]:
    """Left and right side of each column, and the width of all; steep curves get a wider gap."""
    steepest = [0.0] * len(columns)
    for a, b in links:
        steepest[at[a]] = max(steepest[at[a]], abs(y[a] - y[b]))
    x, sides = BORDER, []
    for c, column in enumerate(columns):
        width = max((plan.stations[station].width for station in column), default=0.0)
        sides.append((x, x + width))
        x += width + min(WIDEST_GAP, max(GAP, 0.35 * steepest[c]))
    return sides, sides[-1][1] + BORDER


def _port_heights(plan: _Plan, y: list[float]) -> dict[tuple[int, bool], float]:
    """The height at which each route leaves (True) and enters (False) its nodes; lines do not cross at a node."""
    meetings: dict[tuple[int, bool], list[tuple[float, int]]] = {}
    for i, route in enumerate(plan.routes):
        meetings.setdefault((route.stations[0], True), []).append((y[route.stations[1]], i))
        meetings.setdefault((route.stations[-1], False), []).append((y[route.stations[-2]], i))
    ports = {}
    for (node, leaves), found in meetings.items():
        for rank, (_, i) in enumerate(sorted(found)):
            ports[i, leaves] = y[node] + PORT * (rank - (len(found) - 1) / 2)
    return ports


def _line(
    route: _Route,
    boxes: list[Box],
    sides: list[tuple[float, float]],
    columns: list[int],
    leave: float,
    enter: float,
) -> EdgeLine:
    """The line of a route.

    Args:
        route: the stations on the way.
        boxes: of all stations.
        sides: left and right side of each column.
        columns: the column of each station.
        leave: height at which it leaves its source, in pixels.
        enter: height at which it enters its target, in pixels.
    """
    first, last = route.stations[0], route.stations[-1]
    # A node may be narrower than its column: the line goes straight on to the column's side.
    start = (boxes[first].right, leave)
    points: list[Point] = [start, start, (sides[columns[first]][1], leave)]
    for station in route.stations[1:-1]:
        left, right = sides[columns[station]]
        points += [(left, boxes[station].y), (right, boxes[station].y)]
    points += [(sides[columns[last]][0], enter), (boxes[last].left, enter)]
    counted = "concat" if route.primitive is None else kind_of(route.primitive)
    kind: Kind = "parametrised" if counted == "none" else counted
    label = None if route.label is None else boxes[route.label]
    return EdgeLine(route.source, route.target, route.primitive, kind, tuple(points), label)


def _node(plan: _Plan, node: int, box: Box) -> NodeBox:
    if node == plan.output:
        return NodeBox(None, "output", "output", box)
    if node < plan.inputs:
        return NodeBox(node, "input", f"input {node}", box)
    return NodeBox(node, "inner", str(node), box)
