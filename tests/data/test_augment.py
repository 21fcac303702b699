"""Crop, flip and cutout."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn import functional as F

from edgewise.data import Augment, AugmentSettings, Normalisation
from edgewise.data.augment import crop_and_flip, cut_out
from edgewise.errors import ConfigError
from tests.data.helpers import NEUTRAL, numbered, splits_of


def gen(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def noise(batch: int, channels: int, height: int, width: int) -> torch.Tensor:
    return torch.randint(1, 256, (batch, channels, height, width), dtype=torch.uint8, generator=gen(3))


def test_a_crop_moves_the_image_and_brings_black_in() -> None:
    pixels = torch.tensor([[1, 2], [3, 4]], dtype=torch.uint8).view(1, 1, 2, 2)
    out = crop_and_flip(pixels, torch.tensor([0]), torch.tensor([1]), torch.tensor([False]), padding=1)
    assert out.tolist() == [[[[0, 0], [1, 2]]]]


def test_a_mirrored_crop_is_the_crop_read_from_right_to_left() -> None:
    pixels = torch.tensor([[1, 2], [3, 4]], dtype=torch.uint8).view(1, 1, 2, 2)
    out = crop_and_flip(pixels, torch.tensor([1]), torch.tensor([0]), torch.tensor([True]), padding=1)
    assert out.tolist() == [[[[1, 0], [3, 0]]]]


@given(
    st.integers(1, 4), st.sampled_from([1, 3]), st.integers(2, 9), st.integers(2, 9), st.integers(0, 3), st.data()
)
def test_every_crop_is_a_slice_of_the_padded_image(
    batch: int, channels: int, height: int, width: int, padding: int, data: st.DataObject
) -> None:
    pixels = noise(batch, channels, height, width)
    spots = st.lists(st.integers(0, 2 * padding), min_size=batch, max_size=batch)
    top, left = data.draw(spots), data.draw(spots)
    mirrored = data.draw(st.lists(st.booleans(), min_size=batch, max_size=batch))
    out = crop_and_flip(pixels, torch.tensor(top), torch.tensor(left), torch.tensor(mirrored), padding=padding)
    padded = F.pad(pixels, (padding,) * 4)
    assert out.is_contiguous()
    assert out.dtype == torch.uint8
    for i in range(batch):
        expected = padded[i, :, top[i] : top[i] + height, left[i] : left[i] + width]
        assert torch.equal(out[i], expected.flip(-1) if mirrored[i] else expected)


def test_a_square_of_four_around_row_three_column_five_blanks_rows_one_to_four() -> None:
    x = cut_out(torch.ones(1, 2, 8, 8), torch.tensor([3]), torch.tensor([5]), side=4)
    blank = (x[0, 0] == 0).nonzero()
    assert sorted(set(blank[:, 0].tolist())) == [1, 2, 3, 4]
    assert sorted(set(blank[:, 1].tolist())) == [3, 4, 5, 6]
    assert len(blank) == 16
    assert torch.equal(x[0, 0], x[0, 1])


def test_an_odd_square_keeps_its_side_and_is_centred() -> None:
    x = cut_out(torch.ones(1, 1, 5, 5), torch.tensor([2]), torch.tensor([2]), side=3)
    assert x[0, 0].tolist() == [
        [1, 1, 1, 1, 1],
        [1, 0, 0, 0, 1],
        [1, 0, 0, 0, 1],
        [1, 0, 0, 0, 1],
        [1, 1, 1, 1, 1],
    ]


def test_a_square_at_a_corner_hangs_over_the_border_and_is_not_moved_inside() -> None:
    x = cut_out(torch.ones(2, 1, 8, 8), torch.tensor([0, 7]), torch.tensor([0, 7]), side=4)
    assert (x[0] == 0).sum() == 4  # rows and columns 0, 1
    assert (x[1] == 0).sum() == 9  # rows and columns 5, 6, 7


@given(st.integers(0, 1000), st.integers(1, 7), st.booleans(), st.sampled_from([1, 3]))
def test_augmentation_keeps_the_shape_and_gives_contiguous_floats(
    seed: int, cutout: int, flip: bool, channels: int
) -> None:
    pixels = noise(5, channels, 8, 8)
    normalisation = Normalisation((0.5,) * channels, (0.25,) * channels)
    x = Augment(2, flip, cutout)(pixels, normalisation=normalisation, generator=gen(seed))
    assert x.shape == pixels.shape
    assert x.dtype == torch.float32
    assert x.is_contiguous()


def test_padding_is_black_before_normalisation_and_cutout_zero_after_it() -> None:
    normalisation = Normalisation((0.5,), (0.25,))
    white = torch.full((64, 1, 8, 8), 255, dtype=torch.uint8)
    cropped = Augment(2, False)(white, normalisation=normalisation, generator=gen())
    assert sorted(cropped.unique().tolist()) == [-2.0, 2.0]
    both = Augment(2, False, 3)(white, normalisation=normalisation, generator=gen())
    assert sorted(both.unique().tolist()) == [-2.0, 0.0, 2.0]


def test_nothing_switched_on_is_normalisation_alone_bit_for_bit() -> None:
    pixels, normalisation = noise(6, 3, 7, 5), Normalisation((0.4, 0.5, 0.6), (0.2, 0.3, 0.4))
    x = Augment(0, False)(pixels, normalisation=normalisation, generator=gen())
    assert torch.equal(x, normalisation.apply(pixels))


def test_about_half_of_the_images_are_mirrored() -> None:
    pixels = torch.tensor([[10, 20]], dtype=torch.uint8).expand(4000, 1, 1, 2)
    x = Augment(0, True)(pixels, normalisation=NEUTRAL, generator=gen())
    assert 0.47 < (x[:, 0, 0, 0] > x[:, 0, 0, 1]).float().mean() < 0.53


def test_all_nine_crops_of_padding_one_are_about_equally_frequent() -> None:
    pixels = torch.zeros(9000, 1, 3, 3, dtype=torch.uint8)
    pixels[:, 0, 1, 1] = 255
    x = Augment(1, False)(pixels, normalisation=NEUTRAL, generator=gen())
    share = x[:, 0].mean(0)
    assert share.min() > 0.09
    assert share.max() < 0.13
    assert x.sum((1, 2, 3)).unique().tolist() == [1.0]


def test_the_squares_centre_is_uniform_over_the_image() -> None:
    x = Augment(0, False, 1)(
        torch.full((16000, 1, 4, 4), 255, dtype=torch.uint8), normalisation=NEUTRAL, generator=gen()
    )
    share = (x[:, 0] == 0).float().mean(0)
    assert share.min() > 0.05
    assert share.max() < 0.075
    assert (x == 0).sum((1, 2, 3)).unique().tolist() == [1]


def test_switching_cutout_on_does_not_move_crops_and_flips() -> None:
    pixels = noise(32, 3, 8, 8)
    normalisation = Normalisation((0.0,) * 3, (1.0,) * 3)
    plain = Augment(2, True)(pixels, normalisation=normalisation, generator=gen(5))
    cut = Augment(2, True, 4)(pixels, normalisation=normalisation, generator=gen(5))
    same = cut == plain
    assert (cut[~same] == 0).all()
    assert 0.1 < (~same).float().mean() < 0.3


def test_switching_flip_off_does_not_move_crops() -> None:
    pixels = noise(32, 1, 8, 8)
    flipped = Augment(2, True)(pixels, normalisation=NEUTRAL, generator=gen(5))
    straight = Augment(2, False)(pixels, normalisation=NEUTRAL, generator=gen(5))
    for a, b in zip(flipped, straight, strict=True):
        assert torch.equal(a, b) or torch.equal(a.flip(-1), b)


def test_the_input_is_left_as_it_was() -> None:
    pixels = noise(4, 1, 8, 8)
    before = pixels.clone()
    Augment(0, False, 4)(pixels, normalisation=NEUTRAL, generator=gen())
    assert torch.equal(pixels, before)
    floats = pixels.float() / 255
    before = floats.clone()
    Augment(0, False, 4)(floats, normalisation=NEUTRAL, generator=gen())
    assert torch.equal(floats, before)


def test_unset_settings_take_an_eighth_of_the_image_and_mirror_where_it_is_safe() -> None:
    images = numbered(4, size=32)
    assert Augment.resolve(AugmentSettings(), splits_of(images)) == Augment(4, True, 0)
    assert Augment.resolve(AugmentSettings(), splits_of(images, flip_safe=False)) == Augment(4, False, 0)


def test_set_settings_are_kept() -> None:
    settings = AugmentSettings(crop_padding=0, flip=True, cutout=16)
    assert Augment.resolve(settings, splits_of(numbered(4, size=32), flip_safe=False)) == Augment(0, True, 16)


def test_a_cutout_of_half_is_half_of_the_image() -> None:
    settings = AugmentSettings(cutout="half")
    sides = [Augment.resolve(settings, splits_of(numbered(4, size=size))).cutout for size in (8, 32)]
    assert sides == [4, 16]


@pytest.mark.parametrize("settings", [AugmentSettings(crop_padding=8), AugmentSettings(cutout=8)])
def test_a_padding_or_square_as_large_as_the_image_is_refused(settings: AugmentSettings) -> None:
    with pytest.raises(ConfigError, match=r"= 8 pixels, but the images of made up are 8 pixels wide"):
        Augment.resolve(settings, splits_of(numbered(4, size=8)))
