"""A genotype as a tuple of choices of fixed length, for controllers, and its neighbours, for mutation."""

from __future__ import annotations

import random
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Literal

from edgewise.errors import ConfigError, GenotypeError
from edgewise.spaces.cells import Cell, Edge
from edgewise.spaces.genotype import Genotype
from edgewise.spaces.space import SPACES, CellSpace


@dataclass(frozen=True)
class Decision:
    """One choice.

    Args:
        cell_type: the cell that it is about.
        node: the inner node.
        slot: which of the node's incoming edges, from 0.
        kind: "source": which earlier node the edge comes from, counted among those that are left where a node may
            not hear a source twice. "primitive": which of the edge's derivable primitives.
        options: how many there are at most; how many are open may depend on earlier choices, see `open_options`.
    """

    cell_type: str
    node: int
    slot: int
    kind: Literal["source", "primitive"]
    options: int


def decisions(space: CellSpace) -> tuple[Decision, ...]:
    """The choices that make a genotype, cell by cell and node by node: a node's sources, then its primitives.

    A node that keeps all of its edges has no choice of sources.

    Args:
        space: any space.

    Source: the order of NASNet's controller (Zoph et al. 2018, §3), inputs before operations.
    """
    return _decisions(_Key(space))


class _Key:
    """Spaces hold mappings; the cache goes by identity, and keeps the space alive."""

    def __init__(self, space: CellSpace) -> None:
        self.space = space

    def __hash__(self) -> int:
        return id(self.space)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Key) and self.space is other.space


@cache
def _decisions(key: _Key) -> tuple[Decision, ...]:
    space = key.space
    found = []
    for cell_type in space.cell_types:
        for node in space.inner:
            into = space.topology.into(node)
            slots = range(space.keeps(node))
            if _chooses_sources(space, node):
                taken = 0 if space.repeats else 1
                found += [Decision(cell_type, node, s, "source", len(into) - s * taken) for s in slots]
                most = max(len(space.derivable_on(cell_type, edge)) for edge in into)
                found += [Decision(cell_type, node, s, "primitive", most) for s in slots]
            else:
                found += [
                    Decision(cell_type, node, s, "primitive", len(space.derivable_on(cell_type, edge)))
                    for s, edge in enumerate(into)
                ]
    return tuple(found)


def _chooses_sources(space: CellSpace, node: int) -> bool:
    return space.repeats or space.keeps(node) < len(space.topology.into(node))


def open_options(space: CellSpace, choices: Sequence[int]) -> int:
    """How many options the next decision has, after these choices; a controller masks the rest.

    Args:
        space: any space.
        choices: of the first decisions.
    """
    if space.allowed is None:
        return decisions(space)[len(choices)].options
    decision = decisions(space)[len(choices)]
    if decision.kind == "source":
        return decision.options
    return len(space.derivable_on(decision.cell_type, _edge_of(space, choices, decision)))


def _edge_of(space: CellSpace, choices: Sequence[int], decision: Decision) -> int:
    into = list(space.topology.into(decision.node))
    if not _chooses_sources(space, decision.node):
        return into[decision.slot]
    first = len(choices) - decision.slot - space.keeps(decision.node)
    return _picked(space, into, choices[first : first + space.keeps(decision.node)])[decision.slot]


def _picked(space: CellSpace, into: Sequence[int], choices: Iterable[int]) -> list[int]:
    """Choices of sources as edges: each counts among those that are left."""
    left, edges = list(into), []
    for choice in choices:
        edges.append(left[choice])
        if not space.repeats:
            left.remove(edges[-1])
    return edges


def genotype_of(space: CellSpace, choices: Sequence[int], *, source: str | None = None) -> Genotype:
    """The genotype that these choices make; two orders of a node's edges make the same one.

    Args:
        space: any space.
        choices: one for each of `decisions(space)`, from 0.
        source: where the genotype comes from.

    Raises:
        ConfigError: there are too few or too many choices, or one is out of range.
    """
    _check(space, choices)
    edges: dict[str, list[Edge]] = {cell_type: [] for cell_type in space.cell_types}
    at = 0
    for cell_type in space.cell_types:
        for node in space.inner:
            keeps, picked = space.keeps(node), list(space.topology.into(node))
            if _chooses_sources(space, node):
                picked = _picked(space, picked, choices[at : at + keeps])
                at += keeps
            for edge in picked:
                primitive = space.derivable_on(cell_type, edge)[choices[at]]
                edges[cell_type].append(Edge(node, space.topology.edges[edge][0], primitive))
                at += 1
    return Genotype(space.name, {name: cell_of(space, some) for name, some in edges.items()}, source)


def _check(space: CellSpace, choices: Sequence[int]) -> None:
    wanted = decisions(space)
    if len(choices) != len(wanted):
        raise ConfigError(f"space {space.name} takes {len(wanted)} choices, found {len(choices)}")
    for i, decision in enumerate(wanted):
        most = decision.options if space.allowed is None else open_options(space, choices[:i])
        if not 0 <= choices[i] < most:
            raise ConfigError(
                f"choice {i} of space {space.name} is {choices[i]}; the {decision.kind} of edge {decision.slot} "
                f"into node {decision.node} has the options 0 to {most - 1}"
            )


def choices_of(genotype: Genotype, space: CellSpace | None = None) -> tuple[int, ...]:
    """The choices that make a genotype, with the edges of each node in their order.

    Args:
        genotype: a valid one.
        space: its space, where that is none of `SPACES`.

    Raises:
        GenotypeError: its cells leave nodes out of their output that nobody hears, or the other way round.
    """
    space = space or SPACES[genotype.space]
    choices = []
    for cell_type in space.cell_types:
        cell = genotype.cells[cell_type]
        if cell != cell_of(space, cell.edges):
            raise GenotypeError(
                f"the {cell_type} cell outputs the nodes {list(cell.concat)}; choices stand for cells that output "
                f"{list(cell_of(space, cell.edges).concat)}"
            )
        for node in space.inner:
            into = space.topology.into(node)
            edges = [(into[_place(space, into, edge)], edge.primitive) for edge in cell.into(node)]
            if _chooses_sources(space, node):
                left = list(into)
                for edge, _ in edges:
                    choices.append(left.index(edge))
                    if not space.repeats:
                        left.remove(edge)
            choices += [space.derivable_on(cell_type, edge).index(primitive) for edge, primitive in edges]
    return tuple(choices)


def _place(space: CellSpace, into: Sequence[int], edge: Edge) -> int:
    return [space.topology.edges[i][0] for i in into].index(edge.source)


def cell_of(space: CellSpace, edges: Iterable[Edge]) -> Cell:
    """A cell of these edges; where the space leaves its output free, it is the nodes that nobody hears.

    Source of the output: NASNet, Zoph et al. 2018, §3 (all unused hidden states are concatenated).
    """
    kept = tuple(edges)
    concat = space.concat
    if space.free_concat:
        heard = {edge.source for edge in kept}
        concat = tuple(node for node in space.inner if node not in heard)
    return Cell(space.topology.inputs, space.topology.nodes, kept, concat)


def random_choices(space: CellSpace, rng: random.Random) -> tuple[int, ...]:
    """Every choice drawn uniformly among the open options."""
    choices: list[int] = []
    for _ in decisions(space):
        choices.append(rng.randrange(open_options(space, choices)))
    return tuple(choices)


def neighbour(genotype: Genotype, space: CellSpace, rng: random.Random) -> Genotype:
    """A genotype that differs in one edge: another primitive, or another source with the primitive kept.

    Which it is, is drawn uniformly among all edges' primitives and sources that have an alternative. A primitive
    that the new edge may not carry is drawn anew.

    Args:
        genotype: of `space`.
        space: any space.
        rng: what is drawn from.

    Source: Real et al. 2019, §2.2 (hidden state and op mutation), without the identity mutation.
    """
    places = [
        (cell_type, i, kind)
        for cell_type in space.cell_types
        for i in range(len(genotype.cells[cell_type].edges))
        for kind in ("source", "primitive")
    ]
    while places:
        cell_type, i, kind = places.pop(rng.randrange(len(places)))
        edges = list(genotype.cells[cell_type].edges)
        others = _alternatives(space, cell_type, edges, i, kind)
        if others:
            edges[i] = rng.choice(others)
            cells = {**genotype.cells, cell_type: cell_of(space, edges)}
            return Genotype(space.name, cells, genotype.source)
    return genotype


def _alternatives(space: CellSpace, cell_type: str, edges: Sequence[Edge], i: int, kind: str) -> list[Edge]:
    old = edges[i]
    into = space.topology.into(old.target)
    places = {space.topology.edges[edge][0]: edge for edge in into}
    if kind == "primitive":
        own = space.derivable_on(cell_type, places[old.source])
        return [Edge(old.target, old.source, primitive) for primitive in own if primitive != old.primitive]
    taken = {old.source} if space.repeats else {edge.source for edge in edges if edge.target == old.target}
    moved = []
    for source, edge in places.items():
        own = space.derivable_on(cell_type, edge)
        if source not in taken:
            kept = [old.primitive] if old.primitive in own else own
            moved += [Edge(old.target, source, primitive) for primitive in kept]
    return moved
