"""The selection: survivors train on, the weaker go out, no test image is read, a resumed one ends the same."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from copy import deepcopy
from dataclasses import replace
from typing import Any

import pytest
from torch import Tensor, nn

from edgewise.data import Images, Splits
from edgewise.errors import DivergedError
from edgewise.methods import TrainSettings
from edgewise.nn import DropPath
from edgewise.runtime.compute import Compute
from edgewise.selection import Entrant, Halving, SelectionTask
from edgewise.train import TrainTask
from tests.search.problem import make_images, make_splits, same, snapshot

SETTINGS = TrainSettings(epochs=50, batch_size=8, lr=0.05, drop_path=0.0, auxiliary=0.0)
HALVING = Halving(rungs=2, keep=0.5, epochs=4)


class Linear(nn.Module):
    """A linear classifier on the image's channel means; `scale` says how well it can learn."""

    def __init__(self, scale: float = 1.0) -> None:
        super().__init__()
        self.scale = scale
        self.main = nn.Linear(3, 3)
        nn.init.zeros_(self.main.weight)
        nn.init.zeros_(self.main.bias)

    def forward(self, x: Tensor) -> Tensor:
        return self.scale * self.main(x.mean((2, 3)))

    def training_forward(self, x: Tensor, drop_path: DropPath | None) -> tuple[Tensor, None]:
        return self(x), None


class Broken(Linear):
    """Its logits are no numbers from its n-th pass on."""

    def __init__(self, passes: int = 0) -> None:
        super().__init__()
        self.left = passes

    def training_forward(self, x: Tensor, drop_path: DropPath | None) -> tuple[Tensor, None]:
        self.left -= 1
        return self(x) * (float("nan") if self.left < 0 else 1.0), None


def bright_splits(*, weights: int = 24, arch: int = 12) -> Splits:
    """Images whose class can be read off their colour."""

    def bright(images: Images) -> Images:
        pixels = images.pixels.clone() // 4
        for i, label in enumerate(images.labels.tolist()):
            pixels[i, label] += 150
        return Images(pixels, images.labels)

    splits = make_splits(weights=weights, arch=arch)
    return replace(splits, weights=bright(splits.weights), arch=bright(splits.arch))


def entrants(*modules: nn.Module, macs: Sequence[int] = ()) -> list[Entrant]:
    numbers = macs or range(10, 10 + len(modules))
    return [Entrant(f"c{i}", module, n) for i, (module, n) in enumerate(zip(modules, numbers, strict=True))]


def make(
    candidates: Sequence[Entrant],
    halving: Halving = HALVING,
    splits: Splits | None = None,
    say: Callable[[str], None] = lambda text: None,
) -> SelectionTask:
    return SelectionTask(
        candidates, halving, SETTINGS, splits or bright_splits(), None, seed=5, compute=Compute("cpu"), say=say
    )


def run(task: SelectionTask, epochs: int | None = None, epoch: int = 0) -> list[dict[str, Any]]:
    """What the loop does with a task, for so many of its epochs or to its end."""
    records = []
    while epoch < task.epochs and (epochs is None or len(records) < epochs):
        for step in range(task.steps):
            task.step(epoch, step)
        task.check_finite(epoch)
        task.figures()
        records.append(task.finish_epoch(epoch))
        epoch += 1
    return records


def four() -> list[Entrant]:
    return entrants(Linear(0.01), Linear(3.0), Linear(0.1), Linear(1.0))


def test_those_with_the_lowest_training_loss_go_on() -> None:
    records = run(make(four()))
    assert [(r["network"], r["rung"], r["epoch"]) for r in records[:8]] == [
        (f"c{i}", 0, epoch) for i in range(4) for epoch in (0, 1)
    ]
    assert records[7]["order"] == ["c1", "c3", "c2", "c0"]
    assert [(r["network"], r["rung"], r["epoch"]) for r in records[8:]] == [
        (name, 1, epoch) for name in ("c1", "c3") for epoch in (2, 3)
    ]


def test_the_last_rung_ranks_by_accuracy_on_the_arch_split() -> None:
    splits = bright_splits()
    # The weights split teaches that colours mean classes; on the arch split they mean others.
    swapped = replace(splits, arch=Images(splits.arch.pixels, (splits.arch.labels + 1) % 3))
    right, wrong = make(four(), splits=splits), make(four(), splits=swapped)
    ends = [[r for r in run(task) if "arch_accuracy" in r] for task in (right, wrong)]
    assert [len(end) for end in ends] == [2, 2]
    assert min(r["arch_accuracy"] for r in ends[0]) == 1.0
    assert max(r["arch_accuracy"] for r in ends[1]) == 0.0


def test_of_two_that_rank_alike_the_one_with_fewer_multiply_adds_goes_on() -> None:
    alike = [Linear(1.0) for _ in range(4)]
    task = make(entrants(*alike, macs=[40, 10, 30, 20]))
    records = run(task)
    assert records[7]["order"] == ["c1", "c3", "c2", "c0"]
    assert task.winner == "c1"


def test_the_winner_has_been_trained_as_if_nobody_had_asked_in_between() -> None:
    candidates = four()
    lone = TrainTask(
        deepcopy(candidates[1].network),
        "c1",
        replace(SETTINGS, epochs=HALVING.epochs),
        bright_splits(),
        None,
        seed=5,
        compute=Compute("cpu"),
        images=bright_splits().weights,
    )
    for epoch in range(HALVING.epochs):
        for step in range(lone.steps):
            lone.step(epoch, step)
        lone.finish_epoch(epoch)
    task = make(candidates)
    run(task)
    assert task.winner == "c1"
    assert same(snapshot(candidates[1].network), snapshot(lone.network))


def test_who_went_out_is_not_trained_on() -> None:
    candidates = four()
    task = make(candidates)
    run(task, epochs=8)
    before = snapshot(candidates[0].network)
    run(task, epoch=8)
    assert same(snapshot(candidates[0].network), before)
    assert task.trained == {"c0": 2, "c1": 4, "c2": 2, "c3": 4}
    assert task.out["c0"] == {"rung": 0, "place": 4, "reason": "place 4 of 4 by training loss"}
    assert "c1" not in task.out


def test_test_images_and_for_the_weights_arch_images_are_not_read() -> None:
    task = make(four(), splits=replace(bright_splits(), test=None))  # type: ignore[arg-type]
    run(task)
    other = replace(bright_splits(), arch=make_images(12, 99))
    first, second = four(), four()
    run(make(first), epochs=8)
    run(make(second, splits=other), epochs=8)
    assert same(snapshot(first[0].network), snapshot(second[0].network))


def test_all_candidates_see_the_same_images_in_the_same_order() -> None:
    alike = [Linear(1.0) for _ in range(3)]
    run(make(entrants(*alike), Halving(rungs=1, epochs=3)))
    assert same(snapshot(alike[0]), snapshot(alike[1]))
    assert same(snapshot(alike[0]), snapshot(alike[2]))


@pytest.mark.parametrize("passes", [0, 4, 7])
def test_one_that_diverges_is_put_out_with_its_reason_and_ends_nothing(passes: int) -> None:
    candidates = entrants(Linear(0.1), Broken(passes), Linear(3.0), Linear(1.0))
    task = make(candidates)
    records = run(task)
    (told,) = [r for r in records if "diverged" in r]
    assert told["network"] == "c1"
    assert "diverged: its loss is nan" in told["diverged"]
    assert task.out["c1"]["reason"] == told["diverged"]
    assert task.out["c1"]["place"] is None
    assert task.winner == "c2"
    assert len(records) == task.epochs


def test_if_all_diverge_that_is_an_error() -> None:
    with pytest.raises(DivergedError, match=r"every candidate diverged.*lower train\.lr"):
        run(make(entrants(Broken(), Broken())))


def test_the_epochs_that_are_announced_are_those_that_come() -> None:
    task = make(four())
    assert task.epochs == HALVING.cost(4) == 12
    assert len(run(task)) == 12
    assert task.epochs == 12


def test_who_is_left_alone_wins_without_more_training() -> None:
    task = make(entrants(Linear(1.0), Linear(3.0)))
    assert len(run(task)) == 4
    assert task.winner == "c1"
    assert make(entrants(Linear())).epochs == 0
    assert make(entrants(Linear())).winner == "c0"


def test_a_rung_ends_with_a_sentence() -> None:
    said: list[str] = []
    run(make(four(), say=said.append))
    assert said == [
        "selection, rung 1 of 2: 2 of 4 go on, c1 leads",
        "selection, rung 2 of 2: c1 wins",
    ]


@pytest.mark.parametrize("halving", [HALVING, Halving(rungs=3, keep=1.0, epochs=3)])
def test_a_selection_that_was_stopped_anywhere_ends_as_one_that_was_not(halving: Halving) -> None:
    def candidates() -> list[Entrant]:
        return entrants(Linear(0.1), Broken(7), Linear(3.0), Linear(1.0))

    whole = make(candidates(), halving)
    expected = run(whole)
    for stop in range(len(expected)):
        first = make(candidates(), halving)
        records = run(first, epochs=stop)
        first.step(stop, 0)  # in the middle of an epoch
        state = deepcopy(first.state_dict())
        second = make(candidates(), halving)
        second.load_state_dict(state)
        # The stub counts its passes itself.
        for name in state["tasks"]:
            if name == "c1":
                second._tasks["c1"].network.left = first._tasks["c1"].network.left  # type: ignore[union-attr]
        for step in range(1, second.steps):
            second.step(stop, step)
        second.check_finite(stop)
        records.append(second.finish_epoch(stop))
        records += run(second, epoch=stop + 1)
        assert records == expected
        assert second.order == whole.order
        assert second.out == whole.out
