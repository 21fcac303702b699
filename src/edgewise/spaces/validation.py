"""Reads cells from untrusted data and names everything that is wrong with them."""

from __future__ import annotations

from difflib import get_close_matches
from typing import Any

from edgewise.spaces.cells import Cell, Edge
from edgewise.spaces.space import CellSpace


def _is_index(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def parse_cell(raw: Any, path: str, faults: list[str]) -> Cell | None:
    """A cell from plain JSON types; None where it is none, with what is wrong added to the faults.

    Args:
        raw: what `json.loads` gave.
        path: where it stands, for messages.
        faults: grows.
    """
    if not isinstance(raw, dict):
        faults.append(f"{path}: expected an object, found {type(raw).__name__}")
        return None
    before = len(faults)
    for key in ("inputs", "nodes"):
        if not _is_index(raw.get(key)):
            faults.append(f"{path}.{key}: expected a whole number, found {raw.get(key)!r}")
    concat = raw.get("concat")
    if not isinstance(concat, list) or not all(_is_index(node) for node in concat):
        faults.append(f"{path}.concat: expected a list of node numbers, found {concat!r}")
    edges = []
    raw_edges = raw.get("edges")
    if not isinstance(raw_edges, list):
        faults.append(f"{path}.edges: expected a list, found {raw_edges!r}")
        return None
    for i, edge in enumerate(raw_edges):
        fits = isinstance(edge, dict) and _is_index(edge.get("source")) and _is_index(edge.get("target"))
        if not fits or not isinstance(edge.get("primitive"), str):
            faults.append(f"{path}.edges[{i}]: expected source, target and primitive, found {edge!r}")
        else:
            edges.append(Edge(edge["target"], edge["source"], edge["primitive"]))
    if len(faults) > before or not isinstance(concat, list):
        return None
    return Cell(raw["inputs"], raw["nodes"], tuple(edges), tuple(concat))


def cell_faults(cell: Cell, space: CellSpace, *, cell_type: str | None = None) -> list[str]:
    """Everything in which `cell` breaks the rules of `space`, a sentence each; empty for a valid cell."""
    topology = space.topology
    if (cell.inputs, cell.nodes) != (topology.inputs, topology.nodes):
        return [
            f"has {cell.inputs} inputs and {cell.nodes} nodes; "
            f"space {space.name} has {topology.inputs} and {topology.nodes}"
        ]
    faults = [
        fault for edge in cell.edges for fault in _edge_faults(edge, space, cell_type or space.cell_types[0])
    ]
    for node in space.inner:
        count = len(cell.into(node))
        if count != space.keeps(node):
            faults.append(f"node {node} has {count} incoming edges; expected {space.keeps(node)}")
        sources = [edge.source for edge in cell.into(node)]
        if len(set(sources)) != len(sources) and not space.repeats:
            faults.append(f"node {node} takes the same source twice: {sources}")
    if space.free_concat:
        outside = sorted(set(cell.concat) - set(space.inner))
        if outside or not cell.concat or len(set(cell.concat)) != len(cell.concat):
            faults.append(f"concat {list(cell.concat)} must name inner nodes, once each")
    elif cell.concat != space.concat:
        faults.append(f"concat is {list(cell.concat)}; expected {list(space.concat)}")
    return faults


def _edge_faults(edge: Edge, space: CellSpace, cell_type: str) -> list[str]:
    faults = []
    name = f"edge {edge.source}->{edge.target}"
    if edge.primitive == "none" and not space.derives_none:
        faults.append(f"{name}: `none` can't stand in a derived cell")
    elif edge.primitive not in space.primitives:
        near = get_close_matches(edge.primitive, space.derivable, 1)
        hint = f"did you mean {near[0]!r}?" if near else f"known: {', '.join(space.derivable)}"
        faults.append(f"{name}: unknown primitive {edge.primitive!r}; {hint}")
    last = space.inner[-1]
    if edge.target < space.topology.inputs or edge.target > last:
        faults.append(f"{name}: the target must be an inner node, {space.inner[0]} to {last}")
    elif edge.source >= edge.target:
        faults.append(f"{name}: the source must be an earlier node than the target")
    elif space.allowed is not None and edge.primitive in space.derivable:
        own = space.derivable_on(cell_type, space.topology.edges.index((edge.source, edge.target)))
        if edge.primitive not in own:
            faults.append(f"{name}: {edge.primitive!r} is not for this edge, which may carry {', '.join(own)}")
    return faults
