"""An estimate is arithmetic on measured steps, and measuring leaves no trace in the run that follows."""

from __future__ import annotations

import math
import sys
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from edgewise.data import Augment, Splits
from edgewise.errors import RunError
from edgewise.pipeline import PhaseEstimate, duration, estimate, resolve, start
from edgewise.runtime.compute import Compute
from edgewise.spaces import published
from tests.pipeline.small import (
    ESTIMATE,
    RUN,
    SEED,
    SETS,
    EarlyStopping,
    assert_same_search,
    one_thread,
    options,
    small,
)

MODULE = sys.modules["edgewise.pipeline.estimate"]


class Clock:
    """A clock that only the fake steps move."""

    def __init__(self) -> None:
        self.now = 0.0

    def perf_counter(self) -> float:
        return self.now


class FakeTask:
    """Ten epochs of seven steps; the first step takes 100 s more, as a first one may."""

    epochs, steps = 10, 7

    def __init__(self, clock: Clock, cost: dict[int, float]) -> None:
        self._clock, self._cost = clock, cost
        self.seen: list[int] = []

    def step(self, epoch: int, step: int) -> None:
        self._clock.now += self._cost[epoch] + (0 if epoch in self.seen else 100)
        self.seen.append(epoch)


def measure(splits: Splits, monkeypatch: pytest.MonkeyPatch, *sets: str, recipe: str, **wanted: str):
    """Estimates on fake tasks: a frozen search step takes 1 s, a full one 3 s, a training step 2 s."""
    settings = resolve(recipe, sets=("search.epochs=10", "train.epochs=10", *sets))
    clock = Clock()
    search = FakeTask(clock, {0: 1.0 if settings.frozen_epochs else 3.0, 9: 3.0})
    training = FakeTask(clock, {0: 2.0})
    monkeypatch.setattr(MODULE, "time", SimpleNamespace(perf_counter=clock.perf_counter))
    monkeypatch.setattr(MODULE, "SearchTask", lambda *args, **kwargs: search)
    monkeypatch.setattr(MODULE, "TrainTask", lambda *args, **kwargs: training)
    augment = Augment.resolve(settings.augment, splits)
    parts = estimate(
        settings,
        splits,
        augment=augment,
        train_augment=augment,
        stem="cifar",
        compute=Compute("cpu"),
        steps=6,
        **wanted,  # type: ignore[arg-type]
    )
    return list(parts)


def test_frozen_epochs_are_weighed_by_what_their_own_steps_take(splits, monkeypatch) -> None:
    search, *_ = measure(splits, monkeypatch, "warm_up.epochs=4", recipe="pc-darts")
    assert search.seconds == pytest.approx(7 * (4 * 1 + 6 * 3))
    assert (search.name, search.epochs, search.steps, search.measured) == ("search", 10, 7, 6)


def test_without_warm_up_every_search_step_counts_the_same(splits, monkeypatch) -> None:
    search, *_ = measure(splits, monkeypatch, recipe="darts")
    assert search.seconds == pytest.approx(7 * 10 * 3)


def test_a_training_is_its_epochs_times_steps_times_the_mean_step(splits, monkeypatch) -> None:
    (training,) = measure(splits, monkeypatch, recipe="darts", command="train")
    assert training.seconds == pytest.approx(10 * 7 * 2)


@pytest.mark.parametrize(
    ("command", "names"), [("run", ["search", "training"]), ("search", ["search"]), ("train", ["training"])]
)
def test_only_the_phases_of_the_command_are_estimated(splits, monkeypatch, command: str, names: list[str]) -> None:
    phases = measure(splits, monkeypatch, "selection=none", recipe="darts", command=command)
    assert [phase.name for phase in phases][: len(names)] == names
    assert {phase.name.partition(" ")[0] for phase in phases} == set(names)


def test_a_selection_costs_the_epochs_of_its_rungs_on_the_weights_split(splits, monkeypatch) -> None:
    """By hand: 4 candidates, rungs of 2, 4 and 8 epochs: 4 * 2 + 2 * 2 = 12 epochs, then one is left."""
    sets = ("candidates={last=1, random=3}", "selection.epochs=8", "train.batch_size=32")
    phases = {phase.name: phase for phase in measure(splits, monkeypatch, *sets, recipe="darts")}
    assert list(phases) == ["search", "selection", "training"]
    assert phases["selection"].epochs == 12
    assert phases["selection"].steps == math.ceil(len(splits.weights) / 32)


def test_each_of_several_budgets_has_its_own_selection_and_training(splits, monkeypatch) -> None:
    sets = ("budgets=[{params=20000}, {params=60000}]",)
    names = [phase.name for phase in measure(splits, monkeypatch, *sets, recipe="darts")]
    parts = [f"{kind}, budget {name}" for name in ("20k", "60k") for kind in ("selection", "training")]
    assert names == ["search", *parts]


def test_the_sentence_shows_the_arithmetic() -> None:
    phase = PhaseEstimate("search", 50, 97, 2.0, 10)
    assert phase.seconds == 9700
    text = phase.sentence()
    assert all(part in text for part in ("search", "50 epochs", "97 steps", "2.00 s", "2.7 h", "10 steps"))


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(7.4, "7 s"), (59, "59 s"), (60, "1 min"), (3000, "50 min"), (3600, "1.0 h"), (86400, "24.0 h")],
)
def test_durations_are_in_the_unit_that_people_would_use(seconds: float, text: str) -> None:
    assert duration(seconds) == text


def test_long_durations_are_in_days() -> None:
    assert duration(10 * 86400) == "10.0 days"


def test_estimating_shifts_no_random_stream_and_changes_nothing_of_the_run_that_follows(
    splits, whole, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings, compute = small(), Compute("cpu")
    before = torch.get_rng_state()
    with one_thread():
        parts = estimate(
            settings,
            splits,
            augment=Augment.resolve(settings.augment, splits),
            train_augment=Augment.resolve(settings.train_augment, splits),
            stem="cifar",
            compute=compute,
            genotype=published("PC_DARTS_cifar"),
            steps=2,
        )
        phases = list(parts)
        assert len(phases) == 2
        assert torch.equal(before, torch.get_rng_state())
        assert splits.test.opened == 0
        assert all(phase.seconds > 0 for phase in phases)
        # The very images that were measured on, so that a change of them would be seen.
        monkeypatch.setattr(RUN, "load", lambda *args, **kwargs: splits)
        start(settings, tmp_path / "run", options=options(seed=SEED), command="search")
    assert_same_search(tmp_path / "run", whole.folder)


def test_a_run_that_is_asked_to_says_what_it_will_cost_before_its_first_step(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    phases = [PhaseEstimate("search", 3, 3, 2.0, 10), PhaseEstimate("training", 2, 4, 1.0, 10)]
    monkeypatch.setattr(ESTIMATE, "estimate", lambda *args, **kwargs: phases)
    monkeypatch.setattr(RUN, "run_phase", lambda phase, context: context.progress.say(phase))
    for wanted in (True, False):
        watch = EarlyStopping()
        with pytest.raises(RunError, match="genotype"):
            start(
                small(),
                tmp_path / str(wanted),
                options=replace(options(), estimate=wanted),
                progress=watch,
            )
        said = [line.partition(phase.sentence())[1] != "" for line in watch.lines for phase in phases]
        assert any(said) is wanted
        if wanted:
            text = "\n".join(watch.lines)
            assert all(text.index(phase.sentence()) < text.index("\nsearch\n") for phase in phases)
            assert "random, hand" in text


def test_an_estimate_counts_the_steps_that_the_run_will_do(splits) -> None:
    settings = small()
    augment = Augment.resolve(settings.augment, splits)
    search, training, *_ = estimate(
        settings,
        splits,
        augment=augment,
        train_augment=augment,
        stem="cifar",
        compute=Compute("cpu"),
        steps=1,
    )
    assert (search.epochs, search.steps) == (3, 3)
    assert (training.epochs, training.steps) == (2, 4)
    assert "search.epochs=3" in SETS
    assert "train.epochs=2" in SETS


@pytest.mark.parametrize(("space", "name"), [("darts", "PC_DARTS_cifar"), ("nb201", "NB201_ResNet")])
def test_while_the_cells_are_unknown_a_published_network_of_the_runs_space_is_measured(
    splits, monkeypatch, space, name
) -> None:
    measured = []
    clock = Clock()

    def training(network, *args, **kwargs):
        measured.append(network.genotype)
        return FakeTask(clock, {0: 2.0})

    monkeypatch.setattr(MODULE, "TrainTask", training)
    settings = small(f"space={space}", "train.auxiliary=0")
    augment = Augment.resolve(settings.augment, splits)
    compute = Compute("cpu")
    parts = estimate(
        settings, splits, augment=augment, train_augment=augment, stem="cifar", compute=compute, command="train"
    )
    assert len(list(parts)) == 1
    # At two batch sizes, for the memory.
    assert measured == [published(name)] * 2
