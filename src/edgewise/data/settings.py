"""What a user can say about images: where they come from and what is done to training images."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

from annotated_types import Ge, Gt, Le, Lt

from edgewise.config.limits import MOST_PIXELS, Images, Pixels


@dataclass(frozen=True)
class DataSettings:
    """Where images come from, and how many and how large they are.

    Args:
        source: "digits", a name on the Hugging Face hub ("cifar10", "owner/name", "owner/name:config"), a parquet
            file, a folder or glob of parquet files, or a folder of images (train/ and test/, or classes alone).
        image_size: pixels a side; None takes the images' own size where it is one size of at most 64 pixels, else
            224 or, when that is smaller, the median shorter side rounded down to a multiple of 32.
        test_fraction: share of the images cut off as test images, only where the source has no test part.
        train_images: at most so many training images are kept, stratified, chosen by the seed.
        skip_bad: leave unreadable images out and list them, instead of stopping.
        label_column: column of the labels in tables; None looks for a class column.
        image_column: column of the images in tables; None looks for an image column.
        stream: "always" leaves images encoded where they are, and decodes each batch in workers while others
            train; "never" decodes all of them into memory at the start; "auto" streams what would not fit. The
            batches are the same.
    """

    source: str = "digits"
    image_size: Annotated[int, Ge(4), Le(MOST_PIXELS)] | None = None
    test_fraction: Annotated[float, Gt(0), Lt(1)] = 0.2
    train_images: Images | None = None
    skip_bad: bool = False
    label_column: str | None = None
    image_column: str | None = None
    stream: Literal["auto", "always", "never"] = "auto"


@dataclass(frozen=True)
class AugmentSettings:
    """What is done to training images, before it is known how large they are.

    Args:
        crop_padding: pixels of black added on each side before the random crop; None is an eighth of the image.
        flip: mirror half of the images left to right; None does so unless mirrored images are other objects.
        cutout: side of the blanked square in pixels, or "half" for half of the image's side; 0 is no cutout.
    """

    crop_padding: Pixels | None = None
    flip: bool | None = None
    cutout: Pixels | Literal["half"] = 0
