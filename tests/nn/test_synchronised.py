"""Batch norms of several processes: how often they exchange, and that many at once are each its own."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from edgewise.nn import synchronise
from edgewise.nn.engines.grouped import cell
from edgewise.nn.synchronised import normalise_together
from edgewise.runtime.distributed import Processes
from edgewise.runtime.random import seeded
from tests.nn.test_grouped import make


class Silent(Processes):
    """The first of two processes; the other has no images, so that every sum over both is this one's."""

    def __init__(self) -> None:
        super().__init__(rank=0, world=2)
        self.exchanges = 0

    def sum(self, x: Tensor) -> Tensor:
        self.exchanges += 1
        return x


def tensors() -> list[Tensor]:
    with seeded(0):
        return [
            (3 + torch.randn(4, channels, side, side, dtype=torch.float64)).requires_grad_()
            for channels, side in ((2, 5), (6, 5), (3, 2))
        ]


def gradients(outs: Sequence[Tensor], xs: Sequence[Tensor]) -> tuple[list[Tensor], list[Tensor]]:
    """First derivatives of some number that depends on all outputs, and second ones."""
    loss = torch.stack([(out**3).sum() + out.sin().sum() for out in outs]).prod()
    first = torch.autograd.grad(loss, xs, create_graph=True)
    second = torch.autograd.grad(torch.stack([(one**2).sum() for one in first]).sum(), xs)
    return list(first), list(second)


def test_tensors_that_are_normalised_at_once_are_each_normalised_by_their_own_statistics() -> None:
    xs, own = tensors(), Silent()
    outs, mean, unbiased = normalise_together(xs, 1e-5, own)
    assert own.exchanges == 1
    plain = [F.batch_norm(x, None, None, training=True, eps=1e-5) for x in xs]
    for found, wanted in zip(outs, plain, strict=True):
        torch.testing.assert_close(found, wanted, rtol=0, atol=1e-12)
    wanted_mean = torch.cat([x.mean((0, 2, 3)) for x in xs])
    wanted_variance = torch.cat([x.var((0, 2, 3)) for x in xs])
    torch.testing.assert_close((mean, unbiased), (wanted_mean, wanted_variance), rtol=0, atol=1e-12)
    for found, wanted in zip(gradients(outs, xs), gradients(plain, xs), strict=True):
        torch.testing.assert_close(found, wanted, rtol=1e-9, atol=1e-9)


def test_their_first_derivatives_take_one_exchange() -> None:
    xs, own = tensors(), Silent()
    outs, _, _ = normalise_together(xs, 1e-5, own)
    torch.stack([(out**3).sum() for out in outs]).sum().backward()
    assert own.exchanges == 2


def test_a_tensor_that_needs_no_gradient_gets_none_and_the_others_theirs() -> None:
    xs = tensors()
    xs[1].requires_grad_(False)
    outs, _, _ = normalise_together(xs, 1e-5, Silent())
    torch.stack([(out**3).sum() for out in outs]).sum().backward()
    assert xs[1].grad is None
    for i in (0, 2):
        wanted = xs[i].detach().clone().requires_grad_()
        (F.batch_norm(wanted, None, None, training=True, eps=1e-5) ** 3).sum().backward()
        torch.testing.assert_close(xs[i].grad, wanted.grad, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("merge", [False, True])
def test_a_grouped_cell_exchanges_three_times_for_each_state(merge: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cell, "merges", lambda x: merge)
    case, own = make("darts", k=2), Silent()
    alone = replace(case, net=copy.deepcopy(case.net)).loss("grouped")
    synchronise(case.net, own)
    loss = case.loss("grouped")
    torch.testing.assert_close(loss, alone, rtol=1e-12, atol=0)
    # Three cells of five states with edges out: first convolutions, second ones, and pools with skips. The batch
    # norms of the stem and in front of the cells are not of the mixed operations.
    others = sum(1 for name, module in case.net.named_modules() if _is_outside(name, module))
    assert own.exchanges == 3 * 5 * 3 + others
    forward = own.exchanges
    loss.backward()
    assert own.exchanges <= 2 * forward


def _is_outside(name: str, module: torch.nn.Module) -> bool:
    return isinstance(module, torch.nn.BatchNorm2d) and ".edges." not in name
