"""What every source of images gives: parts whose images are read one by one, on demand."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from PIL import Image
from torch import Tensor


@dataclass(frozen=True, eq=False)
class Part:
    """Labelled images that are not read yet.

    Args:
        labels: int64 [N], indices of classes.
        open: the image of a row, as PIL opens it; called from several threads.
        where: the file or row of an image, for messages.
    """

    labels: Tensor
    open: Callable[[int], Image.Image]
    where: Callable[[int], str]

    def __len__(self) -> int:
        return len(self.labels)


@dataclass(frozen=True, eq=False)
class Source:
    """A set of images before it is cut and read.

    Args:
        name: what the user named.
        train: training images.
        test: test images; None where they have to be cut from `train`.
        class_names: names, in the order of the labels.
        flip_safe: whether a mirrored image is still the same object.
        notes: lines for the user.
    """

    name: str
    train: Part
    test: Part | None
    class_names: tuple[str, ...]
    flip_safe: bool = True
    notes: tuple[str, ...] = ()
