"""A small table with made-up numbers, and files of it."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from edgewise.tabular import ACCURACIES
from edgewise.tabular.columns import REQUIRED

ARCHS = (
    "|nor_conv_3x3~0|+|nor_conv_3x3~0|none~1|+|skip_connect~0|nor_conv_3x3~1|nor_conv_1x1~2|",
    "|skip_connect~0|+|skip_connect~0|skip_connect~1|+|skip_connect~0|skip_connect~1|skip_connect~2|",
    "|none~0|+|none~0|none~1|+|none~0|none~1|none~2|",
    "|avg_pool_3x3~0|+|none~0|none~1|+|none~0|none~1|nor_conv_1x1~2|",
)
# Two cells share the second place.
SCORES = (90.0, 50.0, 10.0, 50.0)


def rows() -> list[dict[str, Any]]:
    """A row for each of `ARCHS`; every accuracy of a row is its score, minus .5 for each column to the right."""
    return [
        {
            "index": 10 * i,
            "arch": arch,
            "params": 73_306 + i,
            "flops": 7_783_050 + i,
            "n_seeds_valid": 2 + i % 2,
            **{column: score - 0.5 * place for place, column in enumerate(ACCURACIES)},
        }
        for i, (arch, score) in enumerate(zip(ARCHS, SCORES, strict=True))
    ]


def write_csv(path: Path, some: Sequence[dict[str, Any]], columns: Sequence[str] = REQUIRED) -> Path:
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, columns, extrasaction="ignore")
        writer.writeheader()
        writer.writerows(some)
    return path
