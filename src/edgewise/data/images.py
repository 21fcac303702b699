"""Images as tensors, and the three sets that a run needs; the test set is sealed."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass

import torch
from torch import Tensor

from edgewise.data.normalisation import Normalisation
from edgewise.data.streamed import Pixels, join, pick

_CHUNK = 4096


@dataclass(frozen=True, eq=False)
class Images:
    """Images with their labels.

    Args:
        pixels: uint8 [N, C, H, W], or what stands for it where images are decoded as they are needed.
        labels: int64 [N], indices of classes.
    """

    pixels: Pixels
    labels: Tensor

    def __len__(self) -> int:
        return len(self.labels)

    def to(self, device: torch.device | str) -> Images:
        """The same images on `device`; nothing is copied that is there already."""
        return Images(self.pixels.to(device), self.labels.to(device))

    def take(self, rows: Tensor) -> Images:
        """The images of these rows, copied."""
        return Images(pick(self.pixels, rows), self.labels[rows])


class SealedImages:
    """Test images: there is one way to them, and it counts."""

    def __init__(self, images: Images) -> None:
        self._images = images
        self.opened = 0

    def __len__(self) -> int:
        return len(self._images)

    def open(self) -> Images:
        """The images; `opened` goes up by one."""
        self.opened += 1
        return self._images


@dataclass(frozen=True, eq=False)
class Splits:
    """All that a run knows about its data.

    Args:
        weights: images that train the weights in a search.
        arch: images that train alpha and beta in a search.
        test: images that are looked at once, after training.
        class_names: names, in the order of the labels.
        normalisation: measured on weights and arch.
        fingerprint: sha256 of the pixels and labels of weights, arch and test.
        source: what the user named.
        flip_safe: whether a mirrored image is still the same object.
        notes: what was resized, capped, cut or left out, a line each.
        bad_files: unreadable images that were left out.
    """

    weights: Images
    arch: Images
    test: SealedImages
    class_names: tuple[str, ...]
    normalisation: Normalisation
    fingerprint: str
    source: str
    flip_safe: bool = True
    notes: tuple[str, ...] = ()
    bad_files: tuple[str, ...] = ()

    @property
    def train(self) -> Images:
        """The weights and arch images together, in this order."""
        return Images(
            join(self.weights.pixels, self.arch.pixels),
            torch.cat([self.weights.labels, self.arch.labels]),
        )

    @property
    def image_size(self) -> int:
        """Pixels a side."""
        return int(self.weights.pixels.shape[-1])

    @property
    def channels(self) -> int:
        """3 for RGB, 1 for grey."""
        return int(self.weights.pixels.shape[1])

    @property
    def classes(self) -> int:
        """How many classes there are."""
        return len(self.class_names)


def fingerprint(sets: Iterable[Images]) -> str:
    """The sha256 of the shapes, pixels and labels of these sets, in order, as 64 hex digits."""
    digest = hashlib.sha256()
    for images in sets:
        digest.update(repr(tuple(images.pixels.shape)).encode())
        for chunk in images.pixels.split(_CHUNK):
            digest.update(chunk.contiguous().numpy().data)
        digest.update(images.labels.contiguous().numpy().astype("<i8").data)
    return digest.hexdigest()
