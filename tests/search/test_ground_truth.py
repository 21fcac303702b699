"""What a table says of the derived cell stands in the trace, and changes nothing else."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from edgewise.errors import ConfigError
from edgewise.pipeline import resolve, resume, start
from edgewise.pipeline.ground_truth import open_truth
from edgewise.pipeline.run import Options
from edgewise.progress.pace import shown_figures
from edgewise.runtime.compute import Compute
from edgewise.search import SearchTask
from edgewise.spaces import Genotype
from tests.pipeline.small import RUN, SEARCH_EPOCHS, EarlyStopping, one_thread, small, trace
from tests.search.problem import AUGMENT, make_splits, same, tiny
from tests.tabular.made_up import rows, write_csv


def truth_of(genotype: Genotype) -> dict[str, Any]:
    """A made-up truth that differs from genotype to genotype."""
    return {"test_accuracy": (hash(genotype) % 997) / 997, "rank": 12_345, "regret": 0.5}


def task(truth: Callable[[Genotype], dict[str, Any]] | None) -> SearchTask:
    return SearchTask(tiny(), make_splits(), AUGMENT, stem="cifar", seed=5, compute=Compute("cpu"), truth=truth)


def test_the_truth_of_the_derived_cell_stands_in_the_epochs_record_and_moves_nothing(small_space: str) -> None:
    with_truth, without = task(truth_of), task(None)
    for epoch in range(2):
        for one in (with_truth, without):
            for step in range(one.steps):
                one.step(epoch, step)
        figures = with_truth.figures()
        assert figures["real test accuracy"] == truth_of(with_truth.genotype())["test_accuracy"]
        assert "rank 12345" in shown_figures(figures)
        assert "real test accuracy" not in without.figures()
        record, plain = with_truth.finish_epoch(epoch), without.finish_epoch(epoch)
        assert record.pop("truth") == truth_of(Genotype.from_dict(record["genotype"]))
        assert same(record, plain)
    assert same(with_truth.state_dict(), without.state_dict())


def test_a_run_with_a_truth_has_it_in_every_epoch_and_after_a_resume_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []

    def opened(file: str | None, settings: object) -> Callable[[Genotype], dict[str, Any]] | None:
        asked.append(file)
        return None if file is None else truth_of

    monkeypatch.setattr(RUN, "open_truth", opened)
    options = Options(seed=3, device="cpu", truth="table.csv")

    def fall(title: str, epoch: int, step: int) -> None:
        if epoch == 1:
            raise RuntimeError("the process ended")

    with one_thread():
        with pytest.raises(RuntimeError):
            start(small(), tmp_path / "run", options=options, command="search", progress=EarlyStopping(step=fall))
        resume(tmp_path / "run")
    records = trace(tmp_path / "run", "search")
    assert len(records) == SEARCH_EPOCHS
    assert all(record["truth"] == truth_of(Genotype.from_dict(record["genotype"])) for record in records)
    assert set(asked) == {"table.csv"}


def test_a_truth_is_opened_for_its_own_space_alone(tmp_path: Path) -> None:
    file = str(write_csv(tmp_path / "table.csv", rows()))
    assert open_truth(None, resolve("darts")) is None
    with pytest.raises(ConfigError, match="of space darts"):
        open_truth(file, resolve("darts"))


def test_the_data_sets_name_says_whose_accuracy_counts(shared_data: Path) -> None:
    file = str(shared_data / "nb201.csv")
    settings = resolve("darts", sets=["space=nb201"], data="data/cifar100")
    truth = open_truth(file, settings)
    assert truth is not None
    assert vars(truth)["dataset"] == "cifar100"
