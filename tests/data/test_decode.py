"""Every kind of image file becomes the pixels that a person sees."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from edgewise.data.decode import open_image, read_header, read_pixels
from edgewise.data.parallel_decoding import read_headers, read_images, survey_images
from edgewise.data.source import Part
from edgewise.data.streamed import StreamedPixels
from edgewise.errors import DataError


def reopened(image: Image.Image, form: str = "PNG", **options: object) -> Image.Image:
    buffer = io.BytesIO()
    image.save(buffer, form, **options)
    buffer.seek(0)
    return Image.open(buffer)


def pixels(image: Image.Image, *, size: int, channels: int = 3) -> list:
    return read_pixels(image, size=size, channels=channels).tolist()


def test_channels_come_first() -> None:
    image = reopened(Image.new("RGB", (2, 2), (1, 2, 3)))
    assert pixels(image, size=2) == [[[1, 1], [1, 1]], [[2, 2], [2, 2]], [[3, 3], [3, 3]]]


def test_a_grey_image_stays_one_channel_or_becomes_three_alike() -> None:
    grey = Image.new("L", (2, 2), 7)
    assert pixels(reopened(grey), size=2, channels=1) == [[[7, 7], [7, 7]]]
    assert pixels(reopened(grey), size=2) == [[[7, 7], [7, 7]]] * 3


def test_a_palette_image_shows_the_colours_of_its_palette() -> None:
    image = Image.new("P", (4, 4), 1)
    image.putpalette([0, 0, 0, 200, 100, 50])
    opened = reopened(image)
    assert opened.mode == "P"
    assert not read_header(opened).grey
    assert [channel[0][0] for channel in pixels(opened, size=4)] == [200, 100, 50]


def test_a_palette_of_greys_is_grey() -> None:
    image = Image.new("P", (4, 4), 1)
    image.putpalette([0, 0, 0, 90, 90, 90])
    opened = reopened(image)
    assert read_header(opened).grey
    assert pixels(opened, size=4, channels=1)[0][0][0] == 90


def test_transparent_pixels_are_white_and_half_transparent_ones_lighter() -> None:
    image = Image.new("RGBA", (4, 4), (0, 0, 0, 0))
    image.putpixel((0, 0), (100, 0, 0, 255))
    image.putpixel((1, 0), (0, 0, 0, 128))
    opened = reopened(image)
    assert read_header(opened).transparent
    red, green, _ = pixels(opened, size=4)
    assert red[0] == [100, 127, 255, 255]
    assert green[0] == [0, 127, 255, 255]


def test_a_transparent_palette_colour_is_white() -> None:
    image = Image.new("P", (4, 4), 1)
    image.putpalette([0, 0, 0, 200, 100, 50])
    opened = reopened(image, transparency=1)
    assert read_header(opened).transparent
    assert pixels(opened, size=4)[2][0][0] == 255


@pytest.mark.parametrize(("value", "expected"), [(0, 0), (257, 1), (32896, 128), (65535, 255)])
def test_sixteen_bits_are_scaled_to_eight(value: int, expected: int) -> None:
    opened = reopened(Image.fromarray(np.full((4, 4), value, dtype=np.uint16)))
    assert opened.mode.startswith("I")
    assert read_header(opened).grey
    assert pixels(opened, size=4, channels=1)[0][0][0] == expected
    assert pixels(reopened(Image.fromarray(np.full((4, 4), value, dtype=np.uint16))), size=4)[2][3][3] == expected


def test_cmyk_becomes_rgb() -> None:
    opened = reopened(Image.new("CMYK", (16, 16), (0, 255, 255, 0)), "TIFF")
    assert opened.mode == "CMYK"
    assert [channel[0][0] for channel in pixels(opened, size=16)] == [255, 0, 0]


def test_one_bit_images_are_black_and_white() -> None:
    wide = Image.new("1", (4, 4), 1)
    assert pixels(reopened(wide), size=4, channels=1)[0][0] == [255] * 4


def test_floating_point_values_are_refused_with_the_reason() -> None:
    opened = reopened(Image.fromarray(np.zeros((4, 4), dtype=np.float32)), "TIFF")
    with pytest.raises(ValueError, match=r"mode F .* has no known range"):
        read_pixels(opened, size=4, channels=1)


def test_an_image_that_exif_says_is_turned_is_turned_back() -> None:
    image = Image.new("L", (4, 4), 0)
    image.putpixel((0, 0), 255)  # top left
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned by 90 degrees clockwise
    array = np.array(pixels(reopened(image, exif=exif), size=4, channels=1)[0])
    assert np.argwhere(array == 255).tolist() == [[0, 3]]


def test_a_wide_image_is_cropped_at_its_centre() -> None:
    image = Image.fromarray(np.tile(np.arange(10, dtype=np.uint8), (4, 1)))
    assert pixels(reopened(image), size=4, channels=1)[0][0] == [3, 4, 5, 6]


def test_a_tall_image_is_cropped_at_its_centre() -> None:
    image = Image.fromarray(np.tile(np.arange(10, dtype=np.uint8)[:, None], (1, 4)))
    assert [row[0] for row in pixels(reopened(image), size=4, channels=1)[0]] == [3, 4, 5, 6]


def test_shrinking_a_chequerboard_gives_grey_and_no_pattern() -> None:
    board = (np.indices((32, 32)).sum(0) % 2 * 255).astype(np.uint8)
    array = np.array(pixels(reopened(Image.fromarray(board)), size=4, channels=1)[0])
    assert array.min() > 100
    assert array.max() < 156


def test_the_shorter_side_is_resized_and_the_longer_one_keeps_its_proportion() -> None:
    board = np.zeros((8, 16), dtype=np.uint8)
    board[:, 4:12] = 255  # the centre square is white
    assert np.array(pixels(reopened(Image.fromarray(board)), size=8, channels=1)).min() == 255
    half = np.array(pixels(reopened(Image.fromarray(board)), size=4, channels=1))
    assert half.shape == (1, 4, 4)
    assert half[0, :, 1:3].min() == 255


def test_a_large_photograph_is_shrunk_to_what_a_full_decode_gives() -> None:
    blocks = np.random.default_rng(0).integers(0, 256, (32, 32), dtype=np.uint8).repeat(16, 0).repeat(16, 1)
    photo = Image.fromarray(np.stack([blocks] * 3, axis=-1))
    drafted = np.array(pixels(reopened(photo, "JPEG", quality=95), size=128), dtype=int)
    full = np.array(photo.resize((128, 128), Image.Resampling.BILINEAR), dtype=int).transpose(2, 0, 1)
    assert abs(drafted - full).mean() < 3


def test_a_header_has_the_sides_in_order_of_length() -> None:
    header = read_header(reopened(Image.new("RGB", (30, 20))))
    assert (header.shorter, header.longer, header.grey, header.transparent) == (20, 30, False, False)


def test_of_an_image_that_is_too_large_size_and_limit_are_said_and_pillow_is_not_heard(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, recwarn: pytest.WarningsRecorder
) -> None:
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 1000)
    paths = [tmp_path / f"{width}.png" for width in (50, 51, 101)]  # the limit; Pillow warns; Pillow refuses
    for path, width in zip(paths, (50, 51, 101), strict=True):
        Image.new("RGB", (width, 20)).save(path)
    part = Part(torch.zeros(3, dtype=torch.int64), lambda row: open_image(paths[row]), lambda row: paths[row].name)
    rows = torch.arange(3)
    for bad in (
        read_headers(part, rows)[1],
        read_images(part, rows, size=4, channels=3)[1],
        survey_images(part, rows, size=4, channels=3)[1],
    ):
        assert [str(one) for one in bad] == [
            f"{width}.png: {width} x 20 pixels are more than the limit of 1,000 (a guard against files that "
            f"unpack to fill the memory): make it smaller"
            for width in (51, 101)
        ]
    assert not recwarn.list


def test_an_image_that_grows_while_it_is_streamed_is_refused_with_its_size(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 1000)
    huge = io.BytesIO()
    Image.new("RGB", (101, 20)).save(huge, "PNG")
    part = Part(torch.zeros(1, dtype=torch.int64), lambda row: open_image(huge), lambda row: "a.png")
    with pytest.raises(
        DataError, match=r"a\.png can't be read any more \(101 x 20 pixels are more than the limit"
    ):
        StreamedPixels(part, torch.arange(1), size=4, channels=3)[:]


def test_without_a_limit_of_pillow_there_is_none(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", None)
    Image.new("RGB", (101, 20)).save(tmp_path / "a.png")
    assert open_image(tmp_path / "a.png").size == (101, 20)
