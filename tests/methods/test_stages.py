"""P-DARTS' stages: where an epoch lies, which primitives remain, what is refused."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from edgewise.methods import P_DARTS, SchedulePosition, Stages, strongest
from tests.methods.rows import stream


def test_75_epochs_are_three_stages_of_25():
    stages = Stages()
    assert [stages.locate(epoch, 75) for epoch in range(75)] == [
        (stage, SchedulePosition(epoch, 25)) for stage in range(3) for epoch in range(25)
    ]


def test_the_recipe_has_5_11_and_17_cells_and_8_5_and_3_primitives():
    stages = P_DARTS.stages
    assert stages is not None
    assert [P_DARTS.search.layers + more for more in stages.add_layers] == [5, 11, 17]
    assert stages.primitives == (8, 5, 3)
    assert P_DARTS.search.epochs == 75
    assert P_DARTS.frozen_epochs == 10
    assert [P_DARTS.locate(epoch) for epoch in (0, 24, 25, 60, 74)] == [
        (stage, SchedulePosition(epoch, 25)) for stage, epoch in ((0, 0), (0, 24), (1, 0), (2, 10), (2, 24))
    ]
    assert (P_DARTS.search.batch_size, P_DARTS.arch.lr, P_DARTS.arch.clip) == (96, 6e-4, 5.0)


def test_a_recipe_without_stages_has_one_as_long_as_the_search():
    plain = replace(P_DARTS, stages=None, skip_dropout=None)
    assert [plain.locate(epoch) for epoch in (0, 74)] == [
        (0, SchedulePosition(0, 75)),
        (0, SchedulePosition(74, 75)),
    ]


@settings(deadline=None)
@given(st.integers(1, 6), st.integers(0, 100))
def test_stages_follow_each_other_without_gaps_and_differ_by_one_epoch_at_most(count, more):
    epochs = count + more
    stages = Stages(add_layers=(0,) * count, primitives=(3,) * count)
    places = [stages.locate(epoch, epochs) for epoch in range(epochs)]
    lengths = Counter(stage for stage, _ in places)
    assert list(lengths) == list(range(count))
    assert max(lengths.values()) - min(lengths.values()) <= 1
    assert [(stage, position.epoch) for stage, position in places] == [
        (stage, epoch) for stage in range(count) for epoch in range(lengths[stage])
    ]
    assert all(position.epochs == lengths[stage] for stage, position in places)


def test_sensible_stages_have_no_faults():
    assert Stages().size_faults(75) == []
    assert Stages((0,), (2,)).size_faults(1) == []


@pytest.mark.parametrize(
    ("stages", "epochs", "expected"),
    [
        (Stages((0, 6), (8, 5, 3)), 75, "stages.add_layers has 2 entries and stages.primitives 3"),
        (Stages((), ()), 75, "stages.add_layers has 0 entries"),
        (Stages((0, 6, 12), (8, 5, 1)), 75, "stages.primitives = [8, 5, 1]: an edge keeps at least 2"),
        (Stages((0, -1, 12), (8, 5, 3)), 75, "stages.add_layers = [0, -1, 12]: entries are 0 or more"),
        (Stages(), 2, "3 stages need at least as many epochs, and search.epochs = 2"),
    ],
)
def test_each_fault_is_named_with_what_was_found(stages, epochs, expected):
    faults = stages.size_faults(epochs)
    assert len(faults) == 1
    assert expected in faults[0]


def test_all_faults_are_told_at_once():
    assert len(Stages((0, -6, 12), (8, 1)).size_faults(1)) == 4


def test_the_strongest_of_each_edge_remain_by_hand():
    strengths = torch.tensor([[0.1, 0.4, 0.2, 0.3], [0.7, 0.1, 0.15, 0.05]])
    assert strongest(strengths, None, 2).tolist() == [[False, True, False, True], [True, False, True, False]]
    assert strongest(strengths, None, 1).tolist() == [[False, True, False, False], [True, False, False, False]]
    assert strongest(strengths, None, 4).all()
    assert strongest(strengths, None, 9).all()


def test_what_was_dropped_before_never_comes_back():
    strengths = torch.tensor([[0.9, 0.4, 0.2, 0.3], [0.7, 0.1, 0.15, 0.05]])
    kept = torch.tensor([[False, True, True, True], [False, False, True, True]])
    assert strongest(strengths, kept, 2).tolist() == [[False, True, False, True], [False, False, True, True]]
    # An edge that has fewer keeps them all.
    assert strongest(strengths, kept, 3).tolist() == kept.tolist()


def test_of_equal_strengths_the_later_primitive_remains():
    assert strongest(torch.full((1, 4), 0.25), None, 2).tolist() == [[False, False, True, True]]


def test_strengths_with_a_graph_give_a_mask_without_one_on_the_cpu():
    strengths = torch.rand(3, 5, requires_grad=True).softmax(1)
    mask = strongest(strengths, None, 2)
    assert (mask.dtype, mask.device.type, mask.requires_grad) == (torch.bool, "cpu", False)


@settings(deadline=None)
@given(st.integers(0, 1000), st.integers(1, 8), st.integers(1, 8))
def test_in_stages_each_edge_keeps_the_count_it_should_of_those_it_had(seed, first, second):
    strengths = torch.rand(14, 8, generator=stream(seed))
    kept = strongest(strengths, None, first)
    assert kept.sum(1).tolist() == [first] * 14
    left = strongest(strengths, kept, second)
    assert left.sum(1).tolist() == [min(first, second)] * 14
    assert not (left & ~kept).any()
    # Nothing that is left is weaker than anything that was dropped.
    weakest = strengths.masked_fill(~left, 2.0).min(1).values
    dropped = strengths.masked_fill(left, -1.0).max(1).values
    assert (weakest > dropped).all()
