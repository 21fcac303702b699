"""DrawnHooks of outputs in one forward pass: what a hook is told, where it acts, and that nothing stays."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from edgewise.nn import NO_HOOKS, Hooks, MixedOperation, Mixture, SearchCell, Supernet, SupernetSpec
from edgewise.nn.cell import CellPlace
from edgewise.nn.mixed import PartialChannelEdge
from edgewise.spaces import DARTS, CellSpace, Topology

SMALL = CellSpace("small", Topology.dense(2, 2), DARTS.primitives)
NAMES = ("none", "skip_connect", "twice")


class Twice(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return 2 * x


def mixed(stride: int = 1) -> MixedOperation:
    return MixedOperation([nn.Identity(), nn.Identity(), Twice()], none_index=0, primitives=NAMES, stride=stride)


def cell(*, reduce: bool, space: CellSpace = SMALL) -> SearchCell:
    place = CellPlace("reduce" if reduce else "normal", 4, 4, 4, reduce=reduce, reduce_previous=False)
    return SearchCell(space, place, SupernetSpec(2, 3, 2))


def net() -> Supernet:
    return Supernet(SMALL, SupernetSpec(channels=4, layers=3, classes=3, in_channels=1))


def even(space: CellSpace = SMALL) -> dict[str, Mixture]:
    weights = torch.full((len(space.topology.edges), len(space.primitives)), 1 / len(space.primitives))
    return dict.fromkeys(space.cell_types, Mixture(weights))


@pytest.mark.parametrize("stride", [1, 2])
def test_a_hook_gets_the_primitives_name_the_stride_and_the_unweighed_output(stride):
    heard = []

    def hook(primitive: str, stride: int, out: Tensor) -> Tensor:
        heard.append((primitive, stride, out.item()))
        return out

    mixed(stride)(torch.ones(1, 1, 1, 1), torch.tensor([0.5, 0.1, 0.01]), None, hook)
    assert heard == [("skip_connect", stride, 1.0), ("twice", stride, 2.0)]


def test_the_hooks_result_is_weighed_in_the_place_of_the_output():
    def hook(primitive: str, stride: int, out: Tensor) -> Tensor:
        return out + 10 if primitive == "skip_connect" else out

    out = mixed()(torch.ones(1, 1, 1, 1), torch.tensor([0.5, 0.1, 0.01]), None, hook)
    assert out.item() == pytest.approx(0.1 * 11 + 0.01 * 2)


def test_a_hook_is_not_called_for_operations_that_are_not_active():
    heard = []
    mixed()(torch.ones(1, 1, 1, 1), torch.ones(3), [True, False, True], lambda p, s, out: heard.append(p) or out)
    assert heard == ["twice"]


def test_behind_partial_channels_a_hook_sees_the_mixed_share_alone():
    shapes = []
    edge = PartialChannelEdge(mixed(), k=4, stride=1)
    edge(torch.ones(2, 8, 3, 3), torch.ones(3), None, lambda p, s, out: shapes.append(tuple(out.shape)) or out)
    assert shapes == [(2, 2, 3, 3)] * 2


@pytest.mark.parametrize("reduce", [False, True])
def test_in_a_cell_every_operation_but_none_reaches_the_hook_once_with_its_edges_stride(reduce):
    heard: list[tuple[str, int]] = []
    hooks = Hooks(operation=lambda p, s, out: heard.append((p, s)) or out)
    x = torch.randn(2, 4, 8, 8)
    name = "reduce" if reduce else "normal"
    cell(reduce=reduce)(x, x, even()[name], None, hooks)
    strides = [2 if reduce and source < 2 else 1 for source, _ in SMALL.topology.edges]
    assert heard == [(p, stride) for stride in strides for p in SMALL.primitives if p != "none"]


def test_an_edge_hook_gets_each_edges_output_before_the_edge_weight_and_the_sum():
    seen: list[Tensor] = []

    def edge(out: Tensor) -> Tensor:
        seen.append(out)
        return torch.full_like(out, len(seen))

    x = torch.randn(2, 4, 8, 8)
    weights = torch.tensor([1.0, 10.0, 1.0, 10.0, 100.0])
    out = cell(reduce=False)(x, x, even()["normal"], weights, Hooks(edge=edge))
    assert len(seen) == 5
    # Node 2: 1 * 1 + 10 * 2. Node 3: 1 * 3 + 10 * 4 + 100 * 5.
    first, second = out.chunk(2, dim=1)
    assert first.unique().tolist() == [21.0]
    assert second.unique().tolist() == [543.0]


def test_an_edge_hook_sees_what_an_operation_hook_left():
    hooks = Hooks(operation=lambda p, s, out: 0 * out, edge=lambda out: out + 1)
    x = torch.randn(2, 4, 8, 8)
    first, second = cell(reduce=False)(x, x, even()["normal"], None, hooks).chunk(2, dim=1)
    assert first.unique().tolist() == [2.0]
    assert second.unique().tolist() == [3.0]


def test_hooks_reach_every_cell_of_a_supernet():
    operations, edges = [], []
    hooks = Hooks(lambda p, s, out: operations.append(s) or out, lambda out: edges.append(1) or out)
    net()(torch.randn(2, 1, 8, 8), even(), None, hooks)
    assert len(edges) == 3 * 5
    assert len(operations) == 3 * 5 * 7
    # Cells 1 and 2 reduce: four of five edges start at a cell input.
    assert operations.count(2) == 2 * 4 * 7


def test_hooks_that_change_nothing_are_no_hooks_bit_for_bit_and_none_stays_for_the_next_pass():
    supernet, x = net(), torch.randn(4, 1, 8, 8)
    plain = supernet(x, even())
    assert torch.equal(supernet(x, even(), None, NO_HOOKS), plain)
    assert torch.equal(supernet(x, even(), None, Hooks(lambda p, s, out: out, lambda out: out)), plain)
    assert not torch.equal(supernet(x, even(), None, Hooks(lambda p, s, out: 2 * out)), plain)
    assert torch.equal(supernet(x, even()), plain)
