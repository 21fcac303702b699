"""Derivation: from architecture parameters to a genotype."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, Literal

import torch
from torch import Tensor

from edgewise.config.limits import TimesOrNone
from edgewise.methods.arch import ArchParameters
from edgewise.methods.part import Part
from edgewise.methods.relaxation import Relaxation
from edgewise.spaces.cells import Cell, Edge
from edgewise.spaces.genotype import Genotype
from edgewise.spaces.primitives import kind_of
from edgewise.spaces.space import CellSpace


class Derivation(Part):
    """From the strength of every primitive to cells."""

    def cell(self, strengths: Tensor, space: CellSpace, cell_type: str = "normal") -> Cell:
        """Derives one cell.

        Args:
            strengths: [edges, primitives], on the CPU.
            space: the space; says how many edges a node keeps.
            cell_type: which cell it is.
        """
        raise NotImplementedError


@dataclass(frozen=True)
class TopEdges(Derivation):
    """For each node, the edges with the strongest primitive, each with that primitive.

    `none` never counts, but in a space whose cells may carry it (NAS-Bench-201), where every edge stays.

    The strength is softmax(alpha), times softmax(beta) over the edges into the node where there is a beta. Equal
    strengths: the earlier edge, the earlier primitive.

    Source: DARTS §2.4; PC-DARTS, `genotype()` of the authors' code.
    """

    kind: Literal["top_edges"] = "top_edges"

    def cell(self, strengths: Tensor, space: CellSpace, cell_type: str = "normal") -> Cell:
        """Derives one cell; this rule treats all types of cells alike."""
        columns = [i for i, primitive in enumerate(space.primitives) if primitive in space.derivable]
        best = [max(columns, key=lambda column, row=row: row[column]) for row in strengths.tolist()]
        edges = []
        for node in space.inner:
            ranked = sorted(space.topology.into(node), key=lambda e: -float(strengths[e, best[e]]))
            for e in ranked[: space.keeps(node)]:
                edges.append(Edge(node, space.topology.edges[e][0], space.primitives[best[e]]))
        return Cell(space.topology.inputs, space.topology.nodes, tuple(edges), space.concat)


@dataclass(frozen=True)
class SkipLimit(Derivation):
    """As `TopEdges`, with at most so many skip connections in the normal cell, or in the only one there is.

    While there are more, the weakest of them is struck from its edge and the cell derived again.

    Args:
        at_most: skip connections that the cell may keep.

    Source: P-DARTS §3.3.2, train_search.py of the authors' code.
    """

    at_most: TimesOrNone = 2
    kind: Literal["skip_limit"] = "skip_limit"
    sources: ClassVar[tuple[str, ...]] = ("p-darts",)

    def cell(self, strengths: Tensor, space: CellSpace, cell_type: str = "normal") -> Cell:
        """See `Derivation.cell`."""
        cell = TopEdges().cell(strengths, space, cell_type)
        if cell_type != space.cell_types[0]:
            return cell
        left = strengths.clone()
        while cell.skips > self.at_most:
            skips = [
                (space.topology.edges.index((edge.source, edge.target)), space.primitives.index(edge.primitive))
                for edge in cell.edges
                if kind_of(edge.primitive) == "skip"
            ]
            skips = [place for place in skips if left[place] > 0]
            if not skips:
                break  # What is left has nothing but a skip connection on its edge.
            left[min(skips, key=lambda place: float(left[place]))] = 0.0
            cell = TopEdges().cell(left, space, cell_type)
        return cell


def sample_genotype(
    space: CellSpace,
    strengths: Mapping[str, Tensor],
    derivation: Derivation,
    generator: torch.Generator,
    *,
    source: str | None = None,
) -> Genotype:
    """Draws cells from a mixture: what is strong comes often, what is weak seldom.

    Every strength is multiplied by exp(g), g a standard Gumbel variable, and the cells are derived from what comes
    out: so each edge's primitive is drawn with the mixture's shares (of those that can be derived), and the edges
    of a node by their strengths.

    Args:
        space: the space.
        strengths: [edges, primitives] for each cell type; what is 0 is never drawn while anything else is there.
        derivation: the rule.
        generator: draws, on the CPU.
        source: where the genotype comes from; written into it.

    Source: the Gumbel-max trick; drawing without replacement, Kool et al. 2019.
    """
    cells = {}
    for name, values in strengths.items():
        uniform = torch.rand(values.shape, generator=generator, dtype=torch.float64)
        # Standard exponential variables: 1 / e is exp(g), and it is never infinite or 0.
        exponential = -torch.log1p(-uniform)
        drawn = values.double() / exponential.clamp(min=1e-300)
        cells[name] = derivation.cell(drawn, space, name)
    return Genotype(space.name, cells, source)


def derive(
    space: CellSpace,
    arch: ArchParameters,
    relaxation: Relaxation,
    derivation: Derivation,
    *,
    source: str | None = None,
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
        for name, strengths in arch.strengths(relaxation).items():
            if edge_weights is not None:
                strengths = strengths * edge_weights[name].unsqueeze(-1)
            kept = arch.kept(name)
            if kept is not None:
                # Below any primitive that is there, one that was struck included.
                strengths = strengths.masked_fill(~kept, -1.0)
            cells[name] = derivation.cell(strengths.cpu(), space, name)
    return Genotype(space.name, cells, source)
