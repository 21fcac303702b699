"""A cell as an SVG picture."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from typing import Any

from edgewise.report.geometry import EdgeLine, Layout, NodeBox, Point
from edgewise.report.layout import CHARACTER, lay_out

# Colours of a picture that stands alone; the page's style sheet overrides them by class.
COLOURS = {"skip": "#a34a00", "pool": "#0b6e5e", "parametrised": "#1f5fbf", "concat": "#8a94a3"}
FILLS = {"skip": "#fdeee0", "pool": "#e2f4ef", "parametrised": "#e8f0fc"}
# Colour is not the only sign: skips are dashed and pools dotted.
DASHES = {"skip": "7 4", "pool": "2 4"}
MONO = "ui-monospace,SFMono-Regular,Menlo,Consolas,'DejaVu Sans Mono',monospace"


def draw_cell(cell_json: Mapping[str, Any], *, title: str) -> str:
    """Draws a cell: nodes in columns by longest path, operations on the edges, nothing overlapping.

    Edges that carry `none` are left out.

    Args:
        cell_json: a cell of a genotype's JSON: inputs, nodes, edges, concat.
        title: the picture's name, for readers who can't see it.

    Returns:
        An `<svg>` element that also stands alone as a file.
    """
    layout = lay_out(cell_json)
    size = f'width="{layout.width:.0f}" height="{layout.height:.0f}"'
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" class="cell" role="img" {size} '
        f'viewBox="0 0 {layout.width:.1f} {layout.height:.1f}">',
        f"<title>{escape(title)}</title>",
        f"<desc>{escape(describe(layout))}</desc>",
        *(_path(line) for line in sorted(layout.lines, key=lambda line: line.kind != "concat")),
        *(_label(line) for line in layout.lines if line.label is not None),
        *(_node(node) for node in layout.nodes),
        "</svg>",
    ]
    return "".join(parts)


def describe(layout: Layout) -> str:
    """The cell in words: each edge with its operation, then the output."""
    edges = [line for line in layout.lines if line.target is not None]
    edges.sort(key=lambda line: (line.target or 0, line.source))
    inputs = {node.node: node.text for node in layout.nodes if node.kind == "input"}
    words = [f"{inputs.get(line.source, line.source)} to {line.target}: {line.primitive}" for line in edges]
    outputs = [str(line.source) for line in layout.lines if line.target is None]
    output = f"nodes {', '.join(outputs)} concatenated" if len(outputs) > 1 else f"node {outputs[0]}"
    return "; ".join([*words, f"output: {output}"])


def _number(value: float) -> str:
    return f"{value:.1f}".removesuffix(".0")


def _at(point: Point) -> str:
    return f"{_number(point[0])} {_number(point[1])}"


def _path(line: EdgeLine) -> str:
    commands = [f"M{_at(line.points[0])}"]
    for i, (start, end) in enumerate(zip(line.points, line.points[1:], strict=False)):
        if start == end:
            continue
        if i % 2 or abs(start[1] - end[1]) < 0.05:
            commands.append(f"L{_at(end)}")
        else:
            middle = (start[0] + end[0]) / 2
            commands.append(f"C{_at((middle, start[1]))} {_at((middle, end[1]))} {_at(end)}")
    dash = f' stroke-dasharray="{DASHES[line.kind]}"' if line.kind in DASHES else ""
    colour = COLOURS[line.kind]
    x, y = line.points[-1]
    head = f"M{_at((x, y))}l-7 -3.5v7z"
    width = "1.2" if line.kind == "concat" else "1.8"
    return (
        f'<path class="line {line.kind}" fill="none" stroke="{colour}" stroke-width="{width}"{dash} '
        f'd="{"".join(commands)}"/><path class="head {line.kind}" fill="{colour}" d="{head}"/>'
    )


def _label(line: EdgeLine) -> str:
    assert line.label is not None
    assert line.primitive is not None
    box = line.label
    colour = COLOURS[line.kind]
    # textLength keeps the text inside its box whatever font is there.
    return (
        f'<g class="label {line.kind}"><title>{line.source} to {line.target}: {escape(line.primitive)}</title>'
        f'<rect x="{_number(box.left)}" y="{_number(box.top)}" width="{_number(box.width)}" '
        f'height="{_number(box.height)}" rx="5" fill="{FILLS[line.kind]}" stroke="{colour}"/>'
        f'<text x="{_number(box.x)}" y="{_number(box.y + 3.7)}" text-anchor="middle" font-size="11" '
        f'font-family="{MONO}" textLength="{_number(CHARACTER * len(line.primitive))}" '
        f'lengthAdjust="spacingAndGlyphs" fill="{colour}">{escape(line.primitive)}</text></g>'
    )


def _node(node: NodeBox) -> str:
    box = node.box
    return (
        f'<g class="node {node.kind}"><rect x="{_number(box.left)}" y="{_number(box.top)}" '
        f'width="{_number(box.width)}" height="{_number(box.height)}" rx="7" fill="#ffffff" stroke="#3b4554" '
        f'stroke-width="1.4"/><text x="{_number(box.x)}" y="{_number(box.y + 4.2)}" text-anchor="middle" '
        f'font-size="12" font-weight="600" font-family="system-ui,sans-serif" fill="#1c2430">'
        f"{escape(node.text)}</text></g>"
    )
