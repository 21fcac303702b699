"""Amounts as people write them: 100k weights, 20M multiply-adds, 400kB, 64KiB, 5ms."""

from __future__ import annotations

import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Annotated, Any

from annotated_types import Ge, Gt, Le
from pydantic import BeforeValidator

MOST = 10**15
MOST_MILLISECONDS = 3_600_000.0
_COUNTS = {"": 1, "k": 10**3, "M": 10**6, "G": 10**9}
_BYTES = {
    **{"": 1, "B": 1, "kB": 10**3, "MB": 10**6, "GB": 10**9},
    **{"KiB": 2**10, "MiB": 2**20, "GiB": 2**30},
}
_TIMES = {"": 1, "ms": 1, "us": Decimal("0.001"), "s": 1000}
_LONGEST = 40


def read_count(value: Any) -> Any:
    """A count written as a number with k, M or G, such as 100k; anything but a text stays as it is.

    Raises:
        ValueError: the text is no such amount; says what is.
    """
    return _read(value, _COUNTS, "100000, 100k or 1.5M")


def read_bytes(value: Any) -> Any:
    """Bytes written as a number with B, kB, MB (thousands) or KiB, MiB (1024s); see `read_count`.

    KB, which some use for 1,000 and others for 1,024, is 1,000: a limit is then never above what was meant.
    """
    return _read(value, _BYTES | {"KB": 10**3, "K": 10**3, "k": 10**3, "M": 10**6}, "400kB, 64KiB or 1.5MB")


def read_milliseconds(value: Any) -> Any:
    """A time written as a number with ms, us or s; see `read_count`."""
    number = _read(value, _TIMES, "5ms, 0.5ms or 500us", whole=False)
    return float(number) if isinstance(number, int) and not isinstance(number, bool) else number


def _read(value: Any, units: Mapping[str, Any], example: str, *, whole: bool = True) -> Any:
    if isinstance(value, float) and whole and value.is_integer() and abs(value) <= MOST:
        return int(value)
    if not isinstance(value, str):
        return value
    text = value.strip()
    match = re.fullmatch(
        r"([+-]?[0-9]{1,18}(?:_[0-9]{1,18})*(?:\.[0-9]{1,18})?(?:[eE][+-]?[0-9]{1,2})?)\s*([A-Za-z]*)", text
    )
    if match is None or len(text) > _LONGEST:
        raise ValueError(f"is no amount: write it like {example}")
    if match[2] not in units:
        known = ", ".join(unit for unit in units if unit)
        raise ValueError(f"has the unknown suffix {match[2][:20]!r} (known: {known}): write it like {example}")
    amount = Decimal(match[1].replace("_", "")) * units[match[2]]
    return int(amount) if whole else float(amount)


Count = Annotated[int, BeforeValidator(read_count), Ge(1), Le(MOST)]
"""A limit on a number of weights or multiply-adds."""
Bytes = Annotated[int, BeforeValidator(read_bytes), Ge(1), Le(MOST)]
"""A limit on bytes."""
Milliseconds = Annotated[float, BeforeValidator(read_milliseconds), Gt(0), Le(MOST_MILLISECONDS)]
"""A limit on milliseconds."""


def show_count(value: float) -> str:
    """A count for people: 78,666; from a million on 12.50 M."""
    return f"{value / 1e6:,.2f} M" if value >= 1e6 else f"{value:,.0f}"


def show_bytes(value: float) -> str:
    """Bytes for people, in thousands: 512 B, 49.2 kB, 1.50 MB."""
    if value < 1000:
        return f"{value:.0f} B"
    return f"{value / 1e3:,.1f} kB" if value < 1e6 else f"{value / 1e6:,.2f} MB"


def show_figure(name: str, value: float) -> str:
    """A figure of a network for people.

    Args:
        name: "params", "macs", "size", "ram" or "latency_ms".
        value: weights, multiply-adds, bytes or milliseconds.
    """
    if name == "latency_ms":
        return f"{value:.3g} ms"
    return show_bytes(value) if name in ("size", "ram") else show_count(value)


def write_amount(name: str, value: float) -> str:
    """The shortest exact way to write a limit, as its option reads it: 20k, 64KiB, 0.5ms.

    Args:
        name: see `show_figure`.
        value: see `show_figure`.
    """
    if name == "latency_ms":
        return f"{value!r}ms".replace(".0ms", "ms")
    units = _BYTES if name in ("size", "ram") else _COUNTS
    written = [f"{value // size:.0f}{unit}" for unit, size in units.items() if value % size == 0]
    return min(written, key=lambda text: (len(text.rstrip("BKMGikb")), len(text)))


TITLES = {
    **{"params": "parameters", "macs": "multiply-adds", "size": "size", "ram": "RAM"},
    "latency_ms": "latency",
}
"""What people call each figure of a network."""


def figures_of(entry: Mapping[str, Any]) -> dict[str, float]:
    """The figures of a network by the names of a budget; what is not known is left out.

    Args:
        entry: as results.json keeps it.
    """
    latency = entry.get("latency")
    values = {**entry, **({"latency_ms": latency.get("median_ms")} if latency else {})}
    return {name: values[name] for name in TITLES if values.get(name) is not None}


def show_used(name: str, value: float, used: Mapping[str, float], *, digits: int = 1) -> str:
    """A figure for people, with the share of its limit where it has one: 78,120 (99.3%).

    Args:
        name: see `show_figure`.
        value: see `show_figure`.
        used: shares, by the names of the limits.
        digits: of the share, behind the point.
    """
    return show_figure(name, value) + (f" ({used[name]:.{digits}%})" if name in used else "")


def show_limits(limits: Mapping[str, float]) -> str:
    """Limits for people: parameters 80,000, RAM 64.0 kB."""
    return ", ".join(f"{TITLES.get(name, name)} {show_figure(name, value)}" for name, value in limits.items())
