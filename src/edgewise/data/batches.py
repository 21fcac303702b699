"""Batches of training images, endless and resumable, and of test images, in order."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from edgewise.data.augment import Augment
from edgewise.data.images import Images
from edgewise.data.normalisation import Normalisation
from edgewise.data.streamed import announce, forget
from edgewise.errors import DataError
from edgewise.runtime.distributed import ALONE, Processes
from edgewise.runtime.transfer import to_device

_AHEAD = 2  # batches that are decoded while others train, where images are streamed


@dataclass(frozen=True, eq=False)
class Batch:
    """Some images, ready for a network.

    Args:
        x: float32 [B, C, H, W], normalised.
        y: int64 [B], labels.
        index: int64 [B], the images' rows in their set.
        whole: the images of all processes together; None where they are these.
    """

    x: Tensor
    y: Tensor
    index: Tensor
    whole: int | None = None

    def __len__(self) -> int:
        return len(self.y)

    @property
    def total(self) -> int:
        """The images of all processes together."""
        return len(self) if self.whole is None else self.whole


class Batches:
    """Shuffled batches without end; each pass shows every image once.

    Args:
        images: the set.
        batch_size: images a batch.
        generator: on the CPU; shuffles, and seeds a second generator of its own for the augmentation.
        normalisation: applied to every batch.
        augment: None shows the images as they are.
        drop_last: leave out a smaller last batch; otherwise it is shown, and a single image left over joins the
            batch before it (batch norm can't train on one).
        device: where the images are kept and batches are made.
        processes: who shares a batch: each makes its own rows of it, and all together those that one would make.

    Raises:
        DataError: there is not one batch in a pass, or a last one has fewer images than there are processes.
        ConfigError: full batches, the only ones, can't be cut into equal parts.
    """

    def __init__(
        self,
        images: Images,
        *,
        batch_size: int,
        generator: torch.Generator,
        normalisation: Normalisation,
        augment: Augment | None,
        drop_last: bool,
        device: torch.device | str,
        processes: Processes = ALONE,
    ) -> None:
        self._ends = _batch_ends(len(images), batch_size, drop_last=drop_last)
        self._processes = processes
        if drop_last:
            processes.check_divides(batch_size)
        _check_last(self._ends, processes)
        self._images = images.to(device)
        self._normalisation = normalisation
        self._augment = augment
        self._generator = generator
        seed = int(torch.randint(2**63 - 1, (), generator=generator))
        self._augment_generator = torch.Generator().manual_seed(seed)
        self._permutation = torch.randperm(len(images), generator=generator)
        self._batch = 0

    def __len__(self) -> int:
        """Batches in a pass."""
        return len(self._ends)

    def next(self) -> Batch:
        """The next batch; after the last of a pass, the first of a new order."""
        if self._batch == len(self._ends):
            self._permutation = torch.randperm(len(self._images), generator=self._generator)
            self._batch = 0
        total = len(self._rows(self._batch))
        rows = self._own(self._batch)
        index = to_device(rows, self._images.labels.device)
        for coming in range(self._batch, min(self._batch + 1 + _AHEAD, len(self._ends))):
            announce(self._images.pixels, self._own(coming))
        self._batch += 1
        # Images that are decoded on the way are looked up on the host.
        pixels = self._images.pixels[index if isinstance(self._images.pixels, Tensor) else rows]
        if self._augment is None:
            x = self._normalisation.apply(pixels)
        else:
            with self._processes.sharing(total):
                x = self._augment(
                    pixels,
                    normalisation=self._normalisation,
                    generator=self._augment_generator,
                    processes=self._processes,
                )
        return Batch(x, self._images.labels[index], index, total)

    def _rows(self, batch: int) -> Tensor:
        """The rows of a batch of this pass."""
        return self._permutation[self._ends[batch - 1] if batch else 0 : self._ends[batch]]

    def _own(self, batch: int) -> Tensor:
        """Those of them that are this process's."""
        rows = self._rows(batch)
        return rows[self._processes.rows(len(rows))]

    def state_dict(self) -> dict[str, Any]:
        """The exact position: tensors and plain values."""
        return {
            "permutation": self._permutation.clone(),
            "batch": self._batch,
            "generator": self._generator.get_state(),
            "augment_generator": self._augment_generator.get_state(),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Goes back to a position; the generator given at the start is moved too.

        Raises:
            DataError: the position was taken on another number of images or batches.
        """
        permutation, batch = state["permutation"], int(state["batch"])
        if len(permutation) != len(self._images) or not 0 <= batch <= len(self):
            raise DataError(
                f"a position in {len(permutation)} images, batch {batch}, does not fit {len(self._images)} images "
                f"in {len(self)} batches: resume with the images and the batch size that the run began with"
            )
        forget(self._images.pixels)
        self._permutation = permutation.clone()
        self._batch = batch
        self._generator.set_state(state["generator"])
        self._augment_generator.set_state(state["augment_generator"])


def in_order(
    images: Images, batch_size: int, normalisation: Normalisation, device: torch.device | str
) -> Iterator[Batch]:
    """All images once, in their order, as they are: for evaluation.

    Args:
        images: the set; only one batch at a time is moved to `device`.
        batch_size: images a batch; the last may be smaller.
        normalisation: applied to every batch.
        device: where batches are made.
    """
    for start in range(0, len(images), batch_size):
        stop = min(start + batch_size, len(images))
        announce(images.pixels, slice(start, stop))
        if stop < len(images):
            announce(images.pixels, slice(stop, min(stop + batch_size, len(images))))
        x = normalisation.apply(images.pixels[start:stop].to(device))
        yield Batch(x, images.labels[start:stop].to(device), torch.arange(start, stop, device=device))


def _batch_ends(images: int, batch_size: int, *, drop_last: bool) -> list[int]:
    """Where each batch of a pass ends in the permutation."""
    if batch_size < 1 or images < 1 or (drop_last and images < batch_size):
        raise DataError(
            f"{images} images give no batch of {batch_size}: use a batch size between 1 and the number of images"
        )
    ends = list(range(batch_size, images + 1, batch_size))
    left = images % batch_size
    if left and not drop_last:
        if left == 1 and ends:
            ends[-1] = images
        else:
            ends.append(images)
    return ends


def _check_last(ends: list[int], processes: Processes) -> None:
    least = min(stop - start for start, stop in zip([0, *ends], ends, strict=False))
    if least < processes.world:
        raise DataError(
            f"a batch of a pass has {least} {'image' if least == 1 else 'images'} for {processes.world} "
            "processes, and each needs one: choose another batch size, or launch fewer processes"
        )
