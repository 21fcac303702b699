"""Random cells with a selection that costs as many seconds as search and selection together."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from edgewise.errors import ConfigError
from edgewise.pipeline import comparing, resume, start
from edgewise.pipeline.candidates import CandidateSettings, list_candidates
from edgewise.pipeline.random_search import (
    affordable,
    random_cells,
    seconds_of_an_epoch,
    seconds_to_spend,
)
from edgewise.report import write_report
from edgewise.report.record import read_record
from edgewise.report.selection import selection_sentences
from edgewise.selection import Halving
from tests.pipeline.child import CHECKPOINT_SECONDS
from tests.pipeline.small import SEED, kill_child, one_thread, options, small, trace, without_onnx

SELECTS = ("selection.rungs=2", "selection.epochs=2", "candidates.random=1", "search.epochs=2", "train.epochs=1")
COMPARED = (*SELECTS, 'compare=["random-search"]')


def read(folder: Path, name: str) -> Any:
    return json.loads((folder / name).read_text())


@pytest.fixture(scope="module")
def searched(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run that is killed within the random search, and resumed."""
    folder = tmp_path_factory.mktemp("random-search") / "run"
    kill_child(lambda line: line.startswith("step|random search|1|"), "start", folder, *COMPARED, delay=0.02)
    before = read(folder, "random_search.json")
    with one_thread():
        resume(folder, checkpoint_seconds=CHECKPOINT_SECONDS)
    after = read(folder, "random_search.json")
    assert [one["genotype"] for one in after["candidates"]] == [one["genotype"] for one in before["candidates"]]
    return folder


def test_the_best_of_the_random_cells_is_trained_and_tested_like_the_winner(searched: Path) -> None:
    other, results = read(searched, "random_search.json"), read(searched, "results.json")
    best = next(one for one in other["candidates"] if one["name"] == other["winner"])
    assert results["random-search"]["genotype"]["cells"] == best["genotype"]["cells"]
    assert results["random-search"]["params"] == best["params"]
    assert results["random-search"]["params"] <= read(searched, "run.json")["budget"]["limits"]["params"]
    epochs = {name: len([r for r in trace(searched, "train") if r["network"] == name]) for name in results}
    assert epochs == {"found": 1, "random-search": 1}


def test_there_are_as_many_cells_as_search_and_selection_have_paid_for(searched: Path) -> None:
    other, phases = read(searched, "random_search.json"), read(searched, "run.json")["phases"]
    assert other["seconds_to_spend"] == pytest.approx(phases["search"]["seconds"] + phases["select"]["seconds"])
    count = len(other["candidates"])
    halving = Halving(rungs=2, epochs=2)
    assert halving.cost(count) * other["epoch_seconds"] <= other["seconds_to_spend"]
    assert halving.cost(count + 1) * other["epoch_seconds"] > other["seconds_to_spend"]
    assert sum(other["epochs"].values()) == halving.cost(count)
    genotypes = [json.dumps(one["genotype"]["cells"]) for one in other["candidates"]]
    assert len(set(genotypes)) == count


def test_the_page_says_what_random_search_was_given(searched: Path) -> None:
    count = len(read(searched, "random_search.json")["candidates"])
    said = selection_sentences(read_record(searched))[-1]
    assert said.startswith(f"Random search at equal cost: {count} random cells")
    page = write_report(searched).read_text()
    assert "random search, equal cost" in page
    assert said.split(";")[0] in page


@pytest.mark.parametrize(
    ("seconds", "expected"), [(0.0, 1), (1.9, 1), (2.0, 2), (4.9, 2), (5.0, 3), (6.0, 4), (60.0, 40)]
)
def test_what_seconds_pay_for(seconds: float, expected: int) -> None:
    """By hand: two rungs of an epoch each, two and more of them in the second: 2 cost 2 epochs, 3 cost 5."""
    assert affordable(Halving(rungs=2, epochs=2), seconds, 1.0) == expected


def test_search_and_selection_are_paid_for_and_nothing_else() -> None:
    phases = {"search": {"seconds": 10.0}, "select": {"seconds": 5.0}, "fit": {"seconds": 99.0}}
    assert seconds_to_spend({"phases": phases}) == 15
    assert seconds_to_spend({"phases": {"select": {"seconds": 5.0}}}) == 5


def test_an_epoch_costs_what_those_of_cells_took() -> None:
    candidates = [{"name": name, "genotype": None if name == "hand" else {}} for name in ("a", "b", "hand")]
    epochs, seconds = {"a": 1, "b": 3, "hand": 5}, {"a": 2.0, "b": 8.0, "hand": 1.0}
    selection = {"candidates": candidates, "epochs": epochs, "seconds": seconds}
    assert seconds_of_an_epoch(selection) == pytest.approx(10 / 4)
    assert seconds_of_an_epoch(selection | {"candidates": candidates[2:]}) == pytest.approx(11 / 9)
    assert seconds_of_an_epoch(selection | {"epochs": dict.fromkeys(epochs, 0)}) == 0


def test_random_cells_are_distinct_and_from_a_stream_of_their_own() -> None:
    drawn = list(random_cells("nb201", SEED, 40))
    assert 30 < len(drawn) <= 40
    assert len({genotype.to_json() for genotype in drawn}) == len(drawn)
    assert [one.to_json() for one in random_cells("nb201", SEED, 40)] == [one.to_json() for one in drawn]
    wanted = CandidateSettings(last=0, random=5)
    candidates = list_candidates(wanted, small("space=nb201", "train.auxiliary=0"), drawn[0], [], seed=SEED)
    assert len(candidates) == 5
    assert not [one for one in candidates if one.genotype in drawn[:5]]


def test_without_a_selection_there_is_nothing_to_be_as_dear_as() -> None:
    with pytest.raises(ConfigError, match=r"random-search.*there is no selection"):
        small('compare=["random-search"]')


def test_networks_to_compare_with_are_added_in_their_order() -> None:
    settings = small(*SELECTS, 'compare=["hand"]')
    assert comparing(settings, ["resnet8", "random-search"]).compare == ("random-search", "hand", "resnet8")
    assert comparing(settings, ["none"]).compare == ()
    assert comparing(settings, ["resnet8", "none"]).compare == ("resnet8",)
    with pytest.raises(ConfigError, match=r"--compare rand: no such network; .*random"):
        comparing(settings, ["rand"])


def test_a_space_that_gives_no_fitting_cell_leaves_the_rest_of_the_run_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def none_fits(*args: object, **more: object) -> None:
        raise ConfigError("it fits at no size")

    monkeypatch.setattr("edgewise.pipeline.random_search.size_of", none_fits)
    with without_onnx():
        result = start(small(*COMPARED), tmp_path / "run", options=options())
    assert list(result.results) == ["found"]
    assert "no random cell fits" in read(tmp_path / "run", "run.json")["unfit"]["random-search"]
