"""What a handful of runs can say: spread, bootstrap intervals, paired tests with Holm's correction."""

from __future__ import annotations

import math
import statistics as plain
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

LEVEL = 0.95
RESAMPLES = 9999
FEWEST_FOR_BCA = 4


@dataclass(frozen=True)
class Spread:
    """The spread of a figure over runs.

    Args:
        n: how many runs.
        mean: over runs.
        sd: standard deviation with n - 1; None for one run.
        median: over runs.
        low, high: 95 % bootstrap interval of the mean; None for one run.
        minimum, maximum: over runs.
    """

    n: int
    mean: float
    sd: float | None
    median: float
    low: float | None
    high: float | None
    minimum: float
    maximum: float


def spread(values: Sequence[float]) -> Spread | None:
    """Describes figures; None without any.

    The interval is scipy's bootstrap of the mean: BCa from 4 runs on, percentile below, where BCa has too little
    to estimate its acceleration from. With few runs either is too narrow: it never leaves the range that was seen.

    Args:
        values: one for each run.

    Source: Efron 1987, Better bootstrap confidence intervals.
    """
    if not values:
        return None
    numbers = [float(value) for value in values]
    low, high = _interval(numbers)
    return Spread(
        n=len(numbers),
        mean=plain.fmean(numbers),
        sd=plain.stdev(numbers) if len(numbers) > 1 else None,
        median=plain.median(numbers),
        low=low,
        high=high,
        minimum=min(numbers),
        maximum=max(numbers),
    )


def _interval(values: list[float]) -> tuple[float | None, float | None]:
    if len(values) < 2:
        return None, None
    if min(values) == max(values):
        return values[0], values[0]
    import numpy as np
    from scipy.stats import bootstrap

    # Always the same resamples: a page that is written anew says the same.
    found = bootstrap(
        (np.asarray(values),),
        np.mean,
        confidence_level=LEVEL,
        n_resamples=RESAMPLES,
        method="BCa" if len(values) >= FEWEST_FOR_BCA else "percentile",
        rng=np.random.default_rng(0),
    ).confidence_interval
    return float(found.low), float(found.high)


@dataclass(frozen=True)
class PairedTest:
    """Two cells of the design, compared over the seeds that both have.

    Args:
        first, second: the cells' names.
        n: common seeds.
        difference: mean of first minus second.
        wilcoxon: p of the Wilcoxon signed-rank test, two-sided; None below 2 seeds.
        t: p of the paired t test, two-sided; None below 2 seeds.
        wilcoxon_holm, t_holm: the same with Holm's correction for all pairs that were tested.
    """

    first: str
    second: str
    n: int
    difference: float
    wilcoxon: float | None
    t: float | None
    wilcoxon_holm: float | None = None
    t_holm: float | None = None


def paired_test(first: str, second: str, a: Mapping[int, float], b: Mapping[int, float]) -> PairedTest | None:
    """Compares two cells over their common seeds; None without any.

    Args:
        first, second: the cells' names.
        a, b: the figure of each run, by seed.
    """
    seeds = sorted(set(a) & set(b))
    if not seeds:
        return None
    # Equal differences must tie: accuracies are whole images, and their differences carry rounding errors.
    differences = [round(a[seed] - b[seed], 12) for seed in seeds]
    mean = plain.fmean(differences)
    if len(seeds) < 2:
        return PairedTest(first, second, len(seeds), mean, None, None)
    return PairedTest(first, second, len(seeds), mean, _wilcoxon(differences), _paired_t(differences))


def _wilcoxon(differences: list[float]) -> float:
    if not any(differences):
        return 1.0
    from scipy.stats import wilcoxon

    with warnings.catch_warnings():
        # It says that it approximates where differences tie or are zero.
        warnings.simplefilter("ignore")
        return _p_of(wilcoxon(differences))


def _paired_t(differences: list[float]) -> float:
    if min(differences) == max(differences):
        # No spread at all: the test has nothing to divide by.
        return 1.0 if differences[0] == 0 else 0.0
    from scipy.stats import ttest_1samp

    return _p_of(ttest_1samp(differences, 0.0))


def _p_of(found: Any) -> float:
    return float(found.pvalue)


def smallest_wilcoxon(n: int) -> float:
    """The smallest two-sided p that the Wilcoxon signed-rank test can give for n pairs."""
    return min(1.0, 2.0 ** (1 - n))


def holm(values: Sequence[float | None]) -> list[float | None]:
    """Holm's step-down correction of p values; None stays None and does not count.

    Source: Holm 1979, A simple sequentially rejective multiple test procedure.
    """
    order = sorted((p, i) for i, p in enumerate(values) if p is not None and not math.isnan(p))
    adjusted: list[float | None] = [None] * len(values)
    largest = 0.0
    for rank, (p, i) in enumerate(order):
        largest = max(largest, min(1.0, (len(order) - rank) * p))
        adjusted[i] = largest
    return adjusted
