"""Images that stay where they are, encoded, and are decoded by workers when they are asked for."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor

import numpy as np
import torch
from torch import Tensor

from edgewise.data.decode import read_pixels, reason_of
from edgewise.data.source import Part
from edgewise.errors import DataError
from edgewise.runtime.transfer import to_device

# Images that one worker decodes in one go.
_GRAIN = 16


class StreamedPixels:
    """What stands for a tensor uint8 [N, C, size, size]: indexing decodes, and gives that tensor's rows.

    Args:
        part: the images.
        rows: int64 [N], which of them, in this order.
        size: pixels a side.
        channels: 1 or 3.
        workers: decode in threads; shared by all that is made from this.
        device: where decoded images are put.
    """

    def __init__(
        self,
        part: Part,
        rows: Tensor,
        *,
        size: int,
        channels: int,
        workers: ThreadPoolExecutor | None = None,
        device: torch.device | str = "cpu",
    ) -> None:
        self.part = part
        self.rows = rows
        self.shape = torch.Size((len(rows), channels, size, size))
        self.device = torch.device(device)
        self._workers = workers or ThreadPoolExecutor(os.cpu_count() or 1, thread_name_prefix="decode")
        self._coming: dict[bytes, list[Future[np.ndarray]]] = {}

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, index: Tensor | slice) -> Tensor:
        """The images of these rows, decoded."""
        rows = self._rows_at(index)
        coming = self._coming.pop(_key(rows), None)
        parts = self._begin(rows) if coming is None else coming
        if not parts:
            return torch.empty((0, *self.shape[1:]), dtype=torch.uint8, device=self.device)
        return to_device(torch.from_numpy(np.concatenate([part.result() for part in parts])), self.device)

    def ahead(self, index: Tensor | slice) -> None:
        """Has workers begin with rows that will be asked for together."""
        rows = self._rows_at(index)
        if _key(rows) not in self._coming:
            self._coming[_key(rows)] = self._begin(rows)

    def forget(self) -> None:
        """Gives up what was begun and will not be asked for."""
        for parts in self._coming.values():
            for part in parts:
                part.cancel()
        self._coming.clear()

    def split(self, size: int) -> Iterator[Tensor]:
        """All images in order, so many at a time, decoded ahead."""
        for start in range(0, len(self), size):
            if start + size < len(self):
                self.ahead(slice(start + size, start + 2 * size))
            yield self[start : start + size]

    def pick(self, index: Tensor) -> StreamedPixels:
        """Some of the images, still encoded."""
        return self._with(self.rows[index])

    def joined(self, other: StreamedPixels) -> StreamedPixels:
        """These and then the others, which come from the same part."""
        if other.part is not self.part:
            raise ValueError("images of two parts can't be joined: join images of one part")
        return self._with(torch.cat([self.rows, other.rows]))

    def to(self, device: torch.device | str) -> StreamedPixels:
        """The same images, put on `device` when they are decoded."""
        return self._with(self.rows, device)

    def _with(self, rows: Tensor, device: torch.device | str | None = None) -> StreamedPixels:
        _, channels, size, _ = self.shape
        return StreamedPixels(
            self.part,
            rows,
            size=size,
            channels=channels,
            workers=self._workers,
            device=self.device if device is None else device,
        )

    def _rows_at(self, index: Tensor | slice) -> Tensor:
        return self.rows[index if isinstance(index, slice) else index.cpu()]

    def _begin(self, rows: Tensor) -> list[Future[np.ndarray]]:
        wanted = rows.tolist()
        return [
            self._workers.submit(self._decode, wanted[start : start + _GRAIN])
            for start in range(0, len(wanted), _GRAIN)
        ]

    def _decode(self, rows: Sequence[int]) -> np.ndarray:
        _, channels, size, _ = self.shape
        pixels = np.empty((len(rows), channels, size, size), dtype=np.uint8)
        for position, row in enumerate(rows):
            try:
                with self.part.open(row) as image:
                    pixels[position] = read_pixels(image, size=size, channels=channels)
            except MemoryError:
                raise
            except Exception as error:  # PIL and its codecs raise a dozen types for damaged files
                raise DataError(
                    f"{self.part.where(row)} can't be read any more ({reason_of(error)}), though it could at the "
                    f"start: restore it and resume the run"
                ) from error
        return pixels


Pixels = Tensor | StreamedPixels


def pick(pixels: Pixels, index: Tensor) -> Pixels:
    """Some of the images: copied, or still encoded."""
    return pixels.pick(index) if isinstance(pixels, StreamedPixels) else pixels[index]


def join(first: Pixels, second: Pixels) -> Pixels:
    """The images of both."""
    if isinstance(first, StreamedPixels) and isinstance(second, StreamedPixels):
        return first.joined(second)
    return torch.cat([first[:], second[:]])


def announce(pixels: Pixels, index: Tensor | slice) -> None:
    """Says which images will be asked for next, together."""
    if isinstance(pixels, StreamedPixels):
        pixels.ahead(index)


def forget(pixels: Pixels) -> None:
    """Says that what was announced will not be asked for."""
    if isinstance(pixels, StreamedPixels):
        pixels.forget()


def _key(rows: Tensor) -> bytes:
    return rows.numpy().tobytes()
