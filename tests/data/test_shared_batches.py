"""Batches that processes share: together they are those of one process."""

from __future__ import annotations

import pytest
import torch

from edgewise.data import Augment, Batches, Normalisation
from edgewise.errors import ConfigError, DataError
from edgewise.runtime.distributed import ALONE, Processes
from tests.search.problem import make_images


def batches(processes: Processes, images: int, batch_size: int, *, drop_last: bool = False) -> Batches:
    return Batches(
        make_images(images, 1),
        batch_size=batch_size,
        generator=torch.Generator().manual_seed(2),
        normalisation=Normalisation((0.5, 0.5, 0.5), (0.25, 0.25, 0.25)),
        augment=Augment(crop_padding=2, flip=True, cutout=3),
        drop_last=drop_last,
        device="cpu",
        processes=processes,
    )


@pytest.mark.parametrize("world", [2, 3])
def test_parts_of_all_processes_are_the_batches_of_one_with_their_augmentation(world: int) -> None:
    whole = batches(ALONE, 25, 7)
    parts = [batches(Processes(rank, world), 25, 7) for rank in range(world)]
    # Two passes, each with a smaller last batch.
    for _ in range(2 * len(whole)):
        expected, found = whole.next(), [part.next() for part in parts]
        for name in ("x", "y", "index"):
            assert torch.equal(torch.cat([getattr(one, name) for one in found]), getattr(expected, name)), name
        assert {one.total for one in found} == {len(expected)} == {expected.total}


def test_a_last_batch_with_fewer_images_than_processes_is_refused() -> None:
    with pytest.raises(DataError, match="a batch of a pass has 2 images for 3 processes"):
        batches(Processes(0, 3), 14, 6)
    assert len(batches(Processes(0, 2), 14, 6)) == 3


def test_full_batches_that_can_not_be_cut_equally_are_refused() -> None:
    with pytest.raises(ConfigError, match="batch of 7 images"):
        batches(Processes(0, 2), 25, 7, drop_last=True)
