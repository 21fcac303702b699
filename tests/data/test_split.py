"""Stratified cuts and caps."""

from __future__ import annotations

import torch
from hypothesis import given
from hypothesis import strategies as st

from edgewise.data.split import cap, cut


def labels_of(counts: list[int]) -> torch.Tensor:
    labels = torch.repeat_interleave(torch.arange(len(counts)), torch.tensor(counts))
    return labels[torch.randperm(len(labels), generator=torch.Generator().manual_seed(7))]


def gen(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


COUNTS = st.lists(st.integers(2, 60), min_size=2, max_size=6)


def test_a_half_of_four_and_six_images_is_two_and_three() -> None:
    labels = labels_of([4, 6])
    first, second = cut(labels, 0.5, generator=gen())
    assert torch.bincount(labels[first]).tolist() == [2, 3]
    assert torch.bincount(labels[second]).tolist() == [2, 3]


def test_the_largest_remainder_gets_the_odd_image() -> None:
    # 0.3 of 5, 5 and 7 is 1.5, 1.5, 2.1: five in all, and the tie goes to the lower class.
    labels = labels_of([5, 5, 7])
    _, second = cut(labels, 0.3, generator=gen())
    assert torch.bincount(labels[second]).tolist() == [2, 1, 2]


def test_a_class_of_two_images_is_on_both_sides_whatever_the_fraction() -> None:
    labels = labels_of([2, 100])
    for fraction in (0.01, 0.99):
        first, second = cut(labels, fraction, generator=gen())
        assert (labels[first] == 0).sum() == 1
        assert (labels[second] == 0).sum() == 1


def test_keep_leaves_so_many_images_of_each_class_in_the_first_part() -> None:
    labels = labels_of([3, 100])
    first, second = cut(labels, 0.95, generator=gen(), keep=2)
    assert torch.bincount(labels[first]).tolist() == [2, 5]
    assert torch.bincount(labels[second]).tolist() == [1, 95]


@given(COUNTS, st.floats(0.05, 0.95), st.integers(0, 5))
def test_a_cut_covers_all_rows_once_and_is_stratified(counts: list[int], fraction: float, seed: int) -> None:
    labels = labels_of(counts)
    first, second = cut(labels, fraction, generator=gen(seed))
    assert sorted([*first.tolist(), *second.tolist()]) == list(range(len(labels)))
    total = int(fraction * len(labels) + 0.5)
    for count, taken in zip(counts, torch.bincount(labels[second], minlength=len(counts)).tolist(), strict=True):
        share = count * total / len(labels)
        assert abs(taken - share) < 1 or taken in (1, count - 1)
        assert 1 <= taken <= count - 1


@given(COUNTS, st.integers(0, 200), st.integers(0, 5))
def test_a_cap_is_met_exactly_and_leaves_every_class_two_images(counts: list[int], extra: int, seed: int) -> None:
    labels = labels_of(counts)
    total = min(2 * len(counts) + extra, len(labels))
    kept = cap(labels, total, least=2, generator=gen(seed))
    assert len(kept) == len(set(kept.tolist())) == total
    assert torch.bincount(labels[kept], minlength=len(counts)).min() >= 2


def test_a_cap_of_ten_takes_eight_and_two_of_ninety_five_and_five() -> None:
    labels = labels_of([95, 5])
    assert torch.bincount(labels[cap(labels, 10, least=2, generator=gen())]).tolist() == [8, 2]


def test_a_cap_of_ten_takes_eight_and_two_of_eighty_and_twenty() -> None:
    labels = labels_of([80, 20])
    assert torch.bincount(labels[cap(labels, 10, least=1, generator=gen())]).tolist() == [8, 2]


def test_a_cap_above_the_number_of_rows_keeps_all_and_draws_nothing() -> None:
    labels, generator = labels_of([5, 5]), gen()
    assert cap(labels, 10, least=2, generator=generator).tolist() == list(range(10))
    assert torch.equal(generator.get_state(), gen().get_state())


def test_the_same_seed_cuts_alike_and_another_seed_otherwise() -> None:
    labels = labels_of([30, 30])
    once, again, other = (cut(labels, 0.5, generator=gen(seed))[0] for seed in (1, 1, 2))
    assert torch.equal(once, again)
    assert not torch.equal(once, other)
