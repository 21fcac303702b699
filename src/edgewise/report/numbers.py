"""Numbers as the page prints them, and what they can bear."""

from __future__ import annotations

from math import sqrt

# Normal quantile of a two-sided 95 % interval.
Z = 1.959964


def percent(share: float | None) -> str:
    """A share, 0 to 1, as a percentage with two decimals; a dash for None."""
    return "–" if share is None else f"{share:.2%}".replace("%", " %")


def count(number: int) -> str:
    """A whole number with its thousands marked."""
    return f"{number:,}"


def duration(seconds: float) -> str:
    """Seconds as people read them: 4.2 s, 3 min 05 s, 2 h 07 min."""
    if seconds < 59.95:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    minutes = round(seconds / 60)
    return f"{minutes // 60} h {minutes % 60:02d} min"


def megabytes(size: int) -> str:
    """Bytes as megabytes (1 MB is 1,000,000 bytes)."""
    return f"{size / 1e6:,.1f} MB"


def interval(share: float, images: int) -> tuple[float, float]:
    """The 95 % interval of an accuracy measured on `images` images.

    Source: Wilson 1927, the score interval.
    """
    if images <= 0:
        return 0.0, 1.0
    z2 = Z * Z / images
    middle = (share + z2 / 2) / (1 + z2)
    half = Z * sqrt(share * (1 - share) / images + z2 / (4 * images)) / (1 + z2)
    return max(0.0, middle - half), min(1.0, middle + half)


def comparison(found: float, other: float, images: int) -> tuple[str, str]:
    """How two accuracies on the same test images compare: a word, and a sentence's end with the figures.

    The samples are counted as independent, which is cautious for two networks that see the same images.

    Args:
        found: accuracy of the found network, 0 to 1.
        other: accuracy of the network it is compared with.
        images: test images.
    """
    points = 100 * (found - other)
    error = 100 * Z * sqrt((found * (1 - found) + other * (1 - other)) / max(images, 1))
    figures = f"{points:+.2f} points, 95 % margin ±{error:.2f}"
    if abs(points) <= error or points == 0:
        return "level with", figures
    return ("above" if points > 0 else "below"), figures
