"""A run that is killed with SIGKILL, at whatever moment and however often, ends as the run that never was."""

from __future__ import annotations

import random
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.pipeline.child import CHECKPOINT_SECONDS
from tests.pipeline.small import (
    NETWORKS,
    ROOT,
    SEARCH_EPOCHS,
    SEARCH_STEPS,
    TRAIN_EPOCHS,
    TRAIN_STEPS,
    assert_same_outcome,
    child_environment,
    kill_child,
)

PLACES = (
    [("search", e, s) for e in range(SEARCH_EPOCHS) for s in range(SEARCH_STEPS)]
    + [(f"training ({n})", e, s) for n in NETWORKS for e in range(TRAIN_EPOCHS) for s in range(TRAIN_STEPS)]
    + [("export", 0, 0)]
)


@dataclass(frozen=True)
class SchedulePosition:
    """Where a child is killed: so many seconds after it has said that it is there."""

    place: tuple[str, int, int]
    delay: float


def is_at(line: str, place: tuple[str, int, int]) -> bool:
    """Whether a child that prints `line` has reached a place or is beyond it."""
    if line.rstrip("\n") == "phase|export":
        return True
    if not line.startswith("step|"):
        return False
    _, title, epoch, step = line.rstrip("\n").split("|")
    return PLACES.index((title, int(epoch), int(step))) >= PLACES.index(place)


def kill_at(moment: SchedulePosition, action: str, folder: Path) -> str:
    """Runs a child and kills it at a moment; returns the place that it had reached."""
    return kill_child(lambda line: is_at(line, moment.place), action, folder, delay=moment.delay)


def finish(folder: Path) -> str:
    """Goes on with a killed run by the command line, to its end."""
    done = subprocess.run(
        [sys.executable, "-m", "edgewise", "run", "--resume", str(folder)],
        cwd=ROOT,
        env=child_environment(),
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def moments(count: int, seed: int) -> list[SchedulePosition]:
    """Moments spread over the whole run: one from each of `count` equal parts, in order."""
    rng = random.Random(seed)
    bounds = [round(i * len(PLACES) / count) for i in range(count + 1)]
    chosen = [PLACES[rng.randrange(bounds[i], bounds[i + 1])] for i in range(count - 1)] + [PLACES[-1]]
    # Steps of these networks take 20 to 100 ms, the export some seconds.
    return [SchedulePosition(place, rng.uniform(0, 2.0 if place[0] == "export" else 0.1)) for place in chosen]


def kill_and_finish(chosen: list[SchedulePosition], folder: Path) -> None:
    for i, moment in enumerate(chosen):
        kill_at(moment, "resume" if i else "start", folder)
    finish(folder)


def test_a_run_killed_in_search_and_in_training_ends_as_the_run_never_killed(whole, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    kill_and_finish(
        [SchedulePosition(("search", 1, 1), 0.03), SchedulePosition(("training (found)", 1, 1), 0.02)], folder
    )
    assert_same_outcome(whole.folder, folder)
    assert {path.name for path in folder.iterdir()} == {path.name for path in whole.folder.iterdir()}


@pytest.mark.slow
@pytest.mark.parametrize("seed", [0])
def test_a_run_killed_at_twenty_random_moments_ends_as_the_run_never_killed(
    whole, seed: int, tmp_path: Path
) -> None:
    chosen = moments(20, seed)
    folder = tmp_path / "run"
    kill_and_finish(chosen, folder)
    assert_same_outcome(whole.folder, folder)
    assert {path.name for path in folder.iterdir()} == {path.name for path in whole.folder.iterdir()}


def test_twenty_moments_lie_in_every_phase_of_the_run() -> None:
    chosen = moments(20, 0)
    assert len(chosen) == len({moment.place for moment in chosen}) == 20
    phases = {moment.place[0] for moment in chosen}
    assert phases == {"search", "export", *(f"training ({name})" for name in NETWORKS)}
    assert [PLACES.index(m.place) for m in chosen] == sorted(PLACES.index(m.place) for m in chosen)


def test_checkpoints_of_killed_runs_are_written_more_than_once_an_epoch() -> None:
    assert CHECKPOINT_SECONDS < 0.1
