"""The small run that nothing stopped: made once a session, only read by the tests of every room that needs it."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import pytest

from edgewise.data import SealedImages
from edgewise.pipeline import RunResult, start
from edgewise.search import SearchTask
from edgewise.train import TrainTask
from tests.pipeline.small import EarlyStopping, one_thread, options, small


@dataclass
class Whole:
    """A whole small run, and the order in which epochs ended and test images were opened."""

    folder: Path
    result: RunResult
    events: list[str]
    lines: list[str] = field(default_factory=list)


_made: list[Whole] = []


def whole_run(factory: pytest.TempPathFactory) -> Whole:
    """The run of this session; made at the first call, whichever room calls first."""
    if not _made:
        _made.append(_make(factory))
    return _made[0]


def _make(factory: pytest.TempPathFactory) -> Whole:
    folder = factory.mktemp("whole") / "run"
    events: list[str] = []
    watch = EarlyStopping()
    with pytest.MonkeyPatch.context() as patch, one_thread():
        _record(patch, events)
        result = start(small(), folder, options=options(), progress=watch)
    return Whole(folder, result, events, watch.lines)


def _record(patch: pytest.MonkeyPatch, events: list[str]) -> None:
    opened, search, train = SealedImages.open, SearchTask.finish_epoch, TrainTask.finish_epoch

    def open_and_note(self: SealedImages):
        events.append("test images")
        return opened(self)

    def search_and_note(self: SearchTask, epoch: int):
        events.append(f"search {epoch}")
        return search(self, epoch)

    def train_and_note(self: TrainTask, epoch: int):
        events.append(f"{self.name} {epoch}")
        return train(self, epoch)

    patch.setattr(SealedImages, "open", open_and_note)
    patch.setattr(SearchTask, "finish_epoch", search_and_note)
    patch.setattr(TrainTask, "finish_epoch", train_and_note)
