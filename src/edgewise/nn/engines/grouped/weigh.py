"""Weighted sums of terms as matrix products."""

from __future__ import annotations

import torch
from torch import Tensor

LOW = (torch.float16, torch.bfloat16)


def weigh(weights: Tensor, terms: Tensor, total: Tensor | None = None) -> Tensor:
    """sum_t weights[:, t] * terms[:, t], [B, rows, P]; added to `total`, in place, where there is one.

    In half precision a matrix product would round the weights, and with them what alpha has learnt at first; they
    are taken in two parts, so that the products are rounded alone, as when a tensor is multiplied by a number.

    Args:
        weights: [rows, terms], or [B, rows, terms] where samples have their own.
        terms: [B, terms, P].
        total: what this function returned for other terms.
    """
    device = terms.device.type
    if terms.dtype == torch.float32 and torch.is_autocast_enabled(device):
        terms = terms.to(torch.get_autocast_dtype(device))
    parts = [weights]
    if terms.dtype in LOW and weights.dtype not in LOW:
        high = weights.to(terms.dtype)
        parts = [high, (weights - high).to(terms.dtype)]
    for part in parts:
        rows = part.expand(len(terms), -1, -1)
        total = torch.bmm(rows, terms) if total is None else total.baddbmm_(rows, terms)
    assert total is not None
    return total
