"""Channel statistics."""

from __future__ import annotations

import pytest
import torch

from edgewise.data import Normalisation


def test_black_and_white_in_equal_parts_have_mean_and_deviation_one_half() -> None:
    pixels = torch.tensor([0, 255, 255, 0], dtype=torch.uint8).view(1, 1, 2, 2)
    measured = Normalisation.measure(pixels)
    assert measured.mean == pytest.approx((0.5,))
    assert measured.std == pytest.approx((0.5,))


def test_channels_are_measured_apart() -> None:
    pixels = torch.zeros(2, 3, 2, 2, dtype=torch.uint8)
    pixels[0, 1] = 51  # a fifth of white, in half of the images
    pixels[:, 2] = 255
    measured = Normalisation.measure(pixels)
    assert measured.mean == pytest.approx((0.0, 0.1, 1.0))
    assert measured.std == pytest.approx((1.0, 0.1, 1.0))  # 1 where nothing varies


def test_more_images_than_a_chunk_give_what_numpy_gives() -> None:
    pixels = torch.randint(0, 256, (9000, 2, 2, 3), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    measured = Normalisation.measure(pixels)
    scaled = pixels.double() / 255
    assert measured.mean == pytest.approx(scaled.mean((0, 2, 3)).tolist(), rel=1e-12)
    assert measured.std == pytest.approx(scaled.std((0, 2, 3), correction=0).tolist(), rel=1e-12)


def test_apply_subtracts_the_mean_and_divides_by_the_deviation() -> None:
    normalisation = Normalisation((0.2, 0.4), (0.5, 0.1))
    x = normalisation.apply(torch.full((1, 2, 1, 1), 51, dtype=torch.uint8))
    assert x.dtype == torch.float32
    torch.testing.assert_close(x.flatten(), torch.tensor([0.0, -2.0]), atol=1e-6, rtol=0)


def test_floats_of_zero_to_one_and_bytes_of_zero_to_255_are_the_same_image() -> None:
    pixels = torch.arange(256, dtype=torch.uint8).view(1, 1, 16, 16)
    normalisation = Normalisation((0.3,), (0.7,))
    assert torch.equal(normalisation.apply(pixels), normalisation.apply(pixels.float() / 255))


def test_measured_images_have_mean_zero_and_deviation_one_after_apply() -> None:
    pixels = torch.randint(0, 200, (50, 3, 6, 6), dtype=torch.uint8, generator=torch.Generator().manual_seed(1))
    x = Normalisation.measure(pixels).apply(pixels)
    torch.testing.assert_close(x.mean((0, 2, 3)), torch.zeros(3), atol=1e-5, rtol=0)
    torch.testing.assert_close(x.std((0, 2, 3), correction=0), torch.ones(3), atol=1e-5, rtol=0)
