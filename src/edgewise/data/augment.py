"""Random crop, flip and cutout of whole batches, on the device where the images lie."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from edgewise.data.images import Splits
from edgewise.data.normalisation import Normalisation
from edgewise.data.settings import AugmentSettings
from edgewise.errors import ConfigError
from edgewise.runtime.distributed import ALONE, Processes
from edgewise.runtime.transfer import to_device

_DRAWS = 5  # crop row, crop column, flip, cutout row, cutout column


@dataclass(frozen=True)
class Augment:
    """What is done to every training image, anew each time that it is used.

    Args:
        crop_padding: pixels of black added on each side before the random crop; 0 is no crop.
        flip: whether half of the images are mirrored left to right.
        cutout: side of the blanked square in pixels; 0 is none.

    Source: DARTS, utils.py of the authors' code: crop and flip act on the raw pixels, then the image is
    normalised, then the square is blanked with zeros; it may hang over the border. Deviation: a square of odd side
    keeps its side (there it becomes one pixel smaller).
    """

    crop_padding: int
    flip: bool
    cutout: int = 0

    @classmethod
    def resolve(cls, settings: AugmentSettings, splits: Splits) -> Augment:
        """Fills in what the settings leave to the images.

        Raises:
            ConfigError: the padding or the square is too large for the images.
        """
        size = splits.image_size
        padding = size // 8 if settings.crop_padding is None else settings.crop_padding
        if padding >= size:
            raise ConfigError(
                f"crop_padding = {padding} pixels, but the images of {splits.source} are {size} pixels wide: some "
                f"crops would hold nothing but padding; set it below {size} (none: an eighth of the image)"
            )
        cutout = size // 2 if settings.cutout == "half" else settings.cutout
        if cutout >= size:
            raise ConfigError(
                f"cutout = {cutout} pixels, but the images of {splits.source} are {size} pixels wide: "
                f"the square would blank whole images; set it below {size} (half the width is usual, 0 is none)"
            )
        return cls(padding, splits.flip_safe if settings.flip is None else settings.flip, cutout)

    def __call__(
        self,
        pixels: Tensor,
        *,
        normalisation: Normalisation,
        generator: torch.Generator,
        processes: Processes = ALONE,
    ) -> Tensor:
        """The augmented and normalised batch, float32 [B, C, H, W].

        Args:
            pixels: [B, C, H, W], uint8 (0 to 255) or floating point (0 to 1).
            normalisation: applied between flip and cutout.
            generator: on the CPU; gives five numbers an image whatever is switched on, so that switching one thing
                on does not change the others.
            processes: who shares a batch; all draw for the whole of it.
        """
        batch, _, height, width = pixels.shape
        u = processes.drawn(
            lambda shape: torch.rand(shape, dtype=torch.float64, generator=generator), (batch, _DRAWS)
        )
        spots = 2 * self.crop_padding + 1
        top, left = (u[:, 0] * spots).long(), (u[:, 1] * spots).long()
        mirrored = (u[:, 2] < 0.5) & self.flip
        x = normalisation.apply(crop_and_flip(pixels, top, left, mirrored, padding=self.crop_padding))
        if self.cutout:
            x = cut_out(x, (u[:, 3] * height).long(), (u[:, 4] * width).long(), side=self.cutout)
        return x


def crop_and_flip(pixels: Tensor, top: Tensor, left: Tensor, mirrored: Tensor, *, padding: int) -> Tensor:
    """Cuts a window of the image's own size out of each image padded with zeros, and mirrors some.

    Args:
        pixels: [B, C, H, W].
        top: int64 [B], first row of the window in the padded image, 0 to 2 * padding.
        left: int64 [B], first column.
        mirrored: bool [B], which windows are mirrored left to right.
        padding: zeros on each side, pixels.
    """
    batch, _, height, width = pixels.shape
    device = pixels.device
    if padding:
        pixels = F.pad(pixels, (padding, padding, padding, padding))
    # All windows as a view, of which one an image is copied: gathers with an index a pixel take longer.
    windows = pixels.unfold(2, height, 1).unfold(3, width, 1)
    row, column = to_device(torch.stack([top, left]), device).unbind()
    chosen = windows[torch.arange(batch, device=device), :, row, column]
    turned = to_device(torch.nonzero(mirrored).flatten(), device)
    chosen[turned] = chosen[turned].flip(3)
    return chosen


def cut_out(x: Tensor, row: Tensor, column: Tensor, *, side: int) -> Tensor:
    """Sets a square to zero in each image, in place; what hangs over the border is lost.

    Args:
        x: [B, C, H, W].
        row: int64 [B], the square's centre (of an even side: the pixel below and right of it).
        column: int64 [B].
        side: pixels.
    """

    def inside(centre: Tensor, size: int) -> Tensor:
        distance = torch.arange(size) - (centre[:, None] - side // 2)
        return to_device((distance >= 0) & (distance < side), x.device)

    square = inside(row, x.shape[2])[:, :, None] & inside(column, x.shape[3])[:, None, :]
    return x.masked_fill_(square[:, None], 0.0)
