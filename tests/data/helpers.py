"""Small sets of images, made for tests."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import torch
from PIL import Image

from edgewise.data import Images, Normalisation, SealedImages, Splits

NEUTRAL = Normalisation((0.0,), (1.0,))


def image(value: int = 0, *, size: tuple[int, int] = (8, 8), mode: str = "RGB") -> Image.Image:
    """An image of one value."""
    return Image.new(mode, size, value if mode != "RGB" else (value, value, value))


def write_folder(
    root: Path, counts: Mapping[str, int], *, size: tuple[int, int] = (8, 8), mode: str = "RGB"
) -> Path:
    """A folder of class folders; image i of class c has the value 20 c + i."""
    for c, (name, count) in enumerate(counts.items()):
        (root / name).mkdir(parents=True)
        for i in range(count):
            image(20 * c + i, size=size, mode=mode).save(root / name / f"{i:03}.png")
    return root


def encoded(value: int = 0, *, size: tuple[int, int] = (8, 8)) -> bytes:
    """A PNG file's content."""
    buffer = io.BytesIO()
    image(value, size=size).save(buffer, "PNG")
    return buffer.getvalue()


def write_parquet(path: Path, columns: Mapping[str, Sequence[Any]]) -> Path:
    """A table without metadata of the `datasets` library."""
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.table(dict(columns)), path)
    return path


def rows(labels: Sequence[Any], *, image_column: str = "image", label_column: str = "label") -> dict[str, Any]:
    """Columns of a table: image i has the value i."""
    cells = [{"bytes": encoded(i), "path": f"{i}.png"} for i in range(len(labels))]
    return {image_column: cells, label_column: list(labels)}


def numbered(count: int, *, channels: int = 1, size: int = 4) -> Images:
    """Images whose every pixel is their number, all of class 0 or 1."""
    pixels = torch.arange(count, dtype=torch.uint8)[:, None, None, None].expand(count, channels, size, size)
    return Images(pixels.contiguous(), torch.arange(count) % 2)


def splits_of(images: Images, *, flip_safe: bool = True) -> Splits:
    """Splits whose three sets are all `images`."""
    return Splits(
        weights=images,
        arch=images,
        test=SealedImages(images),
        class_names=("a", "b"),
        normalisation=NEUTRAL,
        fingerprint="",
        source="made up",
        flip_safe=flip_safe,
    )


def values(images: Images) -> list[int]:
    """The top left value of the first channel of each image."""
    return np.asarray(images.pixels[:, 0, 0, 0]).tolist()
