"""The loop that searches and trainings share: trace, timings, checkpoints, resume, stops, non-finite numbers."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from edgewise import loop
from edgewise.errors import NonFiniteError
from edgewise.loop import Loop
from edgewise.progress.plain import SilentProgress
from edgewise.runs.folder import RunFolder
from edgewise.runtime.interrupt import Interrupted, StopRequest

NEVER, ALWAYS = float("inf"), -1.0


class FakeTask:
    """Draws a number a step; its whole state is a tensor, a stream and the epoch's sum."""

    device = "cpu"

    def __init__(
        self, phase: str = "search", *, epochs: int = 3, steps: int = 3, step_records: bool = False
    ) -> None:
        self.phase = phase
        self.title = f"the {phase}"
        self.epochs = epochs
        self.steps = steps
        self.step_records = step_records
        self.weights = torch.zeros(2, dtype=torch.float64)
        self.stream = torch.Generator().manual_seed(len(phase))
        self.sum = 0.0
        self.done: list[tuple[int, int]] = []
        self.at_step: Callable[[int, int], None] = lambda epoch, step: None

    def step(self, epoch: int, step: int) -> dict[str, Any] | None:
        self.at_step(epoch, step)
        self.done.append((epoch, step))
        self.weights = self.weights * 0.9 + torch.rand(2, generator=self.stream, dtype=torch.float64)
        self.sum += self.weights.sum().item()
        return {"phase": self.phase, "epoch": epoch, "step": step, "sum": self.sum} if self.step_records else None

    def figures(self) -> dict[str, float]:
        return {"loss": self.sum}

    def check_finite(self, epoch: int) -> None:
        if not abs(self.sum) < float("inf"):
            raise NonFiniteError(f"loss is {self.sum} in epoch {epoch + 1}")

    def finish_epoch(self, epoch: int) -> dict[str, Any]:
        record = {"phase": self.phase, "epoch": epoch, "loss": self.sum, "weights": self.weights.tolist()}
        self.sum = 0.0
        return record

    def state_dict(self) -> dict[str, Any]:
        return {"weights": self.weights, "stream": self.stream.get_state(), "sum": self.sum}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.weights = state["weights"]
        self.stream.set_state(state["stream"])
        self.sum = state["sum"]


class Killed(BaseException):
    """Stands for SIGKILL: nothing in edgewise catches it."""


class DyingFolder(RunFolder):
    """A run folder whose process is killed at the `deadline`-th moment before or after something is written."""

    def __init__(self, path: Path, deadline: int) -> None:
        super().__init__(path, None)
        self.left = deadline

    def tick(self) -> None:
        self.left -= 1
        if self.left < 0:
            raise Killed

    def append_trace(self, record: Mapping[str, Any]) -> None:
        self.tick()
        super().append_trace(record)
        self.tick()

    def append_timing(self, record: Mapping[str, Any]) -> None:
        super().append_timing(record)
        self.tick()

    def save_checkpoint(self, state: dict[str, Any]) -> None:
        super().save_checkpoint(state)
        self.tick()

    def truncate_trace(self, keep: int) -> None:
        super().truncate_trace(keep)
        self.tick()


def make(path: Path) -> RunFolder:
    with RunFolder.create(path) as folder:
        return folder


def run_both(folder: RunFolder, *, every: float, step_records: bool = False) -> None:
    """A search, then a training, each skipped where the file that it leaves behind is there."""
    for phase in ("search", "train:found"):
        name = f"{phase[:5]}.json"
        if folder.has(name):
            continue
        task = FakeTask(phase, epochs=2, steps=3, step_records=step_records)
        if isinstance(folder, DyingFolder):
            task.at_step = lambda epoch, step: folder.tick()
        Loop(folder, SilentProgress(), StopRequest(), checkpoint_seconds=every).run(task)
        folder.write_json(name, task.weights.tolist())


def outcome(folder: RunFolder) -> dict[str, Any]:
    """What must not depend on how often a run was killed."""
    state = folder.load_checkpoint()
    assert state is not None
    mark = {key: value for key, value in state["mark"].items() if key != "seconds"}
    return {
        "trace": folder.file("trace.jsonl").read_bytes(),
        "timings": [(t["phase"], t["epoch"]) for t in folder.read_timings()],
        "results": [folder.read_json("searc.json"), folder.read_json("train.json")],
        "phase": state["phase"],
        "mark": mark,
        "weights": state["task"]["weights"].tolist(),
        "stream": state["task"]["stream"].tolist(),
    }


def test_an_epoch_leaves_a_trace_record_a_timing_and_a_checkpoint(tmp_path: Path) -> None:
    folder = make(tmp_path / "run")
    task = FakeTask(epochs=2, steps=3)
    Loop(folder, SilentProgress(), StopRequest()).run(task)
    assert task.done == [(0, 0), (0, 1), (0, 2), (1, 0), (1, 1), (1, 2)]
    trace = folder.read_trace()
    assert [(r["phase"], r["epoch"]) for r in trace] == [("search", 0), ("search", 1)]
    assert trace[1]["weights"] == task.weights.tolist()
    timings = folder.read_timings()
    assert [(t["phase"], t["epoch"]) for t in timings] == [("search", 0), ("search", 1)]
    assert all(t["seconds"] >= 0 and t["peak_memory_bytes"] > 1_000_000 for t in timings)
    assert all(set(t) == {"phase", "epoch", "seconds", "peak_memory_bytes"} for t in timings)
    state = folder.load_checkpoint()
    assert state is not None
    assert state["phase"] == "search"
    counts = {"trace": 2, "timings": 2, "first_trace": 0, "first_timing": 0}
    assert state["mark"] == {"epoch": 2, "step": 0, "seconds": 0.0, **counts}
    assert torch.equal(state["task"]["weights"], task.weights)


def test_step_records_stand_in_the_trace_before_their_epoch(tmp_path: Path) -> None:
    folder = make(tmp_path / "run")
    Loop(folder, SilentProgress(), StopRequest()).run(FakeTask(epochs=2, steps=2, step_records=True))
    assert [(r["epoch"], r.get("step")) for r in folder.read_trace()] == [
        (0, 0),
        (0, 1),
        (0, None),
        (1, 0),
        (1, 1),
        (1, None),
    ]


def test_a_second_phase_goes_on_behind_the_first_and_starts_at_its_own_beginning(tmp_path: Path) -> None:
    folder = make(tmp_path / "run")
    runner = Loop(folder, SilentProgress(), StopRequest())
    runner.run(FakeTask("search", epochs=2))
    train = FakeTask("train:found", epochs=1)
    runner.run(train)
    assert train.done == [(0, 0), (0, 1), (0, 2)]
    assert [r["phase"] for r in folder.read_trace()] == ["search", "search", "train:found"]
    assert [t["phase"] for t in folder.read_timings()] == ["search", "search", "train:found"]


def test_a_finished_phase_is_not_run_again(tmp_path: Path) -> None:
    folder = make(tmp_path / "run")
    first = FakeTask(epochs=2)
    Loop(folder, SilentProgress(), StopRequest()).run(first)
    trace = folder.file("trace.jsonl").read_bytes()
    again = FakeTask(epochs=2)
    Loop(folder, SilentProgress(), StopRequest()).run(again)
    assert again.done == []
    assert torch.equal(again.weights, first.weights)
    assert folder.file("trace.jsonl").read_bytes() == trace


@pytest.mark.parametrize("every", [NEVER, ALWAYS])
@pytest.mark.parametrize("step_records", [False, True])
def test_a_run_killed_at_any_moment_and_resumed_ends_as_the_run_that_was_never_killed(
    tmp_path: Path, every: float, step_records: bool
) -> None:
    run_both(make(tmp_path / "whole"), every=every, step_records=step_records)
    expected = outcome(RunFolder(tmp_path / "whole", None))
    for deadline in itertools.count():
        path = tmp_path / f"killed{deadline}"
        make(path)
        kills = 0
        # Again and again at the same distance, which grows where no step forward would be possible.
        for life in itertools.count():
            try:
                run_both(DyingFolder(path, deadline + 3 * life), every=every, step_records=step_records)
            except Killed:
                kills += 1
            else:
                break
        assert outcome(RunFolder(path, None)) == expected, f"killed at {deadline}"
        if kills == 0:
            break
    assert deadline > 20


def test_a_resumed_run_repeats_no_step_that_its_checkpoint_holds(tmp_path: Path) -> None:
    folder = make(tmp_path / "run")
    task = FakeTask()

    def die(epoch: int, step: int) -> None:
        if (epoch, step) == (1, 2):
            raise Killed

    task.at_step = die
    with pytest.raises(Killed):
        Loop(folder, SilentProgress(), StopRequest(), checkpoint_seconds=ALWAYS).run(task)
    resumed = FakeTask()
    Loop(folder, SilentProgress(), StopRequest()).run(resumed)
    assert resumed.done == [(1, 2), (2, 0), (2, 1), (2, 2)]


def test_a_stop_is_honoured_before_the_next_step_and_everything_is_saved(tmp_path: Path) -> None:
    folder = make(tmp_path / "run")
    stop = StopRequest()
    task = FakeTask(epochs=3, steps=4)

    def ask(epoch: int, step: int) -> None:
        stop.requested = (epoch, step) == (1, 1)

    task.at_step = ask
    with pytest.raises(Interrupted) as caught:
        Loop(folder, SilentProgress(), stop, checkpoint_seconds=NEVER).run(task)
    assert task.done[-1] == (1, 1)
    state = folder.load_checkpoint()
    assert state is not None
    assert (state["mark"]["epoch"], state["mark"]["step"]) == (1, 2)
    assert torch.equal(state["task"]["weights"], task.weights)
    message = str(caught.value)
    assert f"`edgewise run --resume {folder.path}`" in message
    assert "the search, epoch 2 of 3, after step 2 of 4" in message


def test_a_stop_in_an_epochs_last_step_first_closes_the_epoch(tmp_path: Path) -> None:
    folder = make(tmp_path / "run")
    stop = StopRequest()
    task = FakeTask(epochs=2, steps=2)

    def ask(epoch: int, step: int) -> None:
        stop.requested = (epoch, step) == (0, 1)

    task.at_step = ask
    with pytest.raises(Interrupted):
        Loop(folder, SilentProgress(), stop).run(task)
    assert [r["epoch"] for r in folder.read_trace()] == [0]
    resumed = FakeTask(epochs=2, steps=2)
    Loop(folder, SilentProgress(), StopRequest()).run(resumed)
    assert resumed.done == [(1, 0), (1, 1)]


class Clock:
    """A clock that moves only when told."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 1000.0
        fake = SimpleNamespace(monotonic=lambda: self.now, perf_counter=lambda: self.now)
        monkeypatch.setattr(loop, "time", fake)

    def pass_seconds(self, seconds: float) -> Callable[[int, int], None]:
        def wait(epoch: int, step: int) -> None:
            self.now += seconds

        return wait


class NotingFolder(RunFolder):
    """Notes where each checkpoint stands."""

    def __init__(self, path: Path) -> None:
        super().__init__(path, None)
        self.saved: list[tuple[int, int]] = []

    def save_checkpoint(self, state: dict[str, Any]) -> None:
        super().save_checkpoint(state)
        self.saved.append((state["mark"]["epoch"], state["mark"]["step"]))


def test_within_an_epoch_a_checkpoint_is_written_when_the_last_one_is_old(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make(tmp_path / "run")
    folder = NotingFolder(tmp_path / "run")
    task = FakeTask(epochs=1, steps=8)
    task.at_step = Clock(monkeypatch).pass_seconds(25.0)
    Loop(folder, SilentProgress(), StopRequest(), checkpoint_seconds=60.0).run(task)
    assert folder.saved == [(0, 0), (0, 3), (0, 6), (1, 0)]


def test_an_epochs_seconds_are_those_of_its_steps_also_when_it_was_resumed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = make(tmp_path / "run")
    clock, stop = Clock(monkeypatch), StopRequest()
    task = FakeTask(epochs=2, steps=3)

    def wait_and_stop(epoch: int, step: int) -> None:
        clock.now += 2.0
        stop.requested = (epoch, step) == (0, 1)

    task.at_step = wait_and_stop
    with pytest.raises(Interrupted):
        Loop(folder, SilentProgress(), stop).run(task)
    clock.now += 500.0
    resumed = FakeTask(epochs=2, steps=3)
    resumed.at_step = clock.pass_seconds(2.0)
    Loop(folder, SilentProgress(), StopRequest()).run(resumed)
    assert [t["seconds"] for t in folder.read_timings()] == [6.0, 6.0]


def poison(task: FakeTask, epoch: int, step: int) -> None:
    """Makes the task's sum NaN in one step."""

    def at_step(e: int, s: int) -> None:
        if (e, s) == (epoch, step):
            task.sum = float("nan")

    task.at_step = at_step


def test_a_non_finite_number_stops_the_run_names_the_last_good_checkpoint_and_leaves_it(
    tmp_path: Path,
) -> None:
    make(tmp_path / "run")
    folder = NotingFolder(tmp_path / "run")
    task = FakeTask()
    poison(task, 1, 1)
    with pytest.raises(NonFiniteError) as caught:
        Loop(folder, SilentProgress(), StopRequest(), checkpoint_seconds=NEVER).run(task)
    message = str(caught.value)
    assert "loss is nan in epoch 2" in message
    assert "last good checkpoint is epoch 2, step 0 of the search" in message
    assert f"`edgewise run --resume {folder.path}`" in message
    for way_out in ("weights.lr", "arch.lr", "train.lr", "fp32"):
        assert way_out in message
    assert folder.saved == [(0, 0), (1, 0)]
    assert len(folder.read_trace()) == len(folder.read_timings()) == 1
    state = folder.load_checkpoint()
    assert state is not None
    assert torch.isfinite(state["task"]["weights"]).all()
    assert state["task"]["sum"] == 0.0


def test_no_checkpoint_within_an_epoch_holds_a_non_finite_number(tmp_path: Path) -> None:
    make(tmp_path / "run")
    folder = NotingFolder(tmp_path / "run")
    task = FakeTask(epochs=1, steps=5)
    poison(task, 0, 2)
    with pytest.raises(NonFiniteError, match="last good checkpoint is epoch 1, step 2 of the search"):
        Loop(folder, SilentProgress(), StopRequest(), checkpoint_seconds=ALWAYS).run(task)
    assert folder.saved == [(0, 0), (0, 1), (0, 2)]


def test_a_non_finite_number_is_found_within_a_long_epoch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = make(tmp_path / "run")
    clock = Clock(monkeypatch)
    task = FakeTask(epochs=1, steps=100)

    def at_step(epoch: int, step: int) -> None:
        clock.now += 4.0
        if step == 3:
            task.sum = float("inf")

    task.at_step = at_step
    with pytest.raises(NonFiniteError):
        Loop(folder, SilentProgress(), StopRequest(), checkpoint_seconds=NEVER).run(task)
    assert len(task.done) <= 7


def test_the_device_is_not_asked_for_its_numbers_at_every_step(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    task = FakeTask(epochs=1, steps=100)
    task.at_step = Clock(monkeypatch).pass_seconds(2.0)
    asked = []
    task.check_finite = asked.append  # type: ignore[method-assign]
    Loop(make(tmp_path / "run"), SilentProgress(), StopRequest(), checkpoint_seconds=NEVER).run(task)
    assert 10 <= len(asked) <= 20


def test_ctrl_c_after_a_non_finite_number_does_not_replace_the_last_good_checkpoint(tmp_path: Path) -> None:
    make(tmp_path / "run")
    folder = NotingFolder(tmp_path / "run")
    stop = StopRequest()
    task = FakeTask(epochs=1, steps=5)

    def at_step(epoch: int, step: int) -> None:
        if step == 2:
            task.sum = float("nan")
            stop.requested = True

    task.at_step = at_step
    with pytest.raises((NonFiniteError, Interrupted)):
        Loop(folder, SilentProgress(), stop, checkpoint_seconds=NEVER).run(task)
    assert folder.saved == [(0, 0)]


class Watcher:
    """Progress that notes what it is told."""

    def __init__(self) -> None:
        self.phases: list[tuple[str, int, int, int]] = []
        self.steps: list[tuple[int, int]] = []
        self.epochs: list[tuple[int, Any]] = []

    @contextmanager
    def phase(self, title: str, epochs: int, steps: int, start_epoch: int = 0) -> Iterator[Watcher]:
        self.phases.append((title, epochs, steps, start_epoch))
        yield self

    def step(self, epoch: int, step: int, figures: Any) -> None:
        assert callable(figures)
        self.steps.append((epoch, step))

    def epoch(self, epoch: int, figures: Any) -> None:
        self.epochs.append((epoch, figures))

    def say(self, text: str) -> None:
        pass

    def table(self, title: str, columns: Any, rows: Any) -> None:
        pass


def test_the_user_sees_every_step_and_the_figures_of_every_epoch(tmp_path: Path) -> None:
    folder = make(tmp_path / "run")
    watcher = Watcher()
    Loop(folder, watcher, StopRequest()).run(FakeTask(epochs=2, steps=2))
    assert watcher.phases == [("the search", 2, 2, 0)]
    assert watcher.steps == [(0, 0), (0, 1), (1, 0), (1, 1)]
    assert watcher.epochs == [(r["epoch"], {"loss": r["loss"]}) for r in folder.read_trace()]


def test_a_resumed_phase_is_shown_from_the_epoch_of_its_checkpoint(tmp_path: Path) -> None:
    folder = make(tmp_path / "run")
    task = FakeTask(epochs=3)
    poison(task, 2, 0)
    with pytest.raises(NonFiniteError):
        Loop(folder, SilentProgress(), StopRequest()).run(task)
    watcher = Watcher()
    Loop(folder, watcher, StopRequest()).run(FakeTask(epochs=3))
    assert watcher.phases == [("the search", 3, 3, 2)]
    assert watcher.steps[0] == (2, 0)
