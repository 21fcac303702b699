"""The projection on gradients of any size and direction."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.methods.rows import GROUPS, by_definition, project_group, projector, stream
from tests.spaces.strategies import steady

ORDERS = st.sampled_from(["random", "shortest_to_longest", "longest_to_shortest", "symmetric"])
DIRECTIONS = st.sampled_from(["in", "out"])
SIZES = st.floats(2**-10, 2**10, width=32)
VALUES = SIZES | SIZES.map(lambda size: -size) | st.sampled_from([0.0, -0.0, 1.0, -1.0])


@st.composite
def gradients(draw: st.DrawFn, edges: int, width: int = 4) -> torch.Tensor:
    """Rows of plain numbers, each scaled by a power of ten."""
    values = draw(st.lists(VALUES, min_size=edges * width, max_size=edges * width))
    scales = draw(st.lists(st.sampled_from([0.0, 1e-30, 1e-8, 1.0, 1e8, 1e27]), min_size=edges, max_size=edges))
    return torch.tensor(values).view(edges, width) * torch.tensor(scales).view(edges, 1)


@settings(steady, max_examples=60)
@given(gradients(14), DIRECTIONS, ORDERS, st.integers(0, 1000))
def test_no_row_grows_and_all_stay_finite(rows, direction, order, seed):
    out = projector(direction, order)(rows, stream(seed))
    assert torch.isfinite(out).all()
    assert (out.double().norm(dim=1) <= rows.double().norm(dim=1) * (1 + 1e-6)).all()


@settings(steady, max_examples=60)
@given(gradients(2), ORDERS, st.integers(0, 1000))
def test_two_rows_in_conflict_are_afterwards_in_none_and_each_projected_one_is_orthogonal(rows, order, seed):
    out = project_group(rows, order, seed=seed)[0].double()
    original = rows.double()
    sizes = original.norm(dim=1)
    inner = original[0] @ original[1]
    moved = [i for i in range(2) if not torch.equal(out[i], original[i])]
    if inner >= 0:
        assert not moved
    for i in moved:
        assert abs(out[i] @ original[1 - i]) <= 1e-6 * sizes.prod()
    if inner < -1e-5 * sizes.prod():
        assert len(moved) == (2 if order == "symmetric" else 1)
        assert out[0] @ out[1] >= -1e-6 * sizes.prod()


@settings(steady, max_examples=40)
@given(gradients(14), DIRECTIONS, st.integers(0, 1000))
def test_a_row_changes_only_by_multiples_of_partners_that_it_conflicted_with_at_some_point(rows, direction, seed):
    out = projector(direction, "random")(rows, stream(seed)).double()
    grouped = {e: [f for f in group if f != e] for group in GROUPS[direction] for e in group}
    for e in range(14):
        change = out[e] - rows[e].double()
        partners = rows[grouped.get(e, [])].double()
        partners = partners[partners.norm(dim=1) > 0]
        units = partners / partners.norm(dim=1, keepdim=True)
        if not len(units):
            assert not change.any()
            continue
        left = change - units.T @ (torch.linalg.pinv(units.T) @ change)
        assert left.norm() <= 1e-5 * rows[e].double().norm()


@settings(steady, max_examples=40)
@given(gradients(14), DIRECTIONS, ORDERS, st.floats(0.125, 8.0))
def test_scaling_all_gradients_scales_the_result(rows, direction, order, factor):
    project = projector(direction, order)
    exact = rows.double()
    scaled, plain = project(exact * factor, stream(1)), project(exact, stream(1))
    error = (scaled - plain * factor).norm(dim=1)
    assert (error <= 1e-6 * factor * exact.norm(dim=1)).all()


@pytest.mark.parametrize("order", ["random", "symmetric"])
@pytest.mark.parametrize(("small", "large"), [(1e-30, 1e30), (1e-30, 1e-30), (1e30, 1e30), (1e-38, 1e38)])
def test_very_small_and_very_large_float32_rows_are_projected_exactly(small, large, order):
    unit = torch.tensor([[1.0, 0.0], [-1.0, 1.0]])
    rows = unit * torch.tensor([[small], [large]])
    for out in project_group(rows, order, draws=20, seed=3):
        for i, (row, scale) in enumerate(zip(out, (small, large), strict=True)):
            options = [by_definition(unit.double(), i, (1 - i,)).float()]
            options += [] if order == "symmetric" else [unit[i]]
            assert any(torch.allclose(row / scale, option, rtol=1e-5, atol=1e-6) for option in options)


def test_a_zero_row_conflicts_with_nothing_and_stays_zero():
    rows = torch.tensor([[0.0, 0.0], [-1.0, 1.0], [0.0, 0.0]])
    for order in ("random", "symmetric"):
        assert torch.equal(project_group(rows, order, draws=20), rows.expand(20, 3, 2))


def test_leading_dimensions_are_cell_types_and_the_shape_and_type_are_kept():
    rows = torch.randn(2, 14, 8, generator=stream(1))
    project = projector()
    both = project(rows, stream(2))
    assert both.shape == rows.shape
    assert both.dtype == rows.dtype
    assert torch.equal(project(rows[0], stream(2)), project(rows[:1], stream(2))[0])
    assert torch.equal(project(rows.view(2, 1, 14, 8), stream(2)).view(2, 14, 8), both)
