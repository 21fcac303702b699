"""The convolutional operations that leave a node, those of a kind in one call."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from edgewise.nn.engines.grouped.norms import Norms
from edgewise.nn.engines.grouped.plan import Branch, Kind

T = TypeVar("T")
Piece = tuple[Tensor, list[Branch]]
"""[B, branches * C, H, W] and its branches."""


def run_branches(share: Tensor, branches: Sequence[Branch], norms: Norms, *, merge: bool) -> list[Piece]:
    """The outputs of all branches that leave a node.

    Args:
        share: [B, C, H, W], what goes into each of them.
        branches: in the order of their plan.
        norms: normalises and records.
        merge: whether kinds are put together wherever their next step is the same: fewer calls, more copies.
    """
    done: list[Piece] = []
    pieces = _start(F.relu(share), branches)
    for stage in range(max(len(branch.stages) for branch in branches)):
        if stage:
            pieces = arrange(pieces, lambda b, s=stage: b.signature(s, 0), merge=merge)
            pieces = [(_convolve(F.relu(x), members, stage, 0), members) for x, members in pieces]
        for step in range(1, max(len(b.stages[stage].convolutions) for _, members in pieces for b in members)):
            pieces = arrange(pieces, lambda b, s=stage, q=step: b.signature(s, q), merge=merge)
            pieces = [(_convolve(x, members, stage, step), members) for x, members in pieces]
        if merge:
            pieces = arrange(pieces, lambda b: None, merge=True)
        normed = norms([(x, [b.stages[stage].norm for b in members]) for x, members in pieces])
        pieces = [(x, members) for x, (_, members) in zip(normed, pieces, strict=True)]
        pieces = arrange(pieces, lambda b: len(b.stages), merge=False)
        done += [piece for piece in pieces if len(piece[1][0].stages) == stage + 1]
        pieces = [piece for piece in pieces if len(piece[1][0].stages) > stage + 1]
    return done


def arrange(pieces: Sequence[Piece], kind: Kind, *, merge: bool) -> list[Piece]:
    """Pieces whose branches are of one kind each.

    Args:
        pieces: branches of a kind stand together in each.
        kind: of a branch.
        merge: whether neighbours of the same kind become one.
    """
    parts: list[Piece] = []
    for x, members in pieces:
        runs = _runs(members, kind)
        width = x.shape[1] // len(members)
        blocks = x.split([len(run) * width for run in runs], dim=1) if len(runs) > 1 else (x,)
        parts += zip(blocks, runs, strict=True)
    if not merge:
        return parts
    merged = []
    for same in _runs(parts, lambda part: kind(part[1][0])):
        whole = same[0][0] if len(same) == 1 else torch.cat([x for x, _ in same], dim=1)
        merged.append((whole, [branch for _, members in same for branch in members]))
    return merged


def _runs(items: Sequence[T], kind: Callable[[T], object]) -> list[list[T]]:
    """Neighbours of one kind together; `itertools.groupby`, which torch.compile can't look through, with lists."""
    runs: list[list[T]] = []
    for item in items:
        if runs and kind(runs[-1][0]) == kind(item):
            runs[-1].append(item)
        else:
            runs.append([item])
    return runs


def _start(active: Tensor, branches: Sequence[Branch]) -> list[Piece]:
    """The first convolution of every branch: the input is the same for all."""
    repeated: dict[int, Tensor] = {}
    pieces = []
    for members in _runs(branches, lambda b: b.signature(0, 0)):
        first = members[0].stages[0].convolutions[0]
        if first.groups == 1:
            pieces.append((_full(active, members, first), members))
            continue
        m = len(members)
        if m not in repeated:
            repeated[m] = active.repeat(1, m, 1, 1)
        pieces.append((_convolve(repeated[m], members, 0, 0), members))
    return pieces


def _full(active: Tensor, members: list[Branch], like: nn.Conv2d) -> Tensor:
    """Full convolutions of one input: one convolution with more outputs; a matrix product where it is 1x1."""
    weight, bias = _parameters([b.stages[0].convolutions[0] for b in members])
    if _is_pointwise(like):
        matrix = weight.flatten(1).expand(active.shape[0], -1, -1)
        columns = active.flatten(2)
        out = torch.bmm(matrix, columns) if bias is None else torch.baddbmm(bias.unsqueeze(1), matrix, columns)
        return out.unflatten(2, active.shape[2:])
    return F.conv2d(active, weight, bias, like.stride, like.padding, like.dilation)  # type: ignore[arg-type]


def _convolve(x: Tensor, members: list[Branch], stage: int, step: int) -> Tensor:
    """One convolution of each branch on its own channels; those that have no such step wait."""
    if members[0].signature(stage, step) is None:
        return x
    convolutions = [b.stages[stage].convolutions[step] for b in members]
    like, m = convolutions[0], len(members)
    weight, bias = _parameters(convolutions)
    if _is_pointwise(like) and bias is None:
        matrices = weight.view(m, -1, like.in_channels)
        product = torch.matmul(matrices, x.flatten(2).unflatten(1, (m, -1)))
        return product.flatten(1, 2).unflatten(2, x.shape[2:])
    return F.conv2d(x, weight, bias, like.stride, like.padding, like.dilation, m * like.groups)  # type: ignore[arg-type]


def _parameters(convolutions: Sequence[nn.Conv2d]) -> tuple[Tensor, Tensor | None]:
    biases = [c.bias for c in convolutions if c.bias is not None]
    if len(convolutions) == 1:
        return convolutions[0].weight, convolutions[0].bias
    return torch.cat([c.weight for c in convolutions]), torch.cat(biases) if biases else None


def _is_pointwise(convolution: nn.Conv2d) -> bool:
    c = convolution
    return (c.kernel_size, c.stride, c.groups, c.padding) == ((1, 1), (1, 1), 1, (0, 0))
