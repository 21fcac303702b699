"""What a search finds: for each cell type, which primitive stands on which edge."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from edgewise.errors import GenotypeError
from edgewise.spaces.cells import Cell
from edgewise.spaces.space import SPACES
from edgewise.spaces.validation import cell_faults, parse_cell

FORMAT = "edgewise.genotype/1"


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
        faults: list[str] = []
        if not isinstance(data, dict) or data.get("format") != FORMAT:
            found = data.get("format", "no format") if isinstance(data, dict) else type(data).__name__
            raise GenotypeError(f'{where}: expected an object with "format": "{FORMAT}", found {found!r}')
        space = SPACES.get(str(data.get("space")))
        if space is None:
            raise GenotypeError(
                f"{where}: unknown space {data.get('space')!r}; known spaces: {', '.join(SPACES)}; a plug-in's "
                "space needs the plug-in (--plugin)"
            )
        raw_cells = data.get("cells")
        if not isinstance(raw_cells, dict) or set(raw_cells) != set(space.cell_types):
            found = sorted(raw_cells) if isinstance(raw_cells, dict) else type(raw_cells).__name__
            raise GenotypeError(
                f"{where}: space {space.name} has the cells {', '.join(space.cell_types)}; found {found}"
            )
        cells = {}
        for name in space.cell_types:
            cell = parse_cell(raw_cells[name], f"cells.{name}", faults)
            if cell is not None:
                faults += [f"cells.{name}: {fault}" for fault in cell_faults(cell, space, cell_type=name)]
                cells[name] = cell
        if faults:
            lines = "\n".join(f"  - {fault}" for fault in faults)
            raise GenotypeError(f"{where} is not a valid genotype of space {space.name}:\n{lines}")
        source = data.get("source")
        return Genotype(space.name, cells, str(source) if source is not None else None)

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


def validate(genotype: Genotype) -> Genotype:
    """Returns `genotype` unchanged if it fits its space.

    Raises:
        GenotypeError: it does not; every fault is named.
    """
    return Genotype.from_dict(genotype.to_dict())
