"""The architecture parameters: a module of their own, apart from the weights."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn

from edgewise.errors import NonFiniteError
from edgewise.methods.relaxation import Relaxation
from edgewise.methods.schedule import START, SchedulePosition
from edgewise.nn.mixture import Mixture
from edgewise.spaces.cells import cell_name
from edgewise.spaces.space import CellSpace


class ArchParameters(nn.Module):
    """alpha [edges, primitives] for each cell type, and beta [edges] where edges are weighed.

    Both start as 1e-3 * N(0, 1).

    Args:
        space: the space that is searched.
        beta: whether there are edge weights.
        generator: the random stream of the start values, on the CPU.
        kept: per cell type, [edges, primitives] bool, the primitives that are there; None for all that the space
            allows. The entries of the others keep their start values and count nothing.

    Source: DARTS and PC-DARTS, model_search.py of the authors' code.
    """

    def __init__(
        self,
        space: CellSpace,
        *,
        beta: bool,
        generator: torch.Generator,
        kept: Mapping[str, Tensor] | None = None,
    ) -> None:
        super().__init__()
        self.space = space
        for name in space.cell_types:
            mask = allowed_mask(space, name) if kept is None else kept[name]
            self.register_buffer(f"kept_{name}", None if mask is None else mask.clone())
        shape = (len(space.topology.edges), len(space.primitives))
        self.alpha = nn.ParameterDict(
            {name: nn.Parameter(1e-3 * torch.randn(shape, generator=generator)) for name in space.cell_types}
        )
        self.beta = nn.ParameterDict(
            {name: nn.Parameter(1e-3 * torch.randn(shape[0], generator=generator)) for name in space.cell_types}
            if beta
            else {}
        )

    def kept(self, cell_type: str) -> Tensor | None:
        """[edges, primitives] bool, the primitives that are there; None for all."""
        return getattr(self, f"kept_{cell_type}")

    def mixture(
        self,
        relaxation: Relaxation,
        *,
        position: SchedulePosition = START,
        generator: torch.Generator | None = None,
    ) -> dict[str, Mixture]:
        """The mixture of each cell type for one forward pass, differentiable in alpha.

        Args:
            relaxation: from alpha to a mixture.
            position: how far the search has come.
            generator: the relaxation's random stream, where it draws.
        """
        rows = torch.stack(list(self.alpha.values()))
        masks = [mask for name in self.alpha if (mask := self.kept(name)) is not None]
        kept = torch.stack(masks) if masks else None
        mixed = relaxation.mixture(rows, kept, position=position, generator=generator)
        active = [None] * len(rows) if mixed.active is None else mixed.active.unbind()
        return {
            name: Mixture(weights, chosen)
            for name, weights, chosen in zip(self.alpha, mixed.weights.unbind(), active, strict=True)
        }

    def strengths(self, relaxation: Relaxation) -> dict[str, Tensor]:
        """The share of each primitive, [edges, primitives] a cell type, without anything drawn."""
        return {name: relaxation.strengths(alpha, self.kept(name)) for name, alpha in self.alpha.items()}

    def edge_weights(self) -> dict[str, Tensor] | None:
        """The factor of each edge, [edges] a cell type: softmax of beta into each node; None without beta."""
        if not len(self.beta):
            return None
        rows = softmax_into_nodes(torch.stack(list(self.beta.values())), self.space)
        return dict(zip(self.beta, rows.unbind(), strict=True))

    def check_finite(self, where: str) -> None:
        """Raises NonFiniteError, naming edges, if an entry of alpha or beta is infinite or NaN."""
        for kind, table in (("alpha", self.alpha), ("beta", self.beta)):
            for name, values in table.items():
                bad = ~torch.isfinite(values.detach())
                if bad.any():
                    rows = bad.view(bad.shape[0], -1).any(dim=1).nonzero().flatten().tolist()
                    edges = ", ".join(str(row) for row in rows)
                    raise NonFiniteError(
                        f"{kind} of the {cell_name(name)} has {int(bad.sum())} non-finite entries of "
                        f"{bad.numel()} {where} (edges {edges})"
                    )


def allowed_mask(space: CellSpace, cell_type: str) -> Tensor | None:
    """[edges, primitives] bool, what the space allows on each edge; None where every edge may carry everything."""
    if space.allowed is None:
        return None
    return torch.tensor([[p in edge for p in space.primitives] for edge in space.allowed[cell_type]])


def softmax_into_nodes(beta: Tensor, space: CellSpace) -> Tensor:
    """Normalises [..., edges] values so that those of the edges into each node sum to 1.

    Source: PC-DARTS, equation 4.
    """
    into = [edges for node in space.inner if (edges := space.topology.into(node))]
    order = [edge for edges in into for edge in edges]
    weights = torch.cat([torch.softmax(_columns(beta, edges), dim=-1) for edges in into], dim=-1)
    return _columns(weights, [order.index(edge) for edge in range(len(order))])


def _columns(values: Tensor, places: Sequence[int]) -> Tensor:
    """values[..., places] without an index tensor: the host would wait until it is on the device."""
    start, count = places[0], len(places)
    if list(places) == list(range(start, start + count)):
        return values.narrow(-1, start, count)
    return torch.stack([values.select(-1, place) for place in places], dim=-1)
