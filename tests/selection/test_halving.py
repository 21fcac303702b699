"""The rungs of successive halving: their lengths, who goes on, what they cost."""

from __future__ import annotations

import itertools

import pytest

from edgewise.errors import ConfigError
from edgewise.selection import Halving


def test_each_rung_but_the_first_is_as_long_as_all_before_it_when_half_goes_on() -> None:
    assert [rung.epochs for rung in Halving(rungs=3, keep=0.5, epochs=8).plan()] == [2, 4, 8]


def test_only_the_last_rung_ranks_by_accuracy() -> None:
    assert [rung.by for rung in Halving(rungs=3).plan()] == ["loss", "loss", "accuracy"]


@pytest.mark.parametrize("rungs", range(1, 9))
@pytest.mark.parametrize("keep", [0.01, 1 / 3, 0.5, 0.99, 1.0])
def test_every_rung_has_an_epoch_of_its_own_and_the_last_ends_with_the_last(rungs: int, keep: float) -> None:
    epochs = [rung.epochs for rung in Halving(rungs=rungs, keep=keep, epochs=8).plan()]
    assert len(epochs) == rungs
    assert epochs[0] >= 1
    assert all(later > earlier for earlier, later in itertools.pairwise(epochs))
    assert epochs[-1] == 8


@pytest.mark.parametrize(("candidates", "left"), [(12, 6), (5, 3), (3, 2), (2, 1), (1, 1)])
def test_half_of_the_candidates_rounded_up_goes_on(candidates: int, left: int) -> None:
    assert Halving().going_on(candidates) == left


def test_the_cost_counts_the_epochs_of_all_who_stand() -> None:
    assert Halving(rungs=3, keep=0.5, epochs=8).cost(12) == 12 * 2 + 6 * 2 + 3 * 4


def test_what_is_left_alone_costs_nothing_more() -> None:
    assert Halving(rungs=3, keep=0.5, epochs=8).cost(2) == 2 * 2
    assert Halving().cost(1) == 0


def test_more_rungs_than_epochs_are_refused() -> None:
    with pytest.raises(ConfigError, match=r"selection.rungs = 5 and selection.epochs = 4.*raise selection.epochs"):
        Halving(rungs=5, epochs=4)
