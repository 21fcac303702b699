"""Studies on Ray: clear errors without it; with it, the same runs as on this machine."""

from __future__ import annotations

import importlib.util
import os
import socket
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from edgewise.errors import ConfigError, RunError
from edgewise.study import StudyOptions, conduct
from edgewise.study.on_ray import RayTasks, connect
from edgewise.study.spec import spec_from_table
from edgewise.study.worker import Job, Outcome
from tests.pipeline.small import SEED, SETS, assert_same_search, one_thread
from tests.study.factory import FakePipeline, spec
from tests.study.jobs import job, work

needs_ray = pytest.mark.skipif(importlib.util.find_spec("ray") is None, reason="the package ray is not installed")


class FakeRay:
    """As much of Ray as studies use; tasks are carried out when they are waited for, a lost one raises."""

    def __init__(self, resources: dict[str, float]) -> None:
        self.resources = resources
        self.asked: dict[str, Any] = {}
        self.cancelled: list[Any] = []

    def is_initialized(self) -> bool:
        return False

    def init(self, **settings: Any) -> None:
        self.settings = settings

    def cluster_resources(self) -> dict[str, float]:
        return self.resources

    def remote(self, **asked: Any) -> Callable[[Any], Any]:
        self.asked = asked
        return lambda function: SimpleNamespace(remote=lambda *arguments: (function, arguments))

    def wait(self, tasks: Sequence[Any], *, num_returns: int, timeout: float) -> tuple[list[Any], list[Any]]:
        return list(tasks[:1]), list(tasks[1:])

    def get(self, task: Any) -> Any:
        function, arguments = task
        return function(*arguments)

    def cancel(self, task: Any, *, force: bool) -> None:
        self.cancelled.append(task)


@pytest.fixture
def ray(monkeypatch: pytest.MonkeyPatch) -> FakeRay:
    """A stand-in for the package."""
    fake = FakeRay({"CPU": 4.0, "GPU": 1.0})
    monkeypatch.setitem(sys.modules, "ray", fake)  # type: ignore[arg-type]
    return fake


def lost(job: Job) -> Outcome:
    raise RuntimeError("The worker died unexpectedly.\nand a long story")


def test_without_the_package_it_is_said_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(ConfigError, match=r"pip install 'edgewise\[ray\]'"):
        connect("ray")


@pytest.mark.parametrize(
    "address", ["rays://a:1", "ray://", "ray://host", "ray://host:port", "10.0.0.1:6379", "Ray"]
)
def test_an_address_that_is_none_is_refused_with_an_example(address: str, ray: FakeRay) -> None:
    with pytest.raises(ConfigError, match=r"must be ray, or ray://HOST:PORT"):
        connect(address)


def test_an_address_that_does_not_answer_is_said_at_once_and_nothing_is_begun(
    ray: FakeRay, fake: FakePipeline, tmp_path: Path
) -> None:
    conduct(spec(seeds=[0]), tmp_path)
    fake.started.clear()
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        address = f"ray://127.0.0.1:{closed.getsockname()[1]}"
        before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")}
        began = time.monotonic()
        with pytest.raises(RunError, match=r"nothing answers at 127\.0\.0\.1"):
            conduct(spec(), tmp_path, options=StudyOptions(on=address))
    assert time.monotonic() - began < 5
    assert fake.started == []
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")} == before


def test_a_cluster_that_can_not_be_joined_is_an_error_with_its_reason(
    ray: FakeRay, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(**settings: Any) -> None:
        raise ConnectionError("version mismatch")

    monkeypatch.setattr(ray, "init", fails)
    with pytest.raises(RunError, match="ConnectionError: version mismatch"):
        connect("ray")


@pytest.mark.parametrize(("asked", "flag"), [({"cpus": 5.0}, "--cpus 5"), ({"gpus": 1.5}, "--gpus 1.5")])
def test_more_than_the_cluster_has_is_refused_before_anything_is_written(
    asked: dict[str, float], flag: str, ray: FakeRay, tmp_path: Path
) -> None:
    with pytest.raises(ConfigError, match=flag):
        conduct(spec(), tmp_path / "new", options=StudyOptions(on="ray", **asked))  # type: ignore[arg-type]
    assert not (tmp_path / "new").exists()


def test_each_run_asks_for_its_resources_and_all_of_them_are_run(
    ray: FakeRay, fake: FakePipeline, tmp_path: Path
) -> None:
    options = StudyOptions(on="ray", cpus=2.0, gpus=0.5, retries=3)
    study = conduct(spec(), tmp_path, options=options)
    assert ray.asked == {"num_cpus": 2.0, "num_gpus": 0.5, "max_retries": 3}
    assert len(fake.started) == 4
    assert {state.status for state in study.states.values()} == {"finished"}


def test_a_run_that_ray_lost_for_good_ends_no_other(ray: FakeRay, tmp_path: Path) -> None:
    ended: list[tuple[str, Outcome]] = []
    tasks = RayTasks(ray, lambda: None, cpus=1, gpus=0, retries=0, work=lost)
    tasks.run(
        [job("a", tmp_path), job("b", tmp_path)],
        lambda job: None,
        lambda job, outcome: ended.append((job.name, outcome)),
    )
    assert [name for name, _ in ended] == ["a", "b"]
    assert ended[0][1] == Outcome("died", "Ray lost it (RuntimeError: The worker died unexpectedly.)")


@pytest.fixture(scope="module")
def cluster() -> Iterator[Any]:
    """Ray on this machine."""
    os.environ.setdefault("RAY_ENABLE_UV_RUN_RUNTIME_ENV", "0")
    ray = importlib.import_module("ray")
    ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False)
    yield ray
    ray.shutdown()


@needs_ray
@pytest.mark.slow
def test_a_study_on_ray_is_that_of_this_machine_bit_for_bit(cluster: Any, tmp_path: Path) -> None:
    table = {
        "name": "two", "methods": ["pc-darts", "pc-darts-gp"], "seeds": [SEED], "command": "search",
        "base": list(SETS),
    }  # fmt: skip
    study = spec_from_table(table, Path())
    with one_thread():
        conduct(study, tmp_path / "here", options=StudyOptions(device="cpu", threads=1))
    conduct(study, tmp_path / "ray", options=StudyOptions(device="cpu", threads=1, on="ray"))
    for method in study.methods:
        assert_same_search(tmp_path / "here" / method / f"seed{SEED}", tmp_path / "ray" / method / f"seed{SEED}")


@needs_ray
@pytest.mark.slow
def test_a_run_whose_process_dies_on_ray_is_tried_again(cluster: Any, tmp_path: Path) -> None:
    ended: dict[str, str] = {}
    names = ["dies-once", "always-dies", "works"]
    RayTasks(cluster, lambda: None, cpus=1, gpus=0, retries=1, work=work).run(
        [job(name, tmp_path) for name in names],
        lambda job: None,
        lambda job, outcome: ended.update({job.name: outcome.status}),
    )
    assert ended == {"dies-once": "finished", "always-dies": "died", "works": "finished"}
    tries = {name: len((tmp_path / f"{name}.tries").read_text()) for name in names}
    assert tries == {"dies-once": 2, "always-dies": 2, "works": 1}
