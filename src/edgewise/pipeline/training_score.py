"""Short trainings as scores, here or in worker processes."""

from __future__ import annotations

import multiprocessing
import signal
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass, fields, replace
from typing import Any, ClassVar

import torch

from edgewise.budget import Budget
from edgewise.config.limits import MOST_EPOCHS
from edgewise.data import Augment, AugmentSettings, DataSettings, Splits, load
from edgewise.errors import ConfigError, NonFiniteError, RunError
from edgewise.methods import Recipe, TrainSettings
from edgewise.nn import choose_stem
from edgewise.pipeline.networks import build_candidate
from edgewise.pipeline.scores import Score, ScoredSearch, ScoringPlace, Stop, Stopped, register_score
from edgewise.pipeline.sized import shares_of
from edgewise.pipeline.sizing import Sizing
from edgewise.pipeline.speed_advice import wants_kernels
from edgewise.plugins import load_installed
from edgewise.runtime.compute import Compute
from edgewise.spaces import Genotype
from edgewise.train import TrainTask, evaluate


@register_score("train")
@dataclass(frozen=True)
class TrainScore(Score):
    """A training of so many epochs on the weights split, scored on the arch split.

    Args:
        epochs: how many.
    """

    epochs: int
    forms: ClassVar[str] = "train:EPOCHS"

    @classmethod
    def read(cls, rest: str) -> TrainScore:
        """See `Score.read`."""
        is_number = rest.isascii() and rest.isdigit() and len(rest) <= len(str(MOST_EPOCHS))
        if not is_number or not 1 <= int(rest) <= MOST_EPOCHS:
            raise ConfigError(f"EPOCHS is a number from 1 to {MOST_EPOCHS:,}")
        return TrainScore(int(rest))

    def scorer(self, search: ScoredSearch, place: ScoringPlace) -> TrainScorer:
        """Reads the images."""
        return TrainScorer(search, self.epochs, place)


class Trainer:
    """Trains one network after another, each from the same seed and on one thread, for its score.

    Args:
        settings: says how.
        epochs: of a training.
        place: seed and device.
        splits: the images; the test split is not opened.
    """

    def __init__(self, settings: ScoredSearch, epochs: int, place: ScoringPlace, splits: Splits) -> None:
        self._train = replace(settings.train, epochs=epochs)
        self._recipe = Recipe(name="explore", space=settings.space, train=self._train)
        self._budget = settings.budget
        self._place = place
        self._splits = splits
        self._augment = Augment.resolve(settings.train_augment, splits)
        self._compute = Compute(place.device, place.precision)

    @property
    def wants_kernels(self) -> bool:
        """Whether kernels would do it faster."""
        return wants_kernels(self._compute, ["train"], self._recipe)

    def size(self, genotype: Genotype) -> dict[str, Any]:
        """The size of a genotype's network within the budget, with its figures; empty without a budget.

        Raises:
            ConfigError: no network of these cells fits.
        """
        if not self._budget.limits:
            return {}
        limits, stem = self._budget.limits, choose_stem(self._splits.image_size)
        sizing = Sizing.of(self._recipe, self._splits, stem=stem, budget=self._budget, limits=limits)
        entry = sizing.cells(genotype, what="the network of a query").record()
        return entry | {"used": shares_of(entry, limits)}

    def score(self, genotype: Genotype, stop: Stop) -> float:
        """Accuracy on the arch split after a training on the weights split.

        It is 0 for a training that diverged, and for cells that no network within the budget can be made of.

        Raises:
            Stopped: `stop` said so between two steps.
        """
        with _one_thread():
            stem = choose_stem(self._splits.image_size)
            try:
                size = self.size(genotype)
            except ConfigError:
                return 0.0
            candidate = build_candidate(
                "found", genotype, self._recipe, self._splits, stem=stem, seed=self._place.seed, size=size or None
            )
            task = TrainTask(
                candidate.network,
                "query",
                self._train,
                self._splits,
                self._augment,
                seed=self._place.seed,
                compute=self._compute,
                images=self._splits.weights,
            )
            try:
                _run(task, stop)
            except NonFiniteError:
                return 0.0
            return evaluate(
                candidate.network,
                self._splits.arch,
                self._splits.normalisation,
                classes=self._splits.classes,
                compute=self._compute,
            ).top1


def _run(task: TrainTask, stop: Stop) -> None:
    for epoch in range(task.epochs):
        for step in range(task.steps):
            if stop():
                raise Stopped
            task.step(epoch, step)
        task.check_finite(epoch)
        task.finish_epoch(epoch)


@contextmanager
def _one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


class TrainScorer:
    """Short trainings, here or in worker processes; the scores are the same.

    Args:
        settings: says how.
        epochs: of a training.
        place: seed and device, workers, and who asks for a stop.
    """

    def __init__(self, settings: ScoredSearch, epochs: int, place: ScoringPlace) -> None:
        self._settings = settings
        self._epochs = epochs
        self._place = place
        self._workers = place.workers
        self._stop = place.stop
        self._splits = load(settings.data, seed=place.seed, arch_fraction=settings.arch_fraction)
        self._trainer = Trainer(settings, epochs, place, self._splits)
        self._context = multiprocessing.get_context("spawn")
        self._event = self._context.Event()
        self._pool: ProcessPoolExecutor | None = None

    @property
    def wants_kernels(self) -> bool:
        """Whether kernels would do it faster."""
        return self._trainer.wants_kernels

    def facts(self) -> dict[str, Any]:
        """The images."""
        splits = self._splits
        return {
            "source": splits.source,
            "fingerprint": splits.fingerprint,
            "images": {"weights": len(splits.weights), "arch": len(splits.arch)},
            "epochs": self._epochs,
        }

    def verdict(self, genotype: Genotype) -> dict[str, Any]:
        """The size within the budget; the test images stay sealed until the best is trained in full."""
        try:
            size = self._trainer.size(genotype)
        except ConfigError as error:
            raise RunError(f"none of the queried cells fits the budget: {error}") from error
        return {"size": size} if size else {}

    def scores(self, genotypes: Sequence[Genotype]) -> Iterator[float]:
        """Accuracies on the arch split, in order."""
        if self._workers == 1 or len(genotypes) < 2:
            for genotype in genotypes:
                yield self._trainer.score(genotype, self._stop)
            return
        try:
            futures = [self._workers_pool().submit(_score_in_worker, one.to_dict()) for one in genotypes]
            for future in futures:
                yield self._await(future)
        except BrokenProcessPool as error:
            if self._stop():
                # Ctrl-C also reaches a worker that has only just been born.
                raise Stopped from error
            raise RunError(
                "a worker process ended while it trained a network, for want of memory perhaps: resume with fewer "
                "workers (--workers)"
            ) from error

    def _workers_pool(self) -> ProcessPoolExecutor:
        if self._pool is None:
            place = replace(self._place, workers=1, stop=_never)
            arguments = (WorkerSettings.of(self._settings), self._epochs, place, self._event)
            self._pool = ProcessPoolExecutor(
                self._workers, self._context, initializer=_begin_worker, initargs=arguments
            )
        return self._pool

    def close(self) -> None:
        """Stops trainings that go on in worker processes, and ends these."""
        self._event.set()
        if self._pool is not None:
            self._pool.shutdown(cancel_futures=True)
            self._pool = None

    def _await(self, future: Future[float | None]) -> float:
        while True:
            try:
                score = future.result(timeout=0.2)
            except TimeoutError:
                if self._stop():
                    raise Stopped from None
                continue
            if score is None:
                raise Stopped
            return score


_worker: dict[str, Any] = {}
"""What a worker process keeps between two trainings; empty in the main process."""


@dataclass(frozen=True)
class WorkerSettings:
    """What a worker process needs of a search: a `ScoredSearch` of edgewise's own classes alone.

    A plug-in's classes could not be sent to a process that has not loaded the plug-in yet.
    """

    space: str
    arch_fraction: float
    data: DataSettings
    train: TrainSettings
    train_augment: AugmentSettings
    budget: Budget

    @staticmethod
    def of(search: ScoredSearch) -> WorkerSettings:
        """The same settings."""
        return WorkerSettings(**{each.name: getattr(search, each.name) for each in fields(WorkerSettings)})


def _never() -> bool:
    return False


def _begin_worker(settings: WorkerSettings, epochs: int, place: ScoringPlace, event: Any) -> None:
    # The main process hears Ctrl-C and says so through the event.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    load_installed()
    splits = load(settings.data, seed=place.seed, arch_fraction=settings.arch_fraction)
    _worker.update(trainer=Trainer(settings, epochs, place, splits), stop=event.is_set)


def _score_in_worker(plain: dict[str, Any]) -> float | None:
    try:
        return _worker["trainer"].score(Genotype.from_dict(plain), _worker["stop"])
    except Stopped:
        return None
