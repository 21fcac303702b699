"""The loop that searches and trainings share: epochs of steps, with trace, checkpoint, resume and Ctrl-C."""

from __future__ import annotations

import shlex
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol, TypeVar

from edgewise.errors import NonFiniteError, ShortOfMemoryError
from edgewise.progress.protocol import Phase, Progress
from edgewise.runs.folder import RunFolder
from edgewise.runs.provenance import peak_memory_bytes, reset_peak_memory
from edgewise.runtime.distributed import ALONE, Processes
from edgewise.runtime.interrupt import Interrupted, Stop

# Asking a device for its numbers makes it wait; a search that went wrong should not go on for an epoch.
CHECK_SECONDS = 10.0

T = TypeVar("T")


class Task(Protocol):
    """What a loop runs: a search, or the training of a network."""

    @property
    def phase(self) -> str:
        """Its name in the run folder, such as "search" or "train:found"."""
        ...

    @property
    def title(self) -> str:
        """Its name for people."""
        ...

    @property
    def epochs(self) -> int:
        """How many epochs there are."""
        ...

    @property
    def steps(self) -> int:
        """How many steps an epoch has."""
        ...

    @property
    def device(self) -> str:
        """The device, for peak memory."""
        ...

    def step(self, epoch: int, step: int) -> dict[str, Any] | None:
        """Does one step; returns a record for the trace where one is asked for."""
        ...

    def figures(self) -> dict[str, float]:
        """Loss, accuracy and the like of the epoch so far, for people."""
        ...

    def check_finite(self, epoch: int) -> None:
        """Raises NonFiniteError if the epoch so far holds an infinite number or NaN."""
        ...

    def finish_epoch(self, epoch: int) -> dict[str, Any]:
        """Closes the epoch and returns its record for the trace."""
        ...

    def state_dict(self) -> dict[str, Any]:
        """Everything that the rest of the task follows from."""
        ...

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restores `state_dict`."""
        ...


class Loop:
    """Runs tasks in a run folder.

    Args:
        folder: where trace, timings and checkpoint are kept.
        progress: what the user sees.
        stop: asks for a stop between two steps.
        checkpoint_seconds: a checkpoint is written at the end of every epoch, and within it when the last is this
            old.
        listener: is told of every epoch's record, once it stands in the trace.
        processes: who runs the task together; they save, check and stop at the same steps.
        resumed_as: the folder that a stopped run is gone on with by; its own by default.
    """

    def __init__(
        self,
        folder: RunFolder,
        progress: Progress,
        stop: Stop,
        *,
        checkpoint_seconds: float = 60.0,
        listener: Callable[[dict[str, Any]], None] = lambda record: None,
        processes: Processes = ALONE,
        resumed_as: Path | None = None,
    ) -> None:
        self.folder = folder
        self.progress = progress
        self.stop = stop
        self.checkpoint_seconds = checkpoint_seconds
        self._listener = listener
        self._processes = processes
        self._resumed_as = resumed_as or folder.path

    def run(self, task: Task) -> None:
        """Runs a task to its end, from the folder's checkpoint if that is the task's, else from the start.

        Raises:
            Interrupted: the user asked for a stop; the checkpoint is written.
            NonFiniteError: a number is not finite; the last good checkpoint stays.
            ShortOfMemoryError: there is not enough memory; the last checkpoint stays.
        """
        state = self.folder.load_checkpoint()
        self._processes.barrier()
        mark = Mark.start(task, state)
        self.folder.truncate_trace(mark.trace)
        self.folder.truncate_timings(mark.timings)
        if state is not None and state["phase"] == task.phase:
            task.load_state_dict(state["task"])
        else:
            self._save(task, mark)
        reset_peak_memory(task.device)
        with self.progress.phase(task.title, epochs=task.epochs, steps=task.steps, start_epoch=mark.epoch) as view:
            while mark.epoch < task.epochs:
                self._epoch(task, mark, view)

    def give_up(self, task: Task) -> None:
        """Takes back what a task that failed has left in trace, timings and checkpoint, as if it had not begun."""
        state = self.folder.load_checkpoint()
        self._processes.barrier()
        if state is None or state["phase"] != task.phase:
            return
        mark = Mark.start(task, state)
        mark.go_back()
        self.folder.truncate_trace(mark.first_trace)
        self.folder.truncate_timings(mark.first_timing)
        if self._processes.main:
            self.folder.save_checkpoint(
                {"phase": f"{task.phase}, given up", "mark": mark.state_dict(), "task": {}}
            )

    def _epoch(self, task: Task, mark: Mark, view: Phase) -> None:
        for step in range(mark.step, task.steps):
            if self.stop.requested:
                self._interrupt(task, mark)
            started = time.perf_counter()
            record = self._guarded(task, mark, lambda step=step: task.step(mark.epoch, step))
            if record is not None:
                self._guarded(task, mark, lambda record=record: self.folder.append_trace(record))
                mark.trace += 1
            mark.step = step + 1
            mark.seconds += time.perf_counter() - started
            view.step(mark.epoch, step, task.figures)
            if mark.step < task.steps:
                self._within_epoch(task, mark)
        started = time.perf_counter()
        self._guarded(task, mark, lambda: task.check_finite(mark.epoch))
        view.epoch(mark.epoch, task.figures())
        record = self._guarded(task, mark, lambda: task.finish_epoch(mark.epoch))
        mark.seconds += time.perf_counter() - started
        self.folder.append_trace(record)
        self.folder.append_timing(
            {
                "phase": task.phase,
                "epoch": mark.epoch,
                "seconds": round(mark.seconds, 3),
                "peak_memory_bytes": peak_memory_bytes(task.device),
            }
        )
        mark.next_epoch()
        self._save(task, mark)
        self._listener(record)

    def _within_epoch(self, task: Task, mark: Mark) -> None:
        """Looks for non-finite numbers and saves, when the last time was long enough ago."""
        now = time.monotonic()
        old = now - mark.saved > self.checkpoint_seconds
        due, unchecked = self._processes.any(old, now - mark.checked > CHECK_SECONDS)
        if due or unchecked:
            self._guarded(task, mark, lambda: task.check_finite(mark.epoch))
            mark.checked = now
        if due:
            self._save(task, mark)

    def _guarded(self, task: Task, mark: Mark, action: Callable[[], T]) -> T:
        try:
            return action()
        except NonFiniteError as error:
            raise type(error)(
                f"{error}; the last good checkpoint is {mark.saved_at}: go on from it by "
                f"`{self._resume_command()}` with a lower learning rate (add --set weights.lr=..., "
                "--set arch.lr=... or --set train.lr=...), or start anew with --precision fp32"
            ) from error
        except ShortOfMemoryError as error:
            command = " ".join(filter(None, [self._resume_command(), error.resume_with]))
            raise ShortOfMemoryError(
                f"{error}; epoch {mark.epoch + 1}, step {mark.step + 1} of {task.title}; the last good checkpoint "
                f"is {mark.saved_at}: `{command}` goes on from it, here or where there is more memory"
            ) from error

    def _interrupt(self, task: Task, mark: Mark) -> None:
        self._guarded(task, mark, lambda: task.check_finite(mark.epoch))
        self._save(task, mark)
        raise Interrupted(
            f"stopped in {task.title}, epoch {mark.epoch + 1} of {task.epochs}, after step {mark.step} of "
            f"{task.steps}; all of it is saved: go on with `{self._resume_command()}`"
        )

    def _resume_command(self) -> str:
        return f"edgewise run --resume {shlex.quote(str(self._resumed_as))}"

    def _save(self, task: Task, mark: Mark) -> None:
        if self._processes.main:
            state = {"phase": task.phase, "mark": mark.state_dict(), "task": task.state_dict()}
            self.folder.save_checkpoint(state)
        mark.saved = time.monotonic()
        mark.saved_at = f"epoch {mark.epoch + 1}, step {mark.step} of {task.title}"


class Mark:
    """How far a task has come, and how much of the trace belongs to it."""

    def __init__(
        self,
        *,
        epoch: int,
        step: int,
        trace: int,
        timings: int,
        seconds: float,
        first_trace: int | None = None,
        first_timing: int | None = None,
    ) -> None:
        self.epoch = epoch
        self.step = step
        self.trace = trace
        self.timings = timings
        self.seconds = seconds
        # Checkpoints of version 0.1 don't say where their task began.
        self.first_trace = trace if first_trace is None else first_trace
        self.first_timing = timings if first_timing is None else first_timing
        self.saved = time.monotonic()
        self.checked = self.saved
        self.saved_at = f"epoch {epoch + 1}, step {step}"

    @staticmethod
    def start(task: Task, state: dict[str, Any] | None) -> Mark:
        """Where a task begins: at its own checkpoint, or behind what the phase before it left."""
        if state is None:
            return Mark(epoch=0, step=0, trace=0, timings=0, seconds=0.0)
        mark = state["mark"]
        if state["phase"] == task.phase:
            return Mark(**mark)
        return Mark(epoch=0, step=0, trace=mark["trace"], timings=mark["timings"], seconds=0.0)

    def go_back(self) -> None:
        """Goes back to where the task began."""
        self.epoch, self.step, self.seconds = 0, 0, 0.0
        self.trace, self.timings = self.first_trace, self.first_timing

    def next_epoch(self) -> None:
        """Steps to the next epoch's start, behind one more line of trace and timings."""
        self.epoch, self.step, self.seconds = self.epoch + 1, 0, 0.0
        self.trace += 1
        self.timings += 1

    def state_dict(self) -> dict[str, Any]:
        """The mark as plain numbers."""
        return {
            "epoch": self.epoch,
            "step": self.step,
            "trace": self.trace,
            "timings": self.timings,
            "seconds": self.seconds,
            "first_trace": self.first_trace,
            "first_timing": self.first_timing,
        }
