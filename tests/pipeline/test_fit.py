"""The batch that fits: a line through two measured peaks, held against the peak of a third batch."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from edgewise.errors import RunError, ShortOfMemoryError
from edgewise.pipeline import PhaseEstimate, start
from edgewise.pipeline.batch_size import MemoryEstimate, peak_of
from edgewise.runtime.compute import Compute
from tests.pipeline.small import ESTIMATE, RUN, EarlyStopping, child_environment, options, small

GB = 10**9
# Estimates at batch 64 in a fresh process, then does real steps at batch 192 in another.
CHILD = """
import sys, json, torch
from dataclasses import replace
from edgewise.runs.provenance import peak_memory_bytes
from edgewise.runtime.compute import Compute
from edgewise.data import Augment, load
from edgewise.pipeline import estimate, resolve
from edgewise.search import SearchTask
torch.set_num_threads(1)
what, batch = sys.argv[1], int(sys.argv[2])
sets = ["data.image_size=16", f"search.batch_size={batch}", "search.channels=16", "search.layers=4"]
sets += ["search.epochs=2"]
settings = resolve("darts-v1", sets=sets)
splits = load(settings.data, seed=0)
augment = Augment.resolve(settings.augment, splits)
compute = Compute("cpu")
if what == "estimate":
    parts = estimate(settings, splits, augment=augment, train_augment=augment, stem="cifar", compute=compute,
                     command="search", steps=1)
    memory = next(parts).memory
    print(json.dumps([memory.peak, memory.bytes_at(192)]))
else:
    task = SearchTask(settings, splits, augment, stem="cifar", seed=0, compute=compute)
    task.step(1, 0); task.step(1, 1)
    print(json.dumps([peak_memory_bytes("cpu")]))
"""


def line(small: tuple[int, int], full: tuple[int, int], room: int = 21 * GB) -> MemoryEstimate:
    found = MemoryEstimate.through("search", small, full, room)
    assert found is not None
    return found


def test_the_line_goes_through_both_points_and_beyond() -> None:
    found = line((32, GB), (64, 2 * GB))
    assert [found.bytes_at(batch) for batch in (32, 64, 128)] == [GB, 2 * GB, 4 * GB]


def test_the_largest_batch_leaves_a_tenth_of_the_room_free() -> None:
    found = line((32, 2 * GB), (64, 3 * GB), room=10 * GB)
    assert found.bytes_at(found.largest) == pytest.approx(9 * GB, rel=0.01)


def test_the_sentence_says_what_is_needed_and_what_fits() -> None:
    assert line((32, GB), (64, 2 * GB)).sentence() == (
        "about 2 GB at batch 64; batches up to about 600 fit into 21.0 GB (search)"
    )


def test_a_batch_that_does_not_fit_is_said_to_be_too_large() -> None:
    assert "only batches up to about 28 fit into 1.0 GB" in line((32, GB), (64, 2 * GB), room=GB).sentence()


@pytest.mark.parametrize(("small", "full"), [((32, GB), (64, GB)), ((2, GB), (2, 2 * GB))])
def test_two_points_that_make_no_rising_line_tell_nothing(small: tuple[int, int], full: tuple[int, int]) -> None:
    assert MemoryEstimate.through("search", small, full, GB) is None


def test_where_the_system_does_not_tell_there_is_no_peak(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("edgewise.pipeline.batch_size.reset_peak_memory", lambda device: False)
    assert peak_of(lambda: None, Compute("cpu")) is None


def measured(what: str, batch: int) -> list[float]:
    done = subprocess.run(
        [sys.executable, "-c", CHILD, what, str(batch)],
        env=child_environment(),
        capture_output=True,
        text=True,
        check=True,
        timeout=600,
    )
    return json.loads(done.stdout.splitlines()[-1])


@pytest.mark.skipif(sys.platform != "linux", reason="peaks within a process are Linux's")
@pytest.mark.slow
def test_the_peak_at_three_times_the_measured_batch_is_foretold_within_a_quarter() -> None:
    at_64, foretold = measured("estimate", 64)
    (real,) = measured("real", 192)
    assert real > 1.5 * at_64
    assert foretold == pytest.approx(real, rel=0.25)


def test_a_run_says_what_fits_before_its_first_step(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    phases = [PhaseEstimate("search", 3, 3, 2.0, 10, line((32, GB), (64, 2 * GB)))]
    monkeypatch.setattr(ESTIMATE, "estimate", lambda *args, **kwargs: phases)
    monkeypatch.setattr(RUN, "run_phase", lambda phase, context: context.progress.say(phase))
    watch = EarlyStopping()
    with pytest.raises(RunError, match="genotype"):
        start(small(), tmp_path / "run", options=options_with_estimate(), progress=watch)
    text = "\n".join(watch.lines)
    assert text.index(f"memory: {line((32, GB), (64, 2 * GB)).sentence()}") < text.index("\nsearch\n")


def test_a_run_whose_estimate_runs_out_of_memory_has_failed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def short(*args: object, **kwargs: object) -> None:
        raise ShortOfMemoryError("out of memory")

    monkeypatch.setattr(ESTIMATE, "estimate", short)
    with pytest.raises(ShortOfMemoryError):
        start(small(), tmp_path / "run", options=options_with_estimate())
    assert json.loads((tmp_path / "run" / "run.json").read_text())["status"] == "failed"


def options_with_estimate():
    from dataclasses import replace

    return replace(options(), estimate=True)
