"""A derived cell, and the layout that derived networks and supernets share."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from edgewise.nn.drop_path import DropPath
from edgewise.nn.edges import sum_nodes
from edgewise.nn.factorized import FactorizedReduction
from edgewise.nn.memory_saving import MemorySavingReluConvNorm
from edgewise.nn.operations import operation, relu_conv_norm
from edgewise.spaces.cells import Cell


@dataclass(frozen=True)
class CellPlace:
    """One cell's place in a network: what comes in and whether it reduces.

    Args:
        cell_type: "normal" or "reduce".
        channels_before: channels of the output of the cell before the previous one.
        channels_previous: channels of the previous cell's output.
        channels: C of this cell; every node has C channels.
        reduce: whether edges from a cell input have stride 2.
        reduce_previous: whether the previous cell's output is half as large as the one before it.
    """

    cell_type: str
    channels_before: int
    channels_previous: int
    channels: int
    reduce: bool
    reduce_previous: bool


def reduction_layers(layers: int) -> tuple[int, int]:
    """Where the two reduction cells stand: a third and two thirds of the way.

    Source: DARTS, model.py of the authors' code.
    """
    return layers // 3, 2 * layers // 3


def plan_cells(
    *,
    layers: int,
    channels: int,
    stem_channels: int,
    stem_shrinks: bool,
    concat: dict[str, int],
) -> list[CellPlace]:
    """The places of all cells of a network, in order.

    Args:
        layers: number of cells.
        channels: C of the first cell; doubled at each reduction.
        stem_channels: channels of the stem's outputs.
        stem_shrinks: whether the stem's second output is half as large as its first.
        concat: per cell type, how many nodes the cell's output concatenates.
    """
    places = []
    before = previous = stem_channels
    current, reduce_previous = channels, stem_shrinks
    for layer in range(layers):
        reduce = layer in reduction_layers(layers)
        if reduce:
            current *= 2
        cell_type = "reduce" if reduce else "normal"
        places.append(CellPlace(cell_type, before, previous, current, reduce, reduce_previous))
        before, previous, reduce_previous = previous, concat[cell_type] * current, reduce
    return places


class Preprocess(nn.Module):
    """Brings both inputs of a cell to the cell's channels and to the same size.

    Args:
        place: the cell's place.
        affine: whether batch norms have a scale and a shift.
    """

    def __init__(self, place: CellPlace, *, affine: bool) -> None:
        super().__init__()
        if place.reduce_previous:
            self.before: nn.Module = FactorizedReduction(place.channels_before, place.channels, affine=affine)
        else:
            self.before = _relu_conv_norm(place.channels_before, place.channels, affine=affine)
        self.previous = _relu_conv_norm(place.channels_previous, place.channels, affine=affine)

    def forward(self, before: Tensor, previous: Tensor) -> list[Tensor]:
        """Returns the cell's inputs, [B, C, H, W] each."""
        return [self.before(before), self.previous(previous)]


def _relu_conv_norm(channels_in: int, channels_out: int, *, affine: bool) -> nn.Module:
    plain = relu_conv_norm(channels_in, channels_out, affine=affine)
    return plain if affine else MemorySavingReluConvNorm(*plain)


class DerivedCell(nn.Module):
    """A cell with one operation on each chosen edge.

    Args:
        cell: its edges.
        place: its place in the network.
    """

    def __init__(self, cell: Cell, place: CellPlace) -> None:
        super().__init__()
        self.cell = cell
        self.preprocess = Preprocess(place, affine=True)
        self.operations = nn.ModuleList(
            operation(
                edge.primitive,
                place.channels,
                stride=2 if place.reduce and edge.source < cell.inputs else 1,
                affine=True,
            )
            for edge in cell.connected
        )

    def forward(self, before: Tensor, previous: Tensor, drop_path: DropPath | None) -> Tensor:
        """Maps both inputs to [B, C * len(concat), h, w]."""
        states = sum_nodes(self.preprocess(before, previous), self.cell, self.operations, drop_path)
        return torch.cat([states[node] for node in self.cell.concat], dim=1)
