from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgewise.budget import Budget, read_bytes, read_count, read_milliseconds, show_bytes, show_count, show_figure
from edgewise.config.build import build
from edgewise.errors import ConfigError


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("100000", 100_000),
        ("100k", 100_000),
        ("1.5M", 1_500_000),
        ("2 G", 2 * 10**9),
        ("1_000", 1000),
        ("1k", 1000),
    ],
)
def test_counts_are_read_as_people_write_them(text: str, number: int) -> None:
    assert read_count(text) == number


@pytest.mark.parametrize(
    ("text", "number"),
    [("400kB", 400_000), ("64KiB", 65_536), ("1.5MB", 1_500_000), ("2MiB", 2**21), ("12", 12), ("7B", 7)],
)
def test_bytes_are_read_in_thousands_and_in_1024s(text: str, number: int) -> None:
    assert read_bytes(text) == number


def test_a_kb_whose_meaning_is_unsure_is_the_smaller_of_the_two() -> None:
    assert read_bytes("64KB") == 64_000 < read_bytes("64KiB")


@pytest.mark.parametrize(("text", "number"), [("5ms", 5.0), ("0.5", 0.5), ("250us", 0.25), ("2s", 2000.0)])
def test_times_are_read_as_milliseconds(text: str, number: float) -> None:
    assert read_milliseconds(text) == number
    assert isinstance(read_milliseconds(text), float)


@given(st.integers(1, 10**12))
def test_a_number_means_itself_in_every_unit(number: int) -> None:
    assert read_count(str(number)) == read_bytes(str(number)) == number
    assert read_count(number) == number


@pytest.mark.parametrize(
    ("limit", "value", "said"),
    [
        ("params", 0, "must be greater than or equal to 1"),
        ("params", "0", "must be greater than or equal to 1"),
        ("ram", "-3kB", "must be greater than or equal to 1"),
        ("latency_ms", "0ms", "must be greater than 0"),
        ("latency_ms", "-1", "must be greater than 0"),
        ("params", "10q", "unknown suffix 'q'"),
        ("macs", "10kB", "unknown suffix 'kB'"),
        ("size", "10ms", "unknown suffix 'ms'"),
        ("latency_ms", "10kB", "unknown suffix 'kB'"),
        ("params", "", "is no amount"),
        ("params", "many", "is no amount"),
        ("params", "1e99", "less than or equal to"),
        ("params", "1e-3", "must be greater than or equal to 1"),
        ("params", "9" * 10_000, "is no amount"),
        ("params", "10" + "k" * 100, "is no amount"),
        ("params", True, "must be a valid integer"),
        ("params", 1.5, "must be a valid integer"),
        ("size", "999999999999GB", "less than or equal to"),
    ],
)
def test_what_is_no_limit_is_refused_by_name(limit: str, value: object, said: str) -> None:
    with pytest.raises(ConfigError, match=limit) as caught:
        build(Budget, {limit: value})
    assert said in str(caught.value)


def test_figures_are_shown_in_units_that_people_read() -> None:
    assert [show_count(78_666), show_count(12_501_632)] == ["78,666", "12.50 M"]
    assert [show_bytes(512), show_bytes(49_152), show_bytes(1_500_000)] == ["512 B", "49.2 kB", "1.50 MB"]
    assert [show_figure("latency_ms", 1.234), show_figure("ram", 10), show_figure("macs", 5)] == [
        "1.23 ms",
        "10 B",
        "5",
    ]
