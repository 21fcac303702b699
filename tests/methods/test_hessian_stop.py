"""RobustDARTS' stop rule: the reference's decisions on real series, and cases by hand."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from edgewise.methods import HessianStop


@pytest.fixture(scope="module")
def series(shared_data: Path) -> dict[str, dict]:
    """Eigenvalue series of real searches with the decisions of the authors' code."""
    path = shared_data.parent / "oracles" / "robustdarts_ev.json"
    if not path.is_file():
        pytest.skip(f"no eigenvalue series at {path}")
    return json.loads(path.read_text())


def decide(rule: HessianStop, epochs: list[int], values: list[float], total: int) -> tuple[int, int] | None:
    """Feeds one evaluation after the other: the epoch of the first detection and the epoch that is taken."""
    seen: list[float] = []
    for epoch, value in zip(epochs, values, strict=True):
        seen.append(value)
        taken = rule.stop_epoch(seen, epoch, total)
        if taken is not None:
            return epoch, taken
    return None


def test_on_every_real_series_it_decides_as_the_authors_code(series):
    assert len(series) == 20
    found, expected = {}, {}
    for name, entry in series.items():
        found[name] = decide(HessianStop(), entry["epochs"], entry["ev"], 50)
        detected = entry["detected_at"]
        expected[name] = None if detected is None else (detected, entry["stop_epoch"])
    assert found == expected
    assert 0 < sum(decision is None for decision in found.values()) < len(found)


def test_it_is_due_exactly_when_the_real_series_were_taken(series):
    for entry in series.values():
        assert [epoch for epoch in range(50) if HessianStop().due(epoch, 50)] == entry["epochs"]


def flat_then(jump: float, at: int, count: int = 26) -> list[float]:
    """Ones, and `jump` from the evaluation `at` on."""
    return [1.0] * at + [jump] * (count - at)


EPOCHS = [*range(0, 50, 2), 49]


def test_the_earliest_stop_is_at_epoch_22_and_takes_epoch_10():
    assert decide(HessianStop(), EPOCHS, flat_then(9.0, 10), 50) == (22, 10)
    # Everything before rises as well, but its cells would lie before epoch 10.
    assert decide(HessianStop(), EPOCHS, [2.0**n for n in range(26)], 50) == (22, 10)


def test_a_start_of_0_lets_the_rule_take_the_first_epochs_cells():
    # The first average, of 3 values, belongs to epoch 0; the fifth, four evaluations on, comes at epoch 12.
    rule = HessianStop(start=0)
    assert decide(rule, EPOCHS, [2.0**n for n in range(26)], 50) == (12, 0)


def test_the_mean_of_5_must_rise_above_1_and_3_tenths_of_that_4_evaluations_before():
    # One value of five jumps: (4 + x) / 5 > 1.3 exactly when x > 2.5.
    for jump, stops in ((2.5 - 1e-9, False), (2.5 + 1e-9, True)):
        values = [1.0] * 12 + [jump] + [1.0] * 13
        found = decide(HessianStop(), EPOCHS, values, 50)
        assert found == ((24, 12) if stops else None)


def test_a_rise_is_forgotten_once_it_stands_in_both_windows():
    rule = HessianStop()
    values = flat_then(9.0, 12)
    hits = [rule.stop_epoch(values[: n + 1], EPOCHS[n], 50) is not None for n in range(26)]
    # From evaluation 12 on until the earlier mean, four evaluations back, has risen to within a factor 1.3.
    assert hits.index(True) == 12
    assert not any(hits[20:])


def test_constant_and_falling_eigenvalues_never_stop():
    assert decide(HessianStop(), EPOCHS, [1.0] * 26, 50) is None
    assert decide(HessianStop(), EPOCHS, [0.9**n for n in range(26)], 50) is None


@pytest.mark.parametrize("before", [0.0, -1.0])
def test_a_rise_from_zero_or_from_below_it_stops_nothing(before):
    assert decide(HessianStop(), EPOCHS, [before] * 26, 50) is None
    assert decide(HessianStop(), EPOCHS, [before] * 22 + [-9.0] * 4, 50) is None
    assert decide(HessianStop(), EPOCHS, [before] * 22 + [9.0] * 4, 50) is None


def test_the_last_epoch_stops_nothing():
    values = [1.0] * 25 + [99.0]
    assert decide(HessianStop(), EPOCHS, values, 50) is None
    assert HessianStop().stop_epoch([*values[:25], 99.0], 50, 60) is not None


@pytest.mark.parametrize(
    ("every", "epochs", "expected"),
    [(2, 50, EPOCHS), (1, 3, [0, 1, 2]), (5, 12, [0, 5, 10, 11]), (7, 8, [0, 7])],
)
def test_it_is_due_every_so_many_epochs_and_in_the_last(every, epochs, expected):
    assert [epoch for epoch in range(epochs) if HessianStop(every=every).due(epoch, epochs)] == expected


def test_a_window_of_1_and_a_delta_of_1_compare_each_value_with_the_one_before():
    rule = HessianStop(every=1, window=1, delta=1, factor=2.0, start=0)
    assert decide(rule, [0, 1, 2, 3, 4], [1.0, 1.9, 3.7, 7.5, 1.0], 10) == (3, 2)


@pytest.mark.parametrize("factor", [0.9, 1.1, 1.5, 2.0])
def test_the_factor_is_what_a_doubling_in_every_evaluation_is_compared_with(factor):
    # Means of a series that grows by r grow by r^4 in 4 evaluations.
    growth = 1.2 ** (1 / 4)
    stops = decide(HessianStop(factor=factor), EPOCHS, [growth**n for n in range(26)], 50) is not None
    assert stops == (factor < 1.2)
