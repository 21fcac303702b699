"""Carries runs out on Ray: one task for each, with the resources it asks for; Ray decides where and when."""

from __future__ import annotations

import importlib
import os
import socket
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from edgewise.errors import ConfigError, RunError
from edgewise.runs.folder import RUN
from edgewise.runtime.interrupt import StopRequest
from edgewise.study.local import POLL, Begin, End
from edgewise.study.worker import Job, Outcome, carry_out

ANSWER_WITHIN = 10.0
"""Seconds that a cluster has to answer."""


def connect(where: str) -> RayCluster:
    """Connects to a cluster, or starts one on this machine.

    Args:
        where: "ray" for this machine (or the cluster that RAY_ADDRESS names), or "ray://host:port".

    Raises:
        ConfigError: `where` is no address of Ray's, or Ray is not installed.
        RunError: nothing answers at the address.
    """
    address = _address(where)
    try:
        ray = importlib.import_module("ray")
    except ImportError:
        raise ConfigError(
            "--on ray needs the package ray: install it with `pip install 'edgewise[ray]'`"
        ) from None
    if address is not None:
        _check_answers(where, *address)
    try:
        if not ray.is_initialized():
            here = None if address is None else where
            ray.init(address=here, log_to_driver=False, include_dashboard=None if here else False)
    except Exception as error:  # Ray raises a dozen types where a cluster does not answer as it should
        raise RunError(
            f"--on {where}: Ray can't be reached ({type(error).__name__}: {error}): check the "
            "address, that the cluster "
            "runs the same versions of Ray and Python, or leave --on away; what is finished is kept"
        ) from error
    return RayCluster(ray)


def _address(where: str) -> tuple[str, int] | None:
    """Host and port of an address; None for this machine."""
    if where == "ray":
        return None
    try:
        parts = urlsplit(where)
        host, port = parts.hostname, parts.port
    except ValueError:
        parts, host, port = None, None, None
    if parts is None or parts.scheme != "ray" or not host or port is None:
        raise ConfigError(f"--on {where}: must be ray, or ray://HOST:PORT as in ray://10.0.0.5:10001")
    return host, port


def _check_answers(where: str, host: str, port: int) -> None:
    # Ray itself would try for minutes.
    try:
        socket.create_connection((host, port), ANSWER_WITHIN).close()
    except OSError as error:
        raise RunError(
            f"--on {where}: nothing answers at {host}, port {port} ({error.strerror or error}): "
            "check the address, and "
            "that the cluster was started with a Ray Client server (`ray start --head`; port 10001); nothing was "
            "started, and what is finished is kept"
        ) from error


class RayCluster:
    """A cluster that answers.

    Args:
        ray: the package.
    """

    def __init__(self, ray: Any) -> None:
        self._ray = ray

    def check(self, *, cpus: float, gpus: float) -> None:
        """Raises ConfigError if no run that asks for so much could ever begin."""
        have = self._ray.cluster_resources()
        for name, wanted in (("CPU", cpus), ("GPU", gpus)):
            if wanted > have.get(name, 0.0):
                raise ConfigError(
                    f"--{name.lower()}s {wanted:g}: the whole cluster has {have.get(name, 0.0):g}, "
                    "so no run could "
                    "ever begin: ask for less, or add nodes"
                )

    def executor(self, look: Callable[[], None], *, cpus: float, gpus: float, retries: int) -> RayTasks:
        """Carries jobs out on the cluster; arguments as `RayTasks`."""
        return RayTasks(self._ray, look, cpus=cpus, gpus=gpus, retries=retries)


class RayTasks:
    """Runs as Ray tasks.

    Args:
        ray: the package, connected.
        look: called every now and then.
        cpus, gpus: of each run; fractions let runs share one.
        retries: how often a run whose process or node dies is tried again.
        work: what a task does with its job.
    """

    def __init__(
        self,
        ray: Any,
        look: Callable[[], None],
        *,
        cpus: float,
        gpus: float,
        retries: int,
        work: Callable[[Job], Outcome] = carry_out,
    ) -> None:
        self._ray, self._look, self._work = ray, look, work
        self._task = ray.remote(num_cpus=cpus, num_gpus=gpus, max_retries=retries)(on_node)

    def run(self, jobs: Sequence[Job], begin: Begin, end: End) -> bool:
        """Hands all jobs to Ray and waits; on Ctrl-C the running ones are asked to save themselves: True then."""
        marks = {job.name: _mark(job) for job in jobs}
        tasks = {self._task.remote(self._work, job, os.getcwd()): job for job in jobs}
        waiting, asked = dict(tasks), False
        with StopRequest() as stop:
            while tasks:
                if stop.requested and not asked:
                    asked = True
                    for task in tasks:
                        self._ray.cancel(task, force=False)
                done, _ = self._ray.wait(list(tasks), num_returns=1, timeout=POLL)
                for task, job in list(waiting.items()):
                    # A task that waits for its resources has not touched its folder.
                    if task in done or _mark(job) != marks[job.name]:
                        begin(job)
                        del waiting[task]
                self._look()
                for task in done:
                    end(tasks[task], self._outcome(task, asked=asked))
                    del tasks[task]
        return stop.requested

    def _outcome(self, task: Any, *, asked: bool) -> Outcome:
        try:
            return self._ray.get(task)
        except Exception as error:  # what Ray raises when a worker, a node or the cluster is lost
            text = str(error).strip().partition("\n")[0]
            if asked:
                return Outcome("interrupted", text)
            return Outcome("died", f"Ray lost it ({type(error).__name__}: {text})")


def _mark(job: Job) -> int | None:
    try:
        return (Path(job.folder) / RUN).stat().st_mtime_ns
    except OSError:
        return None


def on_node(work: Callable[[Job], Outcome], job: Job, folder: str) -> Outcome:
    """A run on whatever node Ray chose; paths of images are relative to `folder`, as they are here."""
    if Path(folder).is_dir():
        os.chdir(folder)
    return work(job)
