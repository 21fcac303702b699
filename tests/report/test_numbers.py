from __future__ import annotations

import pytest

from edgewise.report.numbers import comparison, count, duration, interval, megabytes, percent


def test_numbers_read_as_people_write_them() -> None:
    assert percent(0.97222) == "97.22 %"
    assert percent(1.0) == "100.00 %"
    assert percent(None) == "–"
    assert count(1234567) == "1,234,567"
    assert megabytes(412_345_678) == "412.3 MB"


def test_seconds_become_minutes_and_hours_without_a_sixtieth_second() -> None:
    assert duration(4.21) == "4.2 s"
    assert duration(59.96) == "1 min 00 s"
    assert duration(185) == "3 min 05 s"
    assert duration(3599.7) == "1 h 00 min"
    assert duration(7620) == "2 h 07 min"


def test_the_interval_is_wilsons() -> None:
    # By hand for 9 of 10: centre (0.9 + z²/20) / (1 + z²/10), z = 1.959964.
    assert interval(0.9, 10) == pytest.approx((0.59585, 0.98212), abs=1e-5)
    assert interval(1.0, 100)[1] == 1.0
    assert interval(1.0, 100)[0] == pytest.approx(0.96300, abs=1e-4)


def test_a_difference_that_the_test_images_cannot_tell_apart_is_level() -> None:
    assert comparison(0.95, 0.94, 360)[0] == "level with"
    assert comparison(0.95, 0.94, 100_000)[0] == "above"
    assert comparison(0.94, 0.95, 100_000)[0] == "below"
    assert comparison(1.0, 1.0, 360)[0] == "level with"


def test_a_comparison_prints_the_difference_in_points_and_its_margin() -> None:
    # 1.959964 * sqrt((.9 * .1 + .8 * .2) / 100) = 9.80 points.
    assert comparison(0.9, 0.8, 100) == ("above", "+10.00 points, 95 % margin ±9.80")
