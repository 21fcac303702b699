"""The largest eigenvalue of a symmetric matrix that is known by its products with vectors."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Eigenvalue:
    """The largest (algebraic) eigenvalue.

    Args:
        value: the estimate.
        residual: |A x - value * x| for its unit vector x; an eigenvalue of A lies within this distance.
        products: how many products with A it took.
    """

    value: float
    residual: float
    products: int


def largest_eigenvalue(
    product: Callable[[Tensor], Tensor],
    start: Tensor,
    *,
    tolerance: float = 1e-3,
    most: int = 40,
) -> Eigenvalue:
    """Lanczos with full reorthogonalisation, in float64 between the products.

    Args:
        product: maps [n] to [n]: the matrix times a vector.
        start: [n], a random vector.
        tolerance: stop when the residual is below this share of the eigenvalue. The eigenvalue itself is then far
            closer, by the square of the residual over the gap to the next one.
        most: the most products; the size of the matrix always suffices.

    Raises:
        ValueError: the start vector is zero.

    Source: Lanczos 1950; Golub and Van Loan, Matrix Computations, §10.1.
    """
    norm = start.norm()
    if not norm > 0:
        raise ValueError("the start vector is zero")
    basis = [start.double() / norm.double()]
    diagonal: list[Tensor] = []
    off: list[Tensor] = []
    value, residual = torch.zeros(()), torch.zeros(())
    for _ in range(min(most, len(start))):
        w = product(basis[-1].to(start.dtype)).double()
        diagonal.append(w @ basis[-1])
        # Twice is enough: rounding of the first pass is removed by the second.
        for _ in range(2):
            rows = torch.stack(basis)
            w = w - rows.T @ (rows @ w)
        beta = w.norm()
        values, vectors = torch.linalg.eigh(_tridiagonal(diagonal, off))
        value, residual = values[-1], beta * vectors[-1, -1].abs()
        if residual <= tolerance * value.abs() or beta <= 1e-12 * values.abs().max():
            break
        off.append(beta)
        basis.append(w / beta)
    return Eigenvalue(float(value), float(residual), len(diagonal))


def _tridiagonal(diagonal: list[Tensor], off: list[Tensor]) -> Tensor:
    matrix = torch.diag(torch.stack(diagonal))
    if off:
        side = torch.stack(off)
        matrix = matrix + torch.diag(side, 1) + torch.diag(side, -1)
    return matrix


def hessian_product(loss: Tensor, inputs: list[Tensor]) -> Callable[[Tensor], Tensor]:
    """Products of the Hessian of a scalar with vectors, by double backward; the graph is kept.

    Args:
        loss: with a graph that reaches `inputs`.
        inputs: what it is differentiated by; their entries, flattened one after the other, are the vector.
    """
    gradients = torch.autograd.grad(loss, inputs, create_graph=True)
    flat = torch.cat([gradient.flatten() for gradient in gradients])

    def product(vector: Tensor) -> Tensor:
        parts = torch.autograd.grad(flat @ vector, inputs, retain_graph=True)
        return torch.cat([part.flatten() for part in parts]).detach()

    return product
