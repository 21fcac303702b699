"""Ctrl-C at the next safe place, not in the middle of a step."""

from __future__ import annotations

import signal
import threading
from types import FrameType, TracebackType

from edgewise.core.errors import RunError


class Interrupted(RunError):
    """The user stopped the run; everything up to the last step is saved."""


class StopRequest:
    """Turns the first SIGINT or SIGTERM into a request that the loop honours between two steps.

    A second signal does what it always did. Outside the main thread, where Python allows no handlers, it never
    asks for a stop.
    """

    def __init__(self) -> None:
        self.requested = False
        self._before: dict[int, object] = {}

    def __enter__(self) -> StopRequest:
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGINT, signal.SIGTERM):
                self._before[number] = signal.signal(number, self._note)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._restore()

    def _note(self, number: int, frame: FrameType | None) -> None:
        self.requested = True
        self._restore()

    def _restore(self) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)  # type: ignore[arg-type]
        self._before.clear()
