"""Conflict rates and cosines, by hand."""

from __future__ import annotations

import math

import pytest
import torch

from edgewise.methods import CONFLICT_COSINE, ConflictMeter
from edgewise.spaces import DARTS
from tests.methods.rows import GROUPS, one_group, project_group


def measure(rows, edges: int = 3) -> tuple[float, float]:
    """Rate and mean cosine of one group."""
    found = ConflictMeter(one_group(edges), "in")(torch.as_tensor(rows).unsqueeze(0))
    assert found.shape == (1, 1, 2)
    return found[0, 0, 0].item(), found[0, 0, 1].item()


def test_rate_and_mean_cosine_of_three_rows_are_those_counted_by_hand():
    # cosines: -1/sqrt 2, 0, 1/sqrt 2
    rate, cosine = measure([[1.0, 0.0], [-1.0, 1.0], [0.0, 1.0]])
    assert rate == pytest.approx(1 / 3)
    assert cosine == pytest.approx(0.0, abs=1e-12)
    rate, cosine = measure([[2.0, 0.0], [-3.0, 0.0], [-1.0, 0.0]])
    assert (rate, cosine) == (pytest.approx(2 / 3), pytest.approx(-1 / 3))


def test_the_lengths_of_the_rows_play_no_part():
    rows = torch.tensor([[1.0, 0.0], [-1.0, 1.0], [0.5, 1.0]])
    scaled = rows * torch.tensor([[1e-30], [1e30], [7.0]])
    assert measure(scaled) == pytest.approx(measure(rows), rel=1e-6)


def test_a_zero_row_has_cosine_0_with_everything():
    rate, cosine = measure([[0.0, 0.0], [-1.0, 0.0], [1.0, 0.0]])
    assert (rate, cosine) == (pytest.approx(1 / 3), pytest.approx(-1 / 3))
    assert measure(torch.zeros(3, 2)) == (0.0, 0.0)


def test_a_cosine_counts_as_a_conflict_from_the_threshold_on():
    def at(cosine):
        return measure(torch.tensor([[1.0, 0.0], [cosine, math.sqrt(1 - cosine**2)]], dtype=torch.float64), 2)[0]

    assert (at(2 * CONFLICT_COSINE), at(CONFLICT_COSINE / 2), at(0.0)) == (1.0, 0.0, 0.0)


def test_two_projected_float32_rows_no_longer_count_as_a_conflict():
    rows = torch.randn(200, 2, 8, generator=torch.Generator().manual_seed(0))
    meter = ConflictMeter(one_group(2), "in")
    assert 60 < meter(rows)[:, 0, 0].sum() < 140
    after = torch.stack([project_group(pair, "random")[0] for pair in rows])
    assert meter(after)[:, 0, 0].sum() == 0


@pytest.mark.parametrize("direction", ["in", "out"])
def test_each_group_of_each_cell_is_measured_over_its_own_pairs(direction):
    rows = torch.randn(2, 14, 8, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    found = ConflictMeter(DARTS.topology, direction)(rows)
    assert found.shape == (2, 4, 2)
    assert found.dtype == torch.float64
    for cell in range(2):
        for g, group in enumerate(GROUPS[direction]):
            cosines = [
                torch.cosine_similarity(rows[cell, e], rows[cell, f], dim=0).item()
                for i, e in enumerate(group)
                for f in group[i + 1 :]
            ]
            assert found[cell, g, 0].item() == pytest.approx(sum(c < 0 for c in cosines) / len(cosines))
            assert found[cell, g, 1].item() == pytest.approx(sum(cosines) / len(cosines))


def test_groups_are_named_by_their_node():
    assert [node for node, _ in ConflictMeter(DARTS.topology, "in").groups] == [2, 3, 4, 5]
    assert [node for node, _ in ConflictMeter(DARTS.topology, "out").groups] == [0, 1, 2, 3]
