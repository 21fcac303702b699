"""Derivation: from architecture parameters to a genotype."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from edgewise.methods.arch import ArchParameters
from edgewise.methods.relaxation import Softmax
from edgewise.spaces.genotype import Cell, Edge, Genotype
from edgewise.spaces.space import CellSpace


@dataclass(frozen=True)
class TopEdges:
    """For each node, the edges with the strongest primitive, each with that primitive; `none` never counts.

    The strength is softmax(alpha), times softmax(beta) over the edges into the node where there is a beta. Equal
    strengths: the earlier edge, the earlier primitive.

    Source: DARTS §2.4; PC-DARTS, `genotype()` of the authors' code.
    """

    kind: Literal["top_edges"] = "top_edges"

    def cell(self, strengths: Tensor, space: CellSpace) -> Cell:
        """Derives one cell.

        Args:
            strengths: [edges, primitives], on the CPU.
            space: the space; says how many edges a node keeps.
        """
        columns = [i for i, primitive in enumerate(space.primitives) if primitive != "none"]
        best = [max(columns, key=lambda column, row=row: row[column]) for row in strengths.tolist()]
        edges = []
        for node in space.concat:
            ranked = sorted(space.topology.into(node), key=lambda e: -float(strengths[e, best[e]]))
            for e in ranked[: space.edges_per_node]:
                edges.append(Edge(node, space.topology.edges[e][0], space.primitives[best[e]]))
        return Cell(space.topology.inputs, space.topology.nodes, tuple(edges), space.concat)


def derive(
    space: CellSpace, arch: ArchParameters, relaxation: Softmax, derivation: TopEdges, *, source: str | None = None
) -> Genotype:
    """Derives the genotype that the architecture parameters stand for.

    Args:
        space: the space.
        arch: alpha and beta.
        relaxation: turns alpha into strengths.
        derivation: the rule.
        source: where the genotype comes from; written into it.

    Raises:
        NonFiniteError: an entry of alpha or beta is not finite.
    """
    arch.check_finite("when the cells were derived")
    with torch.no_grad():
        edge_weights = arch.edge_weights()
        cells = {}
        for name, alpha in arch.alpha.items():
            strengths = relaxation.strengths(alpha)
            if edge_weights is not None:
                strengths = strengths * edge_weights[name].unsqueeze(-1)
            cells[name] = derivation.cell(strengths.cpu(), space)
    return Genotype(space.name, cells, source)
