"""Batches: every image once a pass, exact resume, evaluation in order."""

from __future__ import annotations

import io

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from edgewise.data import Augment, Batches, Normalisation, in_order
from edgewise.errors import DataError
from tests.data.helpers import NEUTRAL, numbered


def make(
    count: int = 10, *, batch_size: int = 3, drop_last: bool = False, augment: Augment | None = None, seed: int = 0
) -> Batches:
    return Batches(
        numbered(count),
        batch_size=batch_size,
        generator=torch.Generator().manual_seed(seed),
        normalisation=NEUTRAL,
        augment=augment,
        drop_last=drop_last,
        device="cpu",
    )


def sizes(batches: Batches) -> list[int]:
    return [len(batches.next()) for _ in range(len(batches))]


@pytest.mark.parametrize(
    ("count", "batch_size", "drop_last", "expected"),
    [
        (11, 3, False, [3, 3, 3, 2]),
        (10, 3, False, [3, 3, 4]),  # one image left over joins the batch before it
        (9, 3, False, [3, 3, 3]),
        (10, 3, True, [3, 3, 3]),
        (2, 3, False, [2]),
        (1, 3, False, [1]),
        (3, 1, False, [1, 1, 1]),
    ],
)
def test_a_pass_has_batches_of_these_sizes(
    count: int, batch_size: int, drop_last: bool, expected: list[int]
) -> None:
    batches = make(count, batch_size=batch_size, drop_last=drop_last)
    assert sizes(batches) == expected
    assert sizes(batches) == expected


@given(st.integers(2, 30), st.integers(1, 12))
def test_every_pass_shows_every_image_once_with_its_own_label(count: int, batch_size: int) -> None:
    batches = make(count, batch_size=batch_size)
    for _ in range(3):
        seen: list[int] = []
        for _ in range(len(batches)):
            batch = batches.next()
            assert torch.equal((batch.x[:, 0, 0, 0] * 255).round().long(), batch.index)
            assert torch.equal(batch.y, batch.index % 2)
            seen += batch.index.tolist()
        assert sorted(seen) == list(range(count))


def test_each_pass_has_an_order_of_its_own() -> None:
    batches = make(20, batch_size=20)
    assert batches.next().index.tolist() != batches.next().index.tolist()


def test_the_seed_decides_the_order() -> None:
    orders = [make(20, batch_size=20, seed=seed).next().index.tolist() for seed in (1, 1, 2)]
    assert orders[0] == orders[1] != orders[2]


def test_augmentation_does_not_shift_the_order() -> None:
    plain, augmented = make(12, batch_size=5), make(12, batch_size=5, augment=Augment(1, True, 2))
    for _ in range(7):
        assert torch.equal(plain.next().index, augmented.next().index)


def test_two_passes_augment_an_image_differently() -> None:
    batches = make(1, batch_size=1, augment=Augment(2, True))
    batches_of_white = numbered(1)
    batches_of_white.pixels.fill_(255)
    batches._images = batches_of_white
    assert len({tuple(batches.next().x.flatten().tolist()) for _ in range(20)}) > 3


@settings(max_examples=25)
@given(st.integers(0, 17), st.booleans(), st.booleans())
def test_a_resumed_stream_goes_on_bit_for_bit_from_any_position(
    position: int, drop_last: bool, augmented: bool
) -> None:
    augment = Augment(1, True, 2) if augmented else None
    straight = make(11, drop_last=drop_last, augment=augment)
    for _ in range(position):
        straight.next()
    file = io.BytesIO()
    torch.save(straight.state_dict(), file)
    expected = [straight.next() for _ in range(9)]
    resumed = make(11, drop_last=drop_last, augment=augment, seed=99)
    for _ in range(3):
        resumed.next()
    file.seek(0)
    resumed.load_state_dict(torch.load(file, weights_only=True))
    for batch in expected:
        again = resumed.next()
        assert torch.equal(again.index, batch.index)
        assert torch.equal(again.x, batch.x)
        assert torch.equal(again.y, batch.y)


def test_a_state_does_not_move_with_the_stream_it_was_taken_from() -> None:
    batches = make(11, augment=Augment(1, True))
    state = batches.state_dict()
    first = [batches.next() for _ in range(9)]
    for _ in range(2):
        batches.load_state_dict(state)
        assert all(torch.equal(batches.next().x, batch.x) for batch in first)


def test_a_state_of_other_images_is_refused() -> None:
    with pytest.raises(DataError, match="10 images, batch 0, does not fit 11 images"):
        make(11).load_state_dict(make(10).state_dict())


def test_a_state_of_more_batches_than_there_are_is_refused() -> None:
    small = make(10, batch_size=2)
    sizes(small)
    with pytest.raises(DataError, match="batch 5, does not fit 10 images in 3 batches"):
        make(10, batch_size=3).load_state_dict(small.state_dict())


def test_a_batch_larger_than_the_set_is_refused_where_none_would_be_left() -> None:
    with pytest.raises(DataError, match="10 images give no batch of 11"):
        make(10, batch_size=11, drop_last=True)
    with pytest.raises(DataError, match="10 images give no batch of 0"):
        make(10, batch_size=0)


def test_batches_are_normalised_with_and_without_augmentation() -> None:
    for augment in (None, Augment(0, False)):
        batches = Batches(
            numbered(3),
            batch_size=3,
            generator=torch.Generator(),
            normalisation=Normalisation((1.0,), (0.5,)),
            augment=augment,
            drop_last=False,
            device="cpu",
        )
        batch = batches.next()
        torch.testing.assert_close(batch.x[:, 0, 0, 0], (batch.index / 255 - 1) / 0.5)


def test_in_order_shows_all_images_once_in_their_order_and_unchanged() -> None:
    images = numbered(7)
    batches = list(in_order(images, 3, Normalisation((0.5,), (2.0,)), "cpu"))
    assert [len(batch) for batch in batches] == [3, 3, 1]
    assert torch.cat([batch.index for batch in batches]).tolist() == list(range(7))
    assert torch.equal(torch.cat([batch.y for batch in batches]), images.labels)
    torch.testing.assert_close(torch.cat([batch.x for batch in batches]), (images.pixels / 255 - 0.5) / 2)
