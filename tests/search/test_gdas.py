"""GDAS in a search: what is evaluated, drawn anew, and at which temperature."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
import torch

from edgewise.methods import GumbelHard, SchedulePosition
from tests.search.family import named
from tests.search.probe import count_operations, watch_passes
from tests.search.problem import SMALL, feeds, make_batch, make_search

pytestmark = pytest.mark.usefixtures("small_space")

WEIGHTS, ARCH = make_batch(1), make_batch(2)


def test_every_pass_of_a_step_evaluates_the_one_drawn_operation_of_each_edge_and_no_other(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    search = make_search(named("gdas"))
    passes = watch_passes(search, monkeypatch)
    evaluated: list[tuple[int, int, int]] = []
    count_operations(search, lambda *place: evaluated.append(place))
    for epoch in (0, 1):
        search.step(feeds(WEIGHTS, ARCH), epoch)
    cells = [cell.cell_type for cell in search.supernet.cells]
    expected = Counter(
        (c, e, int(seen.mixtures[name][e].argmax()))
        for seen in passes.seen
        for c, name in enumerate(cells)
        for e in range(5)
    )
    assert len(passes.seen) == 4
    assert Counter(evaluated) == expected
    assert sum(expected.values()) == 4 * len(cells) * 5


def test_a_pass_weighs_what_was_drawn_with_one_and_the_rest_with_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    search = make_search(named("gdas"))
    passes = watch_passes(search, monkeypatch)
    search.step(feeds(WEIGHTS, ARCH), 1)
    for seen in passes.seen:
        for name, weights in seen.mixtures.items():
            active = seen.active[name]
            assert active is not None
            torch.testing.assert_close(weights, active.double(), rtol=1e-12, atol=1e-12)
            assert active.sum(-1).tolist() == [1] * 5


def test_every_forward_pass_draws_anew_the_arch_step_and_the_weight_step_included(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    search = make_search(named("gdas"))
    passes = watch_passes(search, monkeypatch)
    for _ in range(2):
        search.step(feeds(WEIGHTS, ARCH), 0)
    drawn = [tuple(int(i) for m in seen.mixtures.values() for i in m.argmax(-1)) for seen in passes.seen]
    assert len(set(drawn)) == 4
    assert [torch.equal(seen.x, ARCH.x) for seen in passes.seen] == [True, False, True, False]


def test_tau_follows_the_epoch_in_the_arch_step_and_in_the_weight_step(monkeypatch: pytest.MonkeyPatch) -> None:
    moments: list[SchedulePosition] = []
    plain = GumbelHard.tau

    def noted(self: GumbelHard, position: SchedulePosition) -> float:
        moments.append(position)
        return plain(self, position)

    monkeypatch.setattr(GumbelHard, "tau", noted)
    search = make_search(named("gdas", epochs=4))
    for epoch in range(4):
        search.step(feeds(WEIGHTS, ARCH), epoch)
    # An arch step and a weight step, each with one draw for both cell types.
    assert moments == [SchedulePosition(epoch, 4) for epoch in range(4) for _ in range(2)]


def test_a_low_tau_and_a_high_tau_draw_alike_and_differ_in_their_gradient_by_what_the_softmax_says() -> None:
    alpha = torch.randn(5, 8, generator=torch.Generator().manual_seed(2), dtype=torch.float64)
    factors = torch.arange(40, dtype=torch.float64).view(5, 8)
    for epoch, tau in ((0, 10.0), (2, 3.4), (3, 0.1)):
        leaf = alpha.clone().requires_grad_()
        generator = torch.Generator().manual_seed(4)
        mixture = GumbelHard().mixture(leaf, position=SchedulePosition(epoch, 4), generator=generator)
        (found,) = torch.autograd.grad((mixture.weights * factors).sum(), leaf)
        other = alpha.clone().requires_grad_()
        uniform = torch.rand(5, 8, generator=torch.Generator().manual_seed(4), dtype=torch.float64)
        noisy = other.log_softmax(-1) - (-uniform.log()).log()
        soft = (noisy / tau).softmax(-1)
        (expected,) = torch.autograd.grad((soft * factors).sum(), other)
        assert mixture.active is not None
        assert mixture.active.int().argmax(-1).tolist() == noisy.argmax(-1).tolist()
        torch.testing.assert_close(found, expected, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("twin", ["gdas", "gdas-gp"])
def test_every_edge_that_drew_something_gets_a_gradient_and_operations_that_were_not_drawn_get_none(
    twin: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    search: Any = make_search(named(twin))
    passes = watch_passes(search, monkeypatch)
    search.arch_step(ARCH)
    search.weights_step(WEIGHTS, 0.1)
    none = SMALL.primitives.index("none")
    for cell, alpha in search.arch.alpha.items():
        something = passes.of(ARCH.x)[0].mixtures[cell].argmax(-1) != none
        assert torch.equal(alpha.grad.abs().sum(-1) > 0, something)
        assert something.any()
    drawn = passes.of(WEIGHTS.x)[0].mixtures
    for cell in search.supernet.cells:
        for e, edge in enumerate(cell.edges):
            for name, module in edge.mixed.operations.items():
                touched = any(p.grad is not None for p in module.parameters())
                if touched:
                    assert int(name) == int(drawn[cell.cell_type][e].argmax()) != none
