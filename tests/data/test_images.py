"""Sets of images: the seal, the order of the training images, the fingerprint."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from edgewise.data import Images, SealedImages
from edgewise.data.images import fingerprint
from tests.data.helpers import numbered, splits_of, values


def test_opening_the_test_images_is_counted() -> None:
    sealed = SealedImages(numbered(3))
    assert sealed.opened == 0
    sealed.open()
    sealed.open()
    assert sealed.opened == 2
    assert len(sealed) == 3


def test_the_training_images_are_weights_then_arch() -> None:
    splits = replace(splits_of(numbered(5)), weights=numbered(3))
    assert values(splits.train) == [0, 1, 2, 0, 1, 2, 3, 4]
    assert splits.train.labels.tolist() == [0, 1, 0, 0, 1, 0, 1, 0]


@pytest.mark.parametrize("change", ["pixel", "label", "order", "border", "shape"])
def test_the_fingerprint_changes_with_any(change: str) -> None:
    one, other = numbered(4), numbered(4)
    before = fingerprint([one, other])
    assert before == fingerprint([numbered(4), numbered(4)])
    assert len(before) == 64
    sets = [one, other]
    if change == "pixel":
        other.pixels[3, 0, 3, 3] += 1
    elif change == "label":
        other.labels[0] = 1
    elif change == "order":
        sets = [one.take(torch.tensor([1, 0, 2, 3])), other]
    elif change == "shape":
        sets = [one, Images(other.pixels.view(4, 1, 2, 8), other.labels)]
    else:
        joined = Images(torch.cat([one.pixels, other.pixels]), torch.cat([one.labels, other.labels]))
        sets = [joined.take(torch.arange(3)), joined.take(torch.arange(3, 8))]
    assert fingerprint(sets) != before
