"""The softmax relaxation where primitives are missing: shares, gradients, no trace of what is gone."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from edgewise.errors import NonFiniteError
from edgewise.methods import ArchParameters, GumbelHard, Softmax
from edgewise.spaces import DARTS
from tests.methods.rows import stream

BOTH = [Softmax(), GumbelHard()]


def masked(seed: int, edges: int = 6, width: int = 5) -> tuple[torch.Tensor, torch.Tensor]:
    """alpha, and a mask that leaves each edge at least one primitive."""
    generator = stream(seed)
    alpha = torch.randn(edges, width, generator=generator, dtype=torch.float64)
    kept = torch.rand(edges, width, generator=generator) < 0.5
    kept[torch.arange(edges), torch.randint(width, (edges,), generator=generator)] = True
    return alpha, kept


@settings(deadline=None)
@given(st.integers(0, 10_000))
def test_the_shares_of_what_is_kept_are_the_softmax_over_it_alone(seed):
    alpha, kept = masked(seed)
    for relaxation in BOTH:
        shares = relaxation.strengths(alpha, kept)
        assert not shares[~kept].any()
        for row, mask, values in zip(shares, kept, alpha, strict=True):
            torch.testing.assert_close(row[mask], values[mask].softmax(0))


def test_the_masked_softmax_passes_gradcheck():
    alpha, kept = masked(1)
    alpha.requires_grad_()
    assert torch.autograd.gradcheck(lambda a: Softmax().mixture(a, kept).weights, alpha)


def test_the_alpha_of_what_is_gone_changes_nothing():
    alpha, kept = masked(2)
    moved = alpha + 100 * (~kept)
    assert torch.equal(Softmax().mixture(alpha, kept).weights, Softmax().mixture(moved, kept).weights)
    first, second = (GumbelHard().mixture(a, kept, generator=stream()).active for a in (alpha, moved))
    assert first is not None
    assert second is not None
    assert torch.equal(first, second)


@pytest.mark.parametrize("relaxation", BOTH, ids=lambda part: part.kind)
def test_a_mask_that_keeps_everything_is_no_mask_bit_for_bit(relaxation):
    alpha, _ = masked(3)
    everything = torch.ones_like(alpha, dtype=torch.bool)
    with_mask = relaxation.mixture(alpha, everything, generator=stream())
    without = relaxation.mixture(alpha, generator=stream())
    assert torch.equal(with_mask.weights, without.weights)
    assert torch.equal(relaxation.strengths(alpha, everything), relaxation.strengths(alpha))


def test_each_cells_mixture_is_drawn_apart_from_one_stream():
    arch = ArchParameters(DARTS, beta=False, generator=stream())
    drawn = arch.mixture(GumbelHard(), generator=stream(1))
    normal, reduce = (drawn[name].active for name in ("normal", "reduce"))
    assert normal is not None
    assert reduce is not None
    assert not torch.equal(normal, reduce)
    again = arch.mixture(GumbelHard(), generator=stream(1))
    assert all(torch.equal(again[name].weights, drawn[name].weights) for name in drawn)


def test_only_a_relaxation_that_draws_says_so_and_refuses_what_is_not_finite():
    assert [relaxation.draws for relaxation in BOTH] == [False, True]
    arch = ArchParameters(DARTS, beta=False, generator=stream())
    with torch.no_grad():
        arch.alpha["reduce"][3, 3] = float("nan")
    with pytest.raises(NonFiniteError):
        arch.mixture(GumbelHard(), generator=stream())
