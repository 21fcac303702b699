"""Edges, gradients and a plain restatement of the projection for the tests of the projection."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import combinations, permutations, product

import torch
from torch import Tensor

from edgewise.methods import Projection, Projector
from edgewise.spaces import DARTS, Topology

# By hand, in the order (0,2) (1,2) | (0,3) (1,3) (2,3) | (0,4) ... (3,4) | (0,5) ... (4,5).
LENGTHS = [4, 4, 3, 3, 4, 2, 2, 3, 4, 1, 1, 2, 3, 4]
GROUPS = {
    "in": [(0, 1), (2, 3, 4), (5, 6, 7, 8), (9, 10, 11, 12, 13)],
    "out": [(0, 2, 5, 9), (1, 3, 6, 10), (4, 7, 11), (8, 12)],
}
PAIRS = {key: [pair for group in groups for pair in combinations(group, 2)] for key, groups in GROUPS.items()}
THREE = torch.tensor([[1.0, 0.0, 0.0], [-1.0, 1.0, 0.0], [-0.5, -1.0, 1.0]], dtype=torch.float64)


def stream(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def projector(direction: str = "in", order: str = "random", topology: Topology = DARTS.topology) -> Projector:
    return Projection(direction, order).on(topology)  # type: ignore[arg-type]


def one_group(edges: int) -> Topology:
    """A topology with one node and that many edges of equal length into it."""
    return Topology(edges, 1, tuple((i, edges) for i in range(edges)))


def project_group(rows: Tensor, order: str, *, draws: int = 1, seed: int = 0) -> Tensor:
    """Projects a group of rows `draws` times, independently: [draws, edges, primitives]."""
    many = rows.expand(draws, *rows.shape)
    return projector("in", order, one_group(len(rows)))(many, stream(seed))


def pair_rows(e: int, f: int, edges: int = 14, width: int = 8) -> Tensor:
    """Zero rows but for e and f, which conflict."""
    rows = torch.zeros(edges, width, dtype=torch.float64)
    rows[e, 0], rows[f, 0], rows[f, 1], rows[e, 2] = 1.0, -1.0, 2.0, 3.0
    return rows


def by_definition(rows: Tensor, row: int, partners: Sequence[int], *, against: Tensor | None = None) -> Tensor:
    """One row projected on the normal planes of its partners' original rows, in that order."""
    fixed = rows if against is None else against
    current = rows[row].clone()
    for f in partners:
        inner = float(current @ fixed[f])
        if inner < 0:
            current = current - inner / float(fixed[f] @ fixed[f]) * fixed[f]
    return current


def symmetric_outcomes(rows: Tensor) -> list[Tensor]:
    """All results that "symmetric" may give for one group: each row meets the others in any order."""
    everyone = range(len(rows))
    others = [[j for j in everyone if j != i] for i in everyone]
    choices = [[by_definition(rows, i, p) for p in permutations(others[i])] for i in everyone]
    return [torch.stack(outcome) for outcome in product(*choices)]


def distinct(outcomes: Sequence[Tensor] | Tensor) -> set[tuple[float, ...]]:
    """Outcomes rounded to 9 digits, without repeats."""
    return {tuple(round(v, 9) + 0.0 for v in outcome.flatten().tolist()) for outcome in outcomes}


def binomial(count: int, draws: int, probability: float = 0.5) -> bool:
    """Whether a count lies within five standard deviations of its mean."""
    return abs(count - draws * probability) < 5 * math.sqrt(draws * probability * (1 - probability))
