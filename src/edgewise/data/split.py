"""Stratified choices of rows: every class gives its share, and the generator says which rows."""

from __future__ import annotations

import torch
from torch import Tensor


def cut(labels: Tensor, fraction: float, *, generator: torch.Generator, keep: int = 1) -> tuple[Tensor, Tensor]:
    """Cuts rows in two; every class has at least one row on each side.

    Args:
        labels: int64 [N]; each class that occurs has at least `keep + 1` rows.
        fraction: the share of the second part, between 0 and 1.
        generator: chooses the rows.
        keep: rows of every class that stay in the first part, whatever the fraction.

    Returns:
        The rows of the first and of the second part, each in ascending order.
    """
    counts = torch.bincount(labels)
    taken = _shares(counts, int(fraction * len(labels) + 0.5))
    taken = torch.minimum(torch.maximum(taken, torch.ones_like(taken)), (counts - keep).clamp(min=0))
    return _choose(labels, taken, generator)


def cap(labels: Tensor, total: int, *, least: int, generator: torch.Generator) -> Tensor:
    """Chooses at most `total` rows, every class in proportion but with at least `least` rows.

    Args:
        labels: int64 [N]; each class that occurs has at least `least` rows.
        total: how many rows; at least `least` times the number of classes that occur.
        least: rows that every class keeps.
        generator: chooses the rows.

    Returns:
        The chosen rows in ascending order.
    """
    if total >= len(labels):
        return torch.arange(len(labels))
    counts = torch.bincount(labels)
    kept = torch.maximum(_shares(counts, total), counts.clamp(max=least))
    while int(kept.sum()) > total:  # rare classes were topped up: the largest give
        kept[int(kept.argmax())] -= 1
    return _choose(labels, kept, generator)[1]


def _shares(counts: Tensor, total: int) -> Tensor:
    """`total` shared out in proportion to `counts` by largest remainder; equal remainders: the lower class."""
    size = int(counts.sum())
    shares = counts * total // size
    remainders = counts * total % size
    order = torch.argsort(remainders, descending=True, stable=True)
    shares[order[: total - int(shares.sum())]] += 1
    return shares


def _choose(labels: Tensor, taken: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    chosen = torch.zeros(len(labels), dtype=torch.bool)
    for label, number in enumerate(taken.tolist()):
        rows = torch.nonzero(labels == label).flatten()
        chosen[rows[torch.randperm(len(rows), generator=generator)[:number]]] = True
    return torch.nonzero(~chosen).flatten(), torch.nonzero(chosen).flatten()
