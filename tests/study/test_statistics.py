"""Statistics that a pencil can check."""

from __future__ import annotations

import math
from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgewise.study import holm, paired_test, spread
from edgewise.study.statistics import smallest_wilcoxon


def test_mean_deviation_and_median_of_four_numbers() -> None:
    found = spread([1.0, 2.0, 4.0, 9.0])
    assert found is not None
    assert (found.n, found.mean, found.median, found.minimum, found.maximum) == (4, 4.0, 3.0, 1.0, 9.0)
    # 9 + 4 + 0 + 25 = 38, divided by n - 1 = 3.
    assert found.sd == pytest.approx(math.sqrt(38 / 3))


def test_one_run_has_no_spread_and_none_has_no_figures() -> None:
    found = spread([0.5])
    assert found is not None
    assert (found.mean, found.sd, found.low, found.high) == (0.5, None, None, None)
    assert spread([]) is None


def test_the_percentile_interval_of_two_runs_is_their_range() -> None:
    # A mean of two draws is the lower run with probability 1/4: a 95 % interval ends at the runs.
    found = spread([0.25, 0.75])
    assert found is not None
    assert (found.low, found.high) == (0.25, 0.75)


def test_equal_runs_have_an_interval_without_width() -> None:
    found = spread([0.5, 0.5, 0.5, 0.5, 0.5])
    assert found is not None
    assert (found.sd, found.low, found.high) == (0.0, 0.5, 0.5)


def test_the_interval_holds_the_mean_and_is_the_same_each_time() -> None:
    values = [0.31, 0.35, 0.36, 0.40, 0.44, 0.52, 0.33, 0.41]
    found = spread(values)
    assert found == spread(values)
    assert found is not None
    assert found.low is not None
    assert found.high is not None
    # Normal theory gives 0.39 ± 0.047; the bootstrap must be of that size.
    assert 0.33 < found.low < found.mean < found.high < 0.45


def test_the_interval_never_leaves_the_range_that_was_seen() -> None:
    found = spread([0.0, 0.0, 0.0, 1.0])
    assert found is not None
    assert found.low is not None
    assert found.high is not None
    assert 0.0 <= found.low < found.high <= 1.0


def test_a_skewed_sample_moves_the_interval_towards_its_tail() -> None:
    # The percentile interval of the mean of these: its upper end lacks the correction that BCa makes.
    values = [1.0, 1.0, 1.0, 1.0, 2.0, 2.0, 3.0, 9.0]
    random = np.random.default_rng(1)
    means = random.choice(values, size=(20_000, len(values))).mean(axis=1)
    found = spread(values)
    assert found is not None
    assert found.high is not None
    assert found.high > np.quantile(means, 0.975) + 0.2


def test_wilcoxon_of_six_gains_is_a_thirtysecond() -> None:
    a = {seed: 0.5 + 0.01 * seed for seed in range(6)}
    b = dict.fromkeys(range(6), 0.4)
    found = paired_test("a", "b", a, b)
    assert found is not None
    assert found.wilcoxon == pytest.approx(2 / 2**6)
    assert found.difference == pytest.approx(0.125)


def exact_wilcoxon(differences: list[float]) -> float:
    """Two-sided p over all signs of the ranks, for differences without ties."""
    ranks = {d: rank for rank, d in enumerate(sorted(differences, key=abs), 1)}
    total = sum(ranks.values())
    observed = sum(rank for d, rank in ranks.items() if d > 0)
    extreme = min(observed, total - observed)
    sums = [
        sum(r for r, s in zip(ranks.values(), signs, strict=True) if s)
        for signs in product((0, 1), repeat=len(ranks))
    ]
    return min(1.0, 2 * sum(value <= extreme for value in sums) / len(sums))


def test_wilcoxon_is_the_share_of_signs_that_are_as_extreme() -> None:
    differences = [0.05, -0.01, 0.02, 0.04, -0.03, 0.09, 0.07]
    a = {seed: 0.5 + d for seed, d in enumerate(differences)}
    found = paired_test("a", "b", a, dict.fromkeys(a, 0.5))
    assert found is not None
    assert found.wilcoxon == pytest.approx(exact_wilcoxon(differences))


def test_the_paired_t_of_three_seeds_is_that_of_the_formula() -> None:
    # Differences 1, 2, 3: mean 2, deviation 1, t = 2 * sqrt(3); 2 degrees of freedom: p = 1 - t / sqrt(t^2 + 2).
    found = paired_test("a", "b", {0: 1.0, 1: 2.0, 2: 3.0}, {0: 0.0, 1: 0.0, 2: 0.0})
    assert found is not None
    t = 2 * math.sqrt(3)
    assert found.t == pytest.approx(1 - t / math.sqrt(t * t + 2))


def test_only_common_seeds_are_compared() -> None:
    found = paired_test("a", "b", {0: 1.0, 1: 0.0, 5: 9.0}, {1: 3.0, 0: 0.0, 7: 9.0})
    assert found is not None
    assert (found.n, found.difference) == (2, -1.0)
    assert paired_test("a", "b", {0: 1.0}, {1: 1.0}) is None


def test_a_single_common_seed_has_a_difference_and_no_p() -> None:
    found = paired_test("a", "b", {0: 1.0}, {0: 0.5})
    assert found is not None
    assert (found.n, found.difference, found.wilcoxon, found.t) == (1, 0.5, None, None)


def test_two_methods_without_any_difference_have_p_1() -> None:
    found = paired_test("a", "b", {0: 1.0, 1: 2.0, 2: 3.0}, {0: 1.0, 1: 2.0, 2: 3.0})
    assert found is not None
    assert (found.wilcoxon, found.t) == (1.0, 1.0)


def test_differences_that_are_equal_but_for_rounding_tie() -> None:
    # 0.3 - 0.2, 0.4 - 0.3 and 0.6 - 0.5 are three different floats; 0.1 + 0.2 - 0.3 is not zero.
    a, b = {0: 0.3, 1: 0.4, 2: 0.6, 3: 0.1 + 0.2}, {0: 0.2, 1: 0.5, 2: 0.5, 3: 0.3}
    found = paired_test("a", "b", a, b)
    exact = paired_test("a", "b", {0: 3.0, 1: 4.0, 2: 6.0, 3: 3.0}, {0: 2.0, 1: 5.0, 2: 5.0, 3: 3.0})
    assert found is not None
    assert exact is not None
    assert (found.wilcoxon, found.t) == pytest.approx((exact.wilcoxon, exact.t))


@pytest.mark.parametrize("n", [2, 3, 5, 6])
def test_the_smallest_wilcoxon_p_is_that_of_gains_alone(n: int) -> None:
    found = paired_test("a", "b", {seed: 1.0 + seed for seed in range(n)}, dict.fromkeys(range(n), 0.0))
    assert found is not None
    assert found.wilcoxon == pytest.approx(smallest_wilcoxon(n))


def test_holm_by_hand() -> None:
    # Sorted .01, .03, .04: times 3, 2, 1 = .03, .06, .04; the last may not be below the one before it.
    assert holm([0.04, 0.01, 0.03]) == pytest.approx([0.06, 0.03, 0.06])
    assert holm([0.9, 0.8]) == [1.0, 1.0]
    assert holm([]) == []


def test_holm_leaves_out_what_has_no_p() -> None:
    assert holm([None, 0.02, None, 0.03]) == [None, 0.04, None, 0.04]


@given(st.lists(st.floats(0, 1), min_size=1, max_size=8))
def test_holm_is_between_the_plain_p_and_bonferroni_and_keeps_the_order(values: list[float]) -> None:
    found = [p for p in holm(values) if p is not None]
    assert len(found) == len(values)
    for p, q in zip(values, found, strict=True):
        assert p <= q <= min(1.0, len(values) * p) or q == pytest.approx(min(1.0, len(values) * p))
    order = sorted(range(len(values)), key=lambda i: values[i])
    assert [found[i] for i in order] == sorted(found)
