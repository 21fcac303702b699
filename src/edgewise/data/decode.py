"""One image file to uint8 pixels: every colour mode, orientation and size."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from traceback import walk_tb
from typing import BinaryIO

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

_GREY_MODES = frozenset({"1", "L", "LA", "La"})
_ALPHA_MODES = frozenset({"LA", "La", "RGBA", "RGBa", "PA"})


@dataclass(frozen=True)
class Header:
    """What is known of an image before its pixels are decoded.

    Args:
        shorter: pixels of the shorter side.
        longer: pixels of the longer side.
        grey: whether it has no colour by its mode or palette.
        transparent: whether it has an alpha channel or a transparent colour.
    """

    shorter: int
    longer: int
    grey: bool
    transparent: bool


@dataclass(frozen=True)
class Format:
    """How images are kept: pixels a side, channels."""

    size: int
    channels: int


def open_image(file: str | Path | BinaryIO) -> Image.Image:
    """Opens an image, as PIL does, if it is no larger than PIL's limit (`PIL.Image.MAX_IMAGE_PIXELS`).

    Raises:
        ValueError: it is larger; PIL raises other types, on a damaged image and one of more than twice its limit.
    """
    image = Image.open(file)
    # PIL itself refuses from twice its limit on, and warns before.
    if Image.MAX_IMAGE_PIXELS is not None and image.width * image.height > Image.MAX_IMAGE_PIXELS:
        image.close()
        raise ValueError(_too_large(image.size))
    return image


def reason_of(error: Exception) -> str:
    """Why an image can't be read, in a line."""
    # PIL's own text names a buffer's address where an image does not come from a file.
    if isinstance(error, UnidentifiedImageError):
        return "not an image in a known format"
    if isinstance(error, Image.DecompressionBombError):
        # Its text has the product alone; the size is what PIL's check was given, in the innermost frame.
        *_, (check, _) = walk_tb(error.__traceback__)
        if "size" in check.f_locals:
            return _too_large(check.f_locals["size"])
    return (str(error).strip() or type(error).__name__).partition("\n")[0][:200]


def _too_large(size: tuple[int, int]) -> str:
    return (
        f"{size[0]:,} x {size[1]:,} pixels are more than the limit of {Image.MAX_IMAGE_PIXELS:,} (a guard against "
        f"files that unpack to fill the memory): make it smaller"
    )


def read_header(image: Image.Image) -> Header:
    """The header of an opened image; raises whatever PIL raises on a damaged one."""
    # The sides are sorted, so a turn that EXIF asks for makes no difference here.
    shorter, longer = sorted(image.size)
    grey = image.mode in _GREY_MODES or image.mode.startswith("I") or (image.mode == "P" and _grey_palette(image))
    return Header(shorter, longer, grey, _is_transparent(image))


def read_pixels(image: Image.Image, *, size: int, channels: int) -> np.ndarray:
    """The pixels of an opened image, uint8 [C, size, size].

    It is turned as its EXIF data say, laid on white where it is transparent, resized (with antialiasing) so that
    the shorter side is `size`, and cropped at the centre.

    Raises:
        ValueError: its values have no known range; PIL raises other types on a damaged image.
    """
    if image.format == "JPEG" and image.mode in ("L", "RGB"):
        # Large photographs are decoded at a fraction of their size, still twice as large as needed.
        image.draft(image.mode, (2 * size, 2 * size))
    ImageOps.exif_transpose(image, in_place=True)
    image = _plain(image).convert("L" if channels == 1 else "RGB")
    image = _fit(image, size)
    array = np.asarray(image)
    return array[None] if channels == 1 else array.transpose(2, 0, 1)


def _plain(image: Image.Image) -> Image.Image:
    """The image in 8 bits without transparency."""
    if image.mode == "F" or (image.mode == "I" and image.format not in ("PNG", "PPM")):
        raise ValueError(f"mode {image.mode} (32 bits a pixel) has no known range: save it with 8 or 16 bits")
    if image.mode.startswith("I"):
        values = np.asarray(image).astype(np.uint32)
        return Image.fromarray(((values * 255 + 32767) // 65535).astype(np.uint8))
    if _is_transparent(image):
        white = Image.new("RGBA", image.size, "white")
        return Image.alpha_composite(white, image.convert("RGBA"))
    return image


def _fit(image: Image.Image, size: int) -> Image.Image:
    width, height = image.size
    shorter = min(width, height)
    if shorter != size:
        width = max(size, round(width * size / shorter))
        height = max(size, round(height * size / shorter))
        image = image.resize((width, height), Image.Resampling.BILINEAR)
    left, top = (width - size) // 2, (height - size) // 2
    return image if (width, height) == (size, size) else image.crop((left, top, left + size, top + size))


def _is_transparent(image: Image.Image) -> bool:
    return image.mode in _ALPHA_MODES or "transparency" in image.info


def _grey_palette(image: Image.Image) -> bool:
    image.load()
    palette = image.getpalette() or []
    used = image.getcolors(256) or []
    return all(len(set(palette[3 * int(index) : 3 * int(index) + 3])) == 1 for _, index in used)  # type: ignore[arg-type]
