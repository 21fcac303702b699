"""Ctrl-C at the next safe place, not in the middle of a step."""

from __future__ import annotations

import os
import signal
import threading
from types import FrameType, TracebackType
from typing import Protocol

from edgewise.errors import RunError
from edgewise.runtime.distributed import Processes


class Interrupted(RunError):
    """The user stopped the run; everything up to the last step is saved."""


class Stop(Protocol):
    """Says whether a stop was asked for."""

    @property
    def requested(self) -> bool:
        """Whether a stop was asked for."""
        ...


class EarlyInterrupt:
    """A handler of SIGINT for the time before anything listens: raises KeyboardInterrupt, or ends the process.

    An exception in the middle of an import may abort the process (compiled modules), come out as another error,
    or be swallowed. So an interrupted import ends the process at once, with code 130; files are what they would
    be after SIGKILL. Everywhere else KeyboardInterrupt is raised and remembered: where others swallow it, a
    ``StopRequest`` that begins later asks for the stop all the same.
    """

    def __init__(self) -> None:
        self.heard = False

    def __call__(self, number: int, frame: FrameType | None) -> None:
        """Hears the signal.

        Raises:
            KeyboardInterrupt: outside of imports.
        """
        self.heard = True
        if _imports(frame):
            os.write(2, b"stopped\n")
            os._exit(130)
        raise KeyboardInterrupt


def listen_early() -> None:
    """Takes the place of Python's own handler of SIGINT, where it is in force: a shell may have it ignored."""
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, EarlyInterrupt())


def _imports(frame: FrameType | None) -> bool:
    while frame is not None:
        if frame.f_code.co_filename.startswith("<frozen importlib"):
            return True
        frame = frame.f_back
    return False


class StopRequest:
    """Turns the first SIGINT or SIGTERM into a request that the loop honours between two steps.

    A second signal does what it always did; one that ``EarlyInterrupt`` heard before counts as the first.
    Outside the main thread, where Python allows no handlers, it never asks for a stop.

    Args:
        patient: later signals do nothing: a launcher of several processes passes on what the terminal has sent to
            them already, and itself kills those that take too long.
    """

    def __init__(self, *, patient: bool = False) -> None:
        self.requested = False
        self._patient = patient
        self._before: dict[int, object] = {}

    def __enter__(self) -> StopRequest:
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGINT, signal.SIGTERM):
                self._before[number] = before = signal.signal(number, self._note)
                if isinstance(before, EarlyInterrupt) and before.heard:
                    self.requested = True
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._restore()

    def _note(self, number: int, frame: FrameType | None) -> None:
        self.requested = True
        if not self._patient:
            self._restore()

    def _restore(self) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)  # type: ignore[arg-type]
        self._before.clear()


class SharedStop:
    """A stop that all processes honour before the same step, whichever of them was asked.

    Args:
        stop: this process's.
        processes: who agrees; each asks for `requested` equally often.
    """

    def __init__(self, stop: StopRequest, processes: Processes) -> None:
        self._stop = stop
        self._processes = processes

    @property
    def requested(self) -> bool:
        """Whether any process was asked to stop."""
        return self._processes.any(self._stop.requested)[0]
