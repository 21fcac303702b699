"""The addends of a cell's nodes: where they lie, and what they count."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from torch import Tensor

from edgewise.nn.engines.native.kernels import Norms, View


@dataclass(frozen=True)
class Layout:
    """Where things lie in a cell.

    Args:
        inputs: of the topology.
        c: channels of a node.
        k: K of the partial channels.
    """

    inputs: int
    c: int
    k: int

    @property
    def share(self) -> int:
        """Channels that go through the operations."""
        return self.c // self.k

    def mixed(self, node: int) -> np.ndarray:
        """The output channels of a node that hold its mixed operations, after the shuffle."""
        return (node - self.inputs) * self.c + np.arange(self.share, dtype=np.int64) * self.k

    def passed(self, node: int) -> np.ndarray:
        """The output channels of a node that hold what passed the operations by, after the shuffle."""
        rest = np.arange(self.c - self.share, dtype=np.int64)
        return (node - self.inputs) * self.c + (rest % self.share) * self.k + 1 + rest // self.share


@dataclass
class Term:
    """One addend of a node: an operation's output before its batch norm.

    Args:
        edge: of the cell.
        primitive: column of the mixture.
        view: the planes.
        norms: statistics of the batch norm behind it; None where there is none.
    """

    edge: int
    primitive: int
    view: View
    norms: Norms | None


@dataclass(frozen=True)
class Coefficients:
    """What terms and edges count, float64.

    Args:
        mixture: [edges, primitives].
        edges: [edges]; ones without edge weights.
        samples: [edges, N], of an edge's whole output for each sample; None for 1.
    """

    mixture: np.ndarray
    edges: np.ndarray
    samples: np.ndarray | None

    @staticmethod
    def of(mixture: Tensor, edges: Tensor | None, samples: Tensor | None) -> Coefficients:
        """From tensors."""
        table = mixture.detach().double().numpy()
        return Coefficients(
            table,
            np.ones(len(table)) if edges is None else edges.detach().double().numpy(),
            None if samples is None else samples.double().numpy(),
        )

    def samples_of(self, edges: Sequence[int]) -> np.ndarray | None:
        """[len(edges), N], a row for each of these edges."""
        return None if self.samples is None else self.samples[list(edges)]

    def term(self, term: Term) -> float:
        """The factor of an operation's output."""
        return float(self.mixture[term.edge, term.primitive] * self.edges[term.edge])

    def affine(self, terms: Sequence[Term], c: int) -> tuple[np.ndarray, np.ndarray]:
        """Scale and shift, [terms, c] each, that mix the terms, batch norms included."""
        scale, shift = np.empty((len(terms), c)), np.zeros((len(terms), c))
        for t, term in enumerate(terms):
            factor = self.term(term)
            if term.norms is None:
                scale[t] = factor
            else:
                scale[t] = factor * term.norms.rstd
                shift[t] = -scale[t] * term.norms.mean
        return scale, shift
