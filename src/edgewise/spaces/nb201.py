"""NAS-Bench-201's own notation: `|op~0|+|op~0|op~1|+|op~0|op~1|op~2|`, and all cells of the space."""

from __future__ import annotations

from collections.abc import Iterator
from difflib import get_close_matches
from itertools import product

from edgewise.errors import GenotypeError
from edgewise.spaces.cells import Cell, Edge
from edgewise.spaces.genotype import Genotype
from edgewise.spaces.space import NB201

CELL = NB201.cell_types[0]
FORM = "|op~0|+|op~0|op~1|+|op~0|op~1|op~2|"


def to_string(genotype: Genotype) -> str:
    """A genotype in the benchmark's notation: nodes joined by `+`, each a list of `primitive~source`.

    Args:
        genotype: of the space nb201, valid.

    Raises:
        GenotypeError: the genotype is another space's.

    Source: NAS-Bench-201, `Structure.tostr` of the authors' code.
    """
    if genotype.space != NB201.name:
        raise GenotypeError(
            f"a genotype of space {genotype.space} has no string of NAS-Bench-201: give one of space {NB201.name}"
        )
    cell = genotype.cells[CELL]
    nodes = ("".join(f"{edge.primitive}~{edge.source}|" for edge in cell.into(node)) for node in NB201.inner)
    return "+".join(f"|{node}" for node in nodes)


def from_string(text: str, *, source: str | None = None) -> Genotype:
    """Reads `to_string`'s notation; the edges of a node may stand in any order.

    Args:
        text: the string.
        source: where the genotype comes from; the string itself unless given.

    Raises:
        GenotypeError: the string is no cell of the space; says what is wrong, and where.
    """
    parts = text.strip().split("+")
    if len(parts) != len(NB201.inner):
        raise _refusal(text, f"it has {len(parts)} nodes joined by `+`, expected {len(NB201.inner)}")
    edges = [edge for node, part in zip(NB201.inner, parts, strict=True) for edge in _edges_into(node, part, text)]
    return _genotype(edges, text.strip() if source is None else source)


def all_genotypes() -> Iterator[Genotype]:
    """All 15,625 genotypes, always in the same order: edges as in the string, the last one changing fastest."""
    topology = NB201.topology
    for primitives in product(NB201.primitives, repeat=len(topology.edges)):
        edges = [Edge(t, s, primitive) for (s, t), primitive in zip(topology.edges, primitives, strict=True)]
        yield _genotype(edges, "all cells of NAS-Bench-201")


def _genotype(edges: list[Edge], source: str) -> Genotype:
    cell = Cell(NB201.topology.inputs, NB201.topology.nodes, tuple(edges), NB201.concat)
    return Genotype(NB201.name, {CELL: cell}, source)


def _edges_into(node: int, part: str, text: str) -> list[Edge]:
    """The edges into a node, written as `|op~0|op~1|`."""
    if len(part) < 2 or not (part.startswith("|") and part.endswith("|")):
        raise _refusal(text, f"node {node} is {_cut(part)}, and a node begins and ends with `|`")
    edges = []
    for item in part[1:-1].split("|"):
        primitive, mark, source = item.partition("~")
        if not mark:
            raise _refusal(text, f"node {node} has the edge {_cut(item)}, expected primitive~source")
        if primitive not in NB201.primitives:
            near = get_close_matches(primitive, NB201.primitives, 1)
            hint = f"did you mean {near[0]!r}?" if near else f"known: {', '.join(NB201.primitives)}"
            raise _refusal(text, f"node {node} has the unknown primitive {_cut(primitive)}; {hint}")
        if source not in map(str, range(node)):
            raise _refusal(text, f"node {node} hears {_cut(source)}, expected an earlier node, 0 to {node - 1}")
        edges.append(Edge(node, int(source), primitive))
    sources = sorted(edge.source for edge in edges)
    if sources != list(range(node)):
        raise _refusal(
            text, f"node {node} hears {_cut(str(sources))[1:-1]}, expected each of {list(range(node))} once"
        )
    return edges


def _cut(text: str, most: int = 60) -> str:
    return repr(text if len(text) <= most else f"{text[: most - 3]}...")


def _refusal(text: str, what: str) -> GenotypeError:
    return GenotypeError(f"{_cut(text, 120)} is no cell of NAS-Bench-201 ({FORM}): {what}")
