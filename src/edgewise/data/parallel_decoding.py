"""Reads many images in threads, and says which could not be read."""

from __future__ import annotations

import os
import threading
import warnings
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from edgewise.data.decode import Header, read_header, read_pixels, reason_of
from edgewise.data.source import Part
from edgewise.errors import DataError
from edgewise.runtime.memory import free_bytes

_CHUNK = 256
_SHOWN = 5


@dataclass(frozen=True)
class Unreadable:
    """An image that can't be read.

    Args:
        row: its row in its part.
        where: its file or row, for messages.
        reason: why.
    """

    row: int
    where: str
    reason: str

    def __str__(self) -> str:
        return f"{self.where}: {self.reason}"


def read_headers(part: Part, rows: Tensor) -> tuple[list[Header], list[Unreadable]]:
    """The headers of these rows without those that can't be read, and those."""
    found: dict[int, Header] = {}

    def work(position: int, row: int) -> None:
        with part.open(row) as image:
            found[position] = read_header(image)

    bad = _each(part, rows.tolist(), work)
    return [found[position] for position in sorted(found)], bad


def read_images(part: Part, rows: Tensor, *, size: int, channels: int) -> tuple[Tensor, list[Unreadable]]:
    """Decodes these rows.

    Args:
        part: the images.
        rows: int64 [N], which of them.
        size: pixels a side.
        channels: 1 or 3.

    Returns:
        uint8 [N, C, size, size], zero where an image can't be read, and those.

    Raises:
        DataError: the images don't fit in memory.
    """
    shape = (len(rows), channels, size, size)
    check_memory(shape)
    pixels = np.zeros(shape, dtype=np.uint8)

    def work(position: int, row: int) -> None:
        with part.open(row) as image:
            pixels[position] = read_pixels(image, size=size, channels=channels)

    bad = _each(part, rows.tolist(), work)
    return torch.from_numpy(pixels), bad


def survey_images(part: Part, rows: Tensor, *, size: int, channels: int) -> tuple[Tensor, list[Unreadable]]:
    """Decodes these rows and keeps none.

    Returns:
        int64 [C, 256], how often each value occurs in the images that can be read, and those that can't.
    """
    counts = np.zeros((channels, 256), dtype=np.int64)
    lock = threading.Lock()

    def work(position: int, row: int) -> None:
        with part.open(row) as image:
            pixels = read_pixels(image, size=size, channels=channels)
        found = np.stack([np.bincount(plane.reshape(-1), minlength=256) for plane in pixels])
        with lock:
            np.add(counts, found, out=counts)

    bad = _each(part, rows.tolist(), work)
    return torch.from_numpy(counts), bad


def raise_unreadable(bad: Sequence[Unreadable], source: str) -> None:
    """Raises one DataError that names the first few, if there are any."""
    if not bad:
        return
    listed = "".join(f"\n  {one}" for one in bad[:_SHOWN])
    more = f"\n  and {len(bad) - _SHOWN} more" if len(bad) > _SHOWN else ""
    count = "1 image" if len(bad) == 1 else f"{len(bad)} images"
    raise DataError(
        f"{count} of {source} can't be read:{listed}{more}\n"
        f"repair or remove them, or leave them out with --skip-bad (data.skip_bad = true)"
    )


def _each(part: Part, rows: Sequence[int], work: Callable[[int, int], None]) -> list[Unreadable]:
    def run(start: int) -> list[Unreadable]:
        bad = []
        for position in range(start, min(start + _CHUNK, len(rows))):
            try:
                work(position, rows[position])
            except MemoryError:
                raise
            except Exception as error:  # PIL and its codecs raise a dozen types for damaged files
                bad.append(Unreadable(rows[position], part.where(rows[position]), reason_of(error)))
        return bad

    # `open_image` refuses huge images, of which PIL warns, and odd tags make no difference to pixels. Filters are
    # the process's: putting these back would race with other threads.
    warnings.filterwarnings("ignore", category=Image.DecompressionBombWarning)
    warnings.filterwarnings("ignore", category=UserWarning, module=r"PIL\.")
    pool = ThreadPoolExecutor(max_workers=os.cpu_count() or 1)
    try:
        return [one for bad in pool.map(run, range(0, len(rows), _CHUNK)) for one in bad]
    finally:
        # Ctrl-C must not wait for the images that are still in the queue.
        pool.shutdown(cancel_futures=True)


def check_memory(shape: tuple[int, int, int, int]) -> None:
    """Raises DataError if images of this shape, [N, C, H, W], don't fit in memory twice."""
    needed = 2 * int(np.prod(shape, dtype=np.int64))  # once here, once more while the splits are made
    available = free_bytes("cpu")
    if needed > available:
        raise DataError(
            f"{shape[0]} images of {shape[2]}x{shape[3]}x{shape[1]} need {needed / 2**30:.1f} GiB of memory, "
            f"{available / 2**30:.1f} GiB are free: lower data.image_size or "
            f"data.train_images, or have them decoded as they are needed (data.stream = always)"
        )
