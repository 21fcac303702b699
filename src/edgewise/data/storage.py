"""Where images live during a run: decoded in memory, or encoded until they are needed."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from edgewise.data.decode import Format
from edgewise.data.images import Images
from edgewise.data.normalisation import Normalisation
from edgewise.data.parallel_decoding import Unreadable, check_memory, read_images, survey_images
from edgewise.data.settings import DataSettings
from edgewise.data.source import Part
from edgewise.data.streamed import StreamedPixels
from edgewise.runtime.memory import free_bytes

# Decoded images are there up to three times: as read, cut into splits, and joined for a training.
_COPIES = 3
# Fewer than these, decoded, and streaming makes no sense either.
_AT_ONCE = 64


def streams(settings: DataSettings, images: int, kept_as: Format, notes: list[str]) -> bool:
    """Whether images are decoded as they are needed; a note says so.

    Args:
        settings: `stream` asks for it, forbids it, or leaves it to the free memory.
        images: how many.
        kept_as: their size.
        notes: lines for the user.
    """
    decoded = int(np.prod((images, kept_as.channels, kept_as.size, kept_as.size), dtype=np.int64))
    free = free_bytes("cpu")
    if settings.stream == "never" or (settings.stream == "auto" and _COPIES * decoded <= free):
        return False
    notes.append(
        f"images are decoded as they are needed (data.stream = {settings.stream}): decoded, all {images} take "
        f"{decoded / 1e9:.1f} GB, up to {_COPIES} times; {free / 1e9:.1f} GB are free"
    )
    return True


def read_part(part: Part, rows: Tensor, kept_as: Format) -> tuple[Images, Normalisation, list[Unreadable]]:
    """Decodes rows into memory; measures them; names those that can't be read, which are left out.

    Args:
        part: the images.
        rows: which of them.
        kept_as: their size.
    """
    pixels, bad = read_images(part, rows, size=kept_as.size, channels=kept_as.channels)
    labels = part.labels[rows]
    if bad:
        kept = _readable(rows, bad)
        pixels, labels = pixels[kept], labels[kept]
    return Images(pixels, labels), Normalisation.measure(pixels), bad


def stream_part(part: Part, rows: Tensor, kept_as: Format) -> tuple[Images, Normalisation, list[Unreadable]]:
    """As `read_part`, but decodes each image once and forgets it: what is returned decodes it again."""
    at_once = min(len(rows), _AT_ONCE)
    check_memory((at_once, kept_as.channels, kept_as.size, kept_as.size))
    counts, bad = survey_images(part, rows, size=kept_as.size, channels=kept_as.channels)
    if bad:
        rows = rows[_readable(rows, bad)]
    pixels = StreamedPixels(part, rows, size=kept_as.size, channels=kept_as.channels)
    return Images(pixels, part.labels[rows]), Normalisation.of_counts(counts), bad


def _readable(rows: Tensor, bad: list[Unreadable]) -> Tensor:
    return torch.nonzero(~torch.isin(rows, torch.tensor([one.row for one in bad]))).flatten()
