"""What a search finds: for each cell type, which primitive stands on which edge."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from edgewise.errors import GenotypeError
from edgewise.spaces.primitives import kind_of

FORMAT = "edgewise.genotype/1"
NONE = "none"


@dataclass(frozen=True, order=True)
class Edge:
    """One connection of a cell: `primitive` is applied to node `source` and added to node `target`."""

    target: int
    source: int
    primitive: str


@dataclass(frozen=True)
class Cell:
    """The edges of one cell type, sorted by target and source, and the nodes that its output concatenates."""

    inputs: int
    nodes: int
    edges: tuple[Edge, ...]
    concat: tuple[int, ...]

    def __post_init__(self) -> None:
        object.__setattr__(self, "edges", tuple(sorted(self.edges)))
        object.__setattr__(self, "concat", tuple(self.concat))

    @staticmethod
    def from_pairs(pairs: Sequence[tuple[str, int]], concat: Iterable[int], inputs: int = 2) -> Cell:
        """Reads the notation of DARTS: two `(primitive, source)` pairs for each node in turn."""
        edges = [
            Edge(target=inputs + i // 2, source=source, primitive=primitive)
            for i, (primitive, source) in enumerate(pairs)
        ]
        return Cell(inputs, len(pairs) // 2, tuple(edges), tuple(concat))

    def into(self, node: int) -> tuple[Edge, ...]:
        """The edges into `node`."""
        return tuple(edge for edge in self.edges if edge.target == node)

    @property
    def skips(self) -> int:
        """How many edges carry a skip connection."""
        return sum(kind_of(edge.primitive) == "skip" for edge in self.edges)

    @property
    def pools(self) -> int:
        """How many edges carry a pool."""
        return sum(kind_of(edge.primitive) == "pool" for edge in self.edges)

    @property
    def parametrised(self) -> int:
        """How many edges carry an operation with weights."""
        return len(self.connected) - self.skips - self.pools

    @property
    def connected(self) -> tuple[Edge, ...]:
        """The edges that carry something: all but those with `none`."""
        return tuple(edge for edge in self.edges if edge.primitive != NONE)

    @property
    def depth(self) -> int:
        """The longest path from a cell input to a node, in edges; `none` connects nothing."""
        depth = dict.fromkeys(range(self.inputs), 0)
        for edge in self.connected:  # Sorted by target, so that a source is done before it is asked for.
            if edge.source in depth:
                depth[edge.target] = max(depth.get(edge.target, 0), depth[edge.source] + 1)
        return max(depth.values(), default=0)

    @property
    def width(self) -> int:
        """How many nodes hear a cell input directly; `none` connects nothing."""
        return len({edge.target for edge in self.connected if edge.source < self.inputs})

    def statistics(self) -> dict[str, int]:
        """Skips, pools, parametrised operations, depth and width, as the report prints them."""
        return {
            "skips": self.skips,
            "pools": self.pools,
            "parametrised": self.parametrised,
            "depth": self.depth,
            "width": self.width,
        }


def cell_name(cell_type: str) -> str:
    """What people call a cell type: normal cell, reduction cell, or cell where there is only one."""
    return {"reduce": "reduction cell", "cell": "cell"}.get(cell_type, f"{cell_type} cell")


def describe_cell(statistics: Mapping[str, int]) -> str:
    """Skips, pools, parametrised operations and depth of `Cell.statistics`, in words."""
    return (
        f"{statistics['skips']} skip, {statistics['pools']} pool, {statistics['parametrised']} parametrised, "
        f"depth {statistics['depth']}"
    )


@dataclass(frozen=True)
class Genotype:
    """A cell for every cell type of a space; equal cells make equal genotypes, whatever their source."""

    space: str
    cells: Mapping[str, Cell]
    source: str | None = field(default=None, compare=False)

    def __hash__(self) -> int:
        return hash((self.space, tuple(sorted(self.cells.items(), key=lambda item: item[0]))))

    def statistics(self) -> dict[str, dict[str, int]]:
        """The statistics of each cell type."""
        return {name: cell.statistics() for name, cell in self.cells.items()}

    def to_dict(self) -> dict[str, Any]:
        """The genotype as plain JSON types (format edgewise.genotype/1)."""
        return {
            "format": FORMAT,
            "space": self.space,
            "source": self.source,
            "cells": {
                name: {
                    "inputs": cell.inputs,
                    "nodes": cell.nodes,
                    "edges": [
                        {"source": e.source, "target": e.target, "primitive": e.primitive} for e in cell.edges
                    ],
                    "concat": list(cell.concat),
                }
                for name, cell in self.cells.items()
            },
        }

    def to_json(self) -> str:
        """The genotype as a JSON text with an edge a line."""
        text = json.dumps(self.to_dict(), indent=1)
        return text.replace("{\n     ", "{").replace(",\n     ", ", ").replace("\n    }", "}") + "\n"

    @staticmethod
    def from_dict(data: Any, *, where: str = "genotype") -> Genotype:
        """Reads a genotype and validates it against its space.

        Args:
            data: what `json.loads` gave.
            where: a name for the data in error messages, such as the file's.

        Raises:
            GenotypeError: the data are no genotype, or do not fit their space; every fault is named.
        """
        from edgewise.spaces.validation import parse_genotype

        return parse_genotype(data, where=where)

    @staticmethod
    def from_json(text: str, *, where: str = "genotype") -> Genotype:
        """Reads `to_json`'s text; see `from_dict`."""
        try:
            data = json.loads(text)
        except json.JSONDecodeError as error:
            raise GenotypeError(
                f"{where} is not JSON: {error.msg} at line {error.lineno}, column {error.colno}; "
                "a genotype is a file that `edgewise derive` or `edgewise search` wrote"
            ) from None
        except (ValueError, RecursionError) as error:
            raise GenotypeError(f"{where} can't be read as a genotype: {error}") from None
        return Genotype.from_dict(data, where=where)

    @staticmethod
    def from_text(text: str, *, where: str = "genotype", name: str | None = None) -> Genotype:
        """Reads JSON, DARTS' `Genotype(...)` or NAS-Bench-201's string; see `genotype_from_text`."""
        from edgewise.spaces.notation import genotype_from_text

        return genotype_from_text(text, where=where, name=name)

    @staticmethod
    def from_file(path: Path, *, name: str | None = None) -> Genotype:
        """Reads a file that holds what `from_text` reads; see `genotype_from_file`."""
        from edgewise.spaces.notation import genotype_from_file

        return genotype_from_file(path, name)
