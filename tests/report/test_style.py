from __future__ import annotations

import re
from importlib.resources import files

import pytest

CSS = (files("edgewise.report") / "templates" / "page.css").read_text()
LIGHT = dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6})", CSS.split("@media")[0]))
DARK = dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6})", CSS.split("@media")[1]))
TEXTS = [
    *(
        (text, ground)
        for text in ("text", "quiet", "accent", "good", "warn", "bad")
        for ground in ("page", "surface")
    ),
    *((kind, f"{kind}-fill") for kind in ("skip", "pool", "parametrised")),
    *((kind, "page") for kind in ("skip", "pool", "parametrised")),
]
LINES = [
    "plot-weights",
    "plot-arch",
    "plot-beta",
    "plot-found",
    "plot-random",
    "plot-hand",
    "plot-mark",
    "plot-absent",
    "concat",
]


def luminance(colour: str) -> float:
    channels = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(a: str, b: str) -> float:
    high, low = sorted((luminance(a), luminance(b)), reverse=True)
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("theme", [LIGHT, DARK], ids=["light", "dark"])
@pytest.mark.parametrize(("text", "ground"), TEXTS)
def test_texts_have_the_contrast_that_wcag_asks_for(theme: dict[str, str], text: str, ground: str) -> None:
    assert contrast(theme[text], theme[ground]) >= 4.5


@pytest.mark.parametrize("theme", [LIGHT, DARK], ids=["light", "dark"])
@pytest.mark.parametrize("line", LINES)
def test_lines_stand_out_from_their_ground(theme: dict[str, str], line: str) -> None:
    assert contrast(theme[line], theme["surface"]) >= 3


def test_light_and_dark_name_the_same_colours() -> None:
    assert set(LIGHT) == set(DARK)
