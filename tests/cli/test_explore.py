"""edgewise explore end to end: on a table, by training, stopped and resumed."""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from edgewise import explore
from edgewise.data import SealedImages, load
from edgewise.errors import ConfigError, RunError
from edgewise.nn.engines.native import Build
from edgewise.pipeline import resolve_explore, resume_explore, start_explore
from edgewise.pipeline.scores import TableScore
from edgewise.runtime.interrupt import Interrupted
from edgewise.spaces import Genotype
from edgewise.spaces.nb201 import to_string
from edgewise.spaces.notation import genotype_from_file
from edgewise.strategies import STRATEGIES
from edgewise.tabular.columns import REQUIRED
from edgewise.tabular.read_table import _all_strings
from edgewise.train import evaluate
from tests.cli.conftest import Call
from tests.pipeline.small import EarlyStopping
from tests.tabular.made_up import write_csv

# By its name in sys.modules: as an attribute of the package, `explore` is the function.
EXPLORE = sys.modules["edgewise.pipeline.explore"]
TRAINER = sys.modules["edgewise.pipeline.training_score"]
SMALL = {
    "random": ["strategy.batch=7"],
    "evolution": ["strategy.population=10", "strategy.sample=3"],
    "reinforce": ["strategy.policy.batch=6", "strategy.policy.hidden=8"],
    "nasnet": ["strategy.policy.batch=6", "strategy.policy.hidden=8"],
    "neat": ["strategy.population=12"],
}
TRAINING = (
    "data.train_images=200",
    "train.batch_size=10",
    "train.channels=4",
    "train.layers=3",
    "strategy.batch=3",
)


@pytest.fixture(scope="session")
def table(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A whole table with made-up numbers: validation favours 3x3 convolutions, the test favours skips."""
    rows = []
    for index, arch in enumerate(sorted(_all_strings())):
        row: dict[str, Any] = {"index": index, "arch": arch, "params": 1, "flops": 1, "n_seeds_valid": 3}
        for name in REQUIRED[5:]:
            row[name] = 20 + 10 * arch.count("nor_conv_3x3" if "valid" in name else "skip_connect") + index / 1e5
        rows.append(row)
    return write_csv(tmp_path_factory.mktemp("table") / "whole.csv", rows)


def files(folder: Path) -> Mapping[str, bytes]:
    return {name: (folder / name).read_bytes() for name in ("trace.jsonl", "genotype.json", "results.json")}


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_a_search_on_a_table_leaves_its_best_by_validation_and_says_what_that_reaches_in_the_test(
    strategy: str, call: Call, table: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "run"
    sets = [part for text in SMALL[strategy] for part in ("--set", text)]
    outcome = call(
        "explore", "--strategy", strategy, "--score", f"table:{table}", "--queries", "40", "--out", folder, *sets
    )
    assert outcome.code == 0, outcome.err
    records = [json.loads(line) for line in (folder / "trace.jsonl").read_text().splitlines()]
    assert [record["query"] for record in records] == list(range(40))
    scores = [record["score"] for record in records]
    assert [record["best"] for record in records] == [max(scores[: i + 1]) for i in range(40)]
    best = genotype_from_file(folder / "genotype.json")
    assert best == Genotype.from_dict(records[scores.index(max(scores))]["genotype"])
    results = json.loads((folder / "results.json").read_text())
    assert results["query"] == scores.index(max(scores))
    arch = to_string(best)
    index = sorted(_all_strings()).index(arch)
    assert max(scores) == pytest.approx((20 + 10 * arch.count("nor_conv_3x3") + index / 1e5) / 100)
    reached = (20 + 10 * arch.count("skip_connect") + index / 1e5) / 100
    assert results["truth"]["test_accuracy"] == pytest.approx(reached, abs=1e-7)
    assert f"its test accuracy on cifar10 is {reached:.2%}" in outcome.out
    run = json.loads((folder / "run.json").read_text())
    assert (run["status"], run["command"], run["scored_by"]["column"]) == ("done", "explore", "cifar10_valid")


class Press(EarlyStopping):
    """Presses Ctrl-C after a query."""

    def __init__(self, query: int) -> None:
        super().__init__(
            step=lambda title, epoch, step: os.kill(os.getpid(), signal.SIGINT) if step == query else None
        )


@pytest.mark.parametrize("strategy", STRATEGIES)
@pytest.mark.parametrize("checkpoints", [True, False])
def test_a_search_that_was_stopped_ends_as_if_it_had_not_been(
    strategy: str, checkpoints: bool, table: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = resolve_explore(strategy, score=f"table:{table}", queries=40, sets=SMALL[strategy])
    start_explore(settings, tmp_path / "whole")
    if checkpoints:
        monkeypatch.setattr(EXPLORE, "CHECKPOINT_SECONDS", -1.0)
    with pytest.raises(Interrupted, match=r"stopped after 10 of 40 queries.*explore --resume"):
        start_explore(settings, tmp_path / "run", progress=Press(9))
    with pytest.raises(Interrupted, match="stopped after 27 of 40"):
        resume_explore(tmp_path / "run", progress=Press(26))
    assert (tmp_path / "run" / "checkpoint.pt").exists() == checkpoints
    resume_explore(tmp_path / "run")
    assert files(tmp_path / "run") == files(tmp_path / "whole")
    assert resume_explore(tmp_path / "run").score == json.loads(files(tmp_path / "whole")["results.json"])["score"]


def test_a_trace_that_the_strategy_does_not_repeat_is_refused(table: Path, tmp_path: Path) -> None:
    settings = resolve_explore("random", score=f"table:{table}", queries=20)
    with pytest.raises(Interrupted):
        start_explore(settings, tmp_path / "run", progress=Press(4))
    trace = tmp_path / "run" / "trace.jsonl"
    first, *rest = trace.read_text().splitlines(keepends=True)
    trace.write_text(rest[0] + first + "".join(rest[1:]))
    with pytest.raises(RunError, match="query 0 is another genotype"):
        resume_explore(tmp_path / "run")


def test_trainings_without_kernels_are_one_warning_at_the_start_and_a_table_needs_none(
    table: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "edgewise.pipeline.speed_advice.build_once", lambda: Build(None, "there is no C++ compiler")
    )
    trained = resolve_explore("random", score="train:1", space="darts", queries=2, data="digits", sets=TRAINING)
    looked_up = resolve_explore("random", score=f"table:{table}", queries=2)
    for name, settings, said in (("trained", trained, 1), ("table", looked_up, 0)):
        watch = EarlyStopping()
        start_explore(settings, tmp_path / name, progress=watch)
        assert sum("there is no C++ compiler" in line for line in watch.lines) == said
        assert ("kernels" in json.loads((tmp_path / name / "run.json").read_text())) == said


@pytest.mark.slow
def test_trained_genotypes_are_scored_the_same_by_any_number_of_workers(tmp_path: Path) -> None:
    settings = resolve_explore("random", score="train:1", space="darts", queries=5, data="digits", sets=TRAINING)
    start_explore(settings, tmp_path / "one")
    start_explore(settings, tmp_path / "two", workers=2)
    assert files(tmp_path / "one") == files(tmp_path / "two")


def test_a_training_sees_the_weights_images_is_scored_on_the_arch_images_and_opens_no_test_images(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(self: SealedImages) -> None:
        raise AssertionError("test images were opened")

    monkeypatch.setattr(SealedImages, "open", refuse)
    settings = resolve_explore("random", score="train:3", space="darts", queries=3, data="digits", sets=TRAINING)
    splits = load(settings.data, seed=0, arch_fraction=settings.arch_fraction)
    seen: list[tuple[str, bytes]] = []

    class Watched(TRAINER.TrainTask):
        def __init__(self, *arguments: Any, **options: Any) -> None:
            super().__init__(*arguments, **options)
            seen.append(("trained", options["images"].pixels.numpy().tobytes()))

    def watched(network: Any, images: Any, *arguments: Any, **options: Any) -> Any:
        seen.append(("scored", images.pixels.numpy().tobytes()))
        return evaluate(network, images, *arguments, **options)

    monkeypatch.setattr(TRAINER, "TrainTask", Watched)
    monkeypatch.setattr(TRAINER, "evaluate", watched)
    found = start_explore(settings, tmp_path / "run")
    expected = [
        ("trained", splits.weights.pixels.numpy().tobytes()),
        ("scored", splits.arch.pixels.numpy().tobytes()),
    ]
    assert seen == expected * 3
    assert "truth" not in found.results
    assert len({json.loads(line)["score"] for line in files(found.folder)["trace.jsonl"].splitlines()}) > 1


def test_of_equal_scores_the_first_is_the_best(table: Path, tmp_path: Path) -> None:
    # Evolution that mutates little else than its best comes back to it within a tiny population.
    sets = ["strategy.population=1", "strategy.sample=1"]
    settings = resolve_explore("evolution", score=f"table:{table}", queries=60, sets=sets)
    start_explore(settings, tmp_path / "run")
    records = [json.loads(line) for line in files(tmp_path / "run")["trace.jsonl"].splitlines()]
    scores = [record["score"] for record in records]
    assert len(set(scores)) < len(scores)
    assert [record["best_query"] for record in records] == [
        scores.index(max(scores[: i + 1])) for i in range(len(scores))
    ]


def test_python_searches_in_one_call(table: Path, tmp_path: Path) -> None:
    found = explore("random", score=f"table:{table}:cifar100_valid_e12", queries=5, out=tmp_path / "run")
    assert found.results["truth"]["dataset"] == "cifar100"
    assert found.folder == tmp_path / "run"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "--score is missing"),
        (["--score", "train:0"], "table:FILE, table:FILE:COLUMN or train:EPOCHS"),
        (["--score", "guess"], "table:FILE, table:FILE:COLUMN or train:EPOCHS"),
        (["--score", "table:missing.csv"], "missing.csv: no such table"),
        (["--score", "table:x.csv:cifar10_test"], "chooses by validation accuracy"),
        (["--score", "table:x.csv:cifar11_valid"], "cifar10_valid, cifar100_valid"),
        (["--score", "table:x.csv", "--space", "darts"], "can't score genotypes of space darts"),
        (["--score", "train:1", "--space", "amoeba"], "not searched"),
        (["--score", "train:1", "--strategy", "annealing"], "unknown strategy 'annealing'"),
        (["--score", "train:1", "--set", "strategy.populaton=3"], "nearest: population"),
        (["--score", "train:1", "--space", "darts", "--workers", "0"], "--workers 0"),
        (["--resume", "runs/none", "--seed", "1"], "leave --seed away"),
        (["--resume", "runs/none"], "no such run folder"),
    ],
)
def test_what_can_not_be_explored_is_an_error(
    arguments: list[str], said: str, call: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    outcome = call("explore", *arguments)
    assert outcome.code == 1
    assert said in outcome.err
    assert not list(tmp_path.iterdir())


def test_other_commands_send_a_black_box_search_back_to_explore(call: Call, table: Path, tmp_path: Path) -> None:
    settings = resolve_explore("random", score=f"table:{table}", queries=2)
    start_explore(settings, tmp_path / "run")
    assert "edgewise explore --resume" in call("run", "--resume", tmp_path / "run").err


def test_a_file_name_with_a_colon_is_told_from_a_column() -> None:
    settings = resolve_explore("random", score="table:C:/tables/nb201.csv")
    assert settings.scored_by == TableScore(Path("C:/tables/nb201.csv"), "cifar10_valid")
    with pytest.raises(ConfigError, match="names no file"):
        resolve_explore("random", score="table:")
