"""A run that chooses one of several candidates after its search, trains it, and compares it with the others."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from edgewise.data import SealedImages, Splits
from edgewise.errors import ConfigError, DataError
from edgewise.export import load_network
from edgewise.pipeline import resume, start
from edgewise.pipeline.candidates import CandidateSettings, Design, list_candidates
from edgewise.pipeline.context import Context
from edgewise.pipeline.selecting import check_rankable
from edgewise.spaces import PUBLISHED, Genotype, random_genotype, space
from tests.pipeline.child import CHECKPOINT_SECONDS
from tests.pipeline.small import (
    RUN,
    SEED,
    EarlyStopping,
    assert_same_outcome,
    kill_child,
    one_thread,
    options,
    small,
    trace,
    without_onnx,
)

SELECTS = (
    "selection.rungs=2",
    "selection.epochs=2",
    "candidates.epochs=1",
    "candidates.sampled=2",
    "candidates.published=3",
    "candidates.random=1",
)


@pytest.fixture(scope="module")
def chosen(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run with a selection that nothing stopped."""
    folder = tmp_path_factory.mktemp("chosen") / "run"
    with one_thread():
        start(small(*SELECTS), folder, options=options(checkpoint_seconds=CHECKPOINT_SECONDS))
    return folder


def selection_of(folder: Path) -> dict[str, Any]:
    return json.loads((folder / "selection.json").read_text())


def entry_of(selection: Mapping[str, Any], name: str) -> dict[str, Any]:
    return next(one for one in selection["candidates"] if one["name"] == name)


def genotype_of(folder: Path, name: str = "genotype.json") -> Genotype:
    return Genotype.from_json((folder / name).read_text(), where=name)


def test_every_kind_of_candidate_takes_part_and_knows_where_it_comes_from(chosen: Path) -> None:
    wanted = CandidateSettings(epochs=1, sampled=2, published=3, random=1, hand=3)
    found = genotype_of(chosen, "searched.json")
    listed = list_candidates(wanted, small(), found, trace(chosen, "search"), seed=SEED)
    kinds = ["last", "epochs", *["sampled"] * 2, *["published"] * 3, "random", *["hand"] * 3]
    assert [one.kind for one in listed] == kinds
    # Those of the run are the same, but for the hand-made ones and for one that fits at no size.
    selection = selection_of(chosen)
    there = [one for one in listed[:8] if one.name not in selection["unfit"]]
    assert len(there) == 7
    assert [{key: one[key] for key in ("name", "kind", "genotype")} for one in selection["candidates"]] == [
        one.record() for one in there
    ]


def test_all_candidates_keep_to_the_same_limit(chosen: Path) -> None:
    limit = json.loads((chosen / "run.json").read_text())["budget"]["limits"]["params"]
    params = [one["params"] for one in selection_of(chosen)["candidates"]]
    assert max(params) <= limit
    assert entry_of(selection_of(chosen), "last")["params"] == limit


def test_the_winner_is_what_the_run_has_found(chosen: Path) -> None:
    selection = selection_of(chosen)
    winner = entry_of(selection, selection["winner"])
    results = json.loads((chosen / "results.json").read_text())
    classifier = load_network(chosen)
    assert results["found"]["params"] == winner["params"]
    assert (results["found"]["channels"], results["found"]["layers"]) == (winner["channels"], winner["layers"])
    assert genotype_of(chosen).to_dict()["cells"] == winner["genotype"]["cells"]
    assert classifier.genotype == genotype_of(chosen)


def test_the_searchs_own_cells_are_trained_beside_another_winner(chosen: Path) -> None:
    results = json.loads((chosen / "results.json").read_text())
    last = trace(chosen, "search")[-1]["genotype"]["cells"]
    assert selection_of(chosen)["winner"] != "last"
    assert results["searched"]["genotype"]["cells"] == last
    assert results["searched"]["params"] == entry_of(selection_of(chosen), "last")["params"]


def test_a_network_to_compare_with_that_won_itself_is_not_trained_twice(chosen: Path) -> None:
    results = json.loads((chosen / "results.json").read_text())
    assert selection_of(chosen)["winner"] == "random 1"
    assert list(results) == ["found", "searched", "hand"]
    assert results["found"]["genotype"]["cells"] == entry_of(selection_of(chosen), "random 1")["genotype"]["cells"]


@pytest.mark.parametrize(
    ("name", "behind"), [("found", "last"), ("searched", "last"), ("random", "random 2"), ("hand", "hand")]
)
def test_behind_each_network_stands_the_best_candidate_of_its_kind(name: str, behind: str) -> None:
    kinds = {"last": "last", "random 1": "random", "random 2": "random", "hand": "hand", "inverted": "hand"}
    selection = {
        "candidates": [{"name": one, "kind": kind} for one, kind in kinds.items()],
        "winner": "last",
        "order": ["last", "random 2"],
        "out": {
            "random 2": {"rung": 1, "place": 2},
            "random 1": {"rung": 0, "place": 3},
            "inverted": {"rung": 0, "place": 4},
            "hand": {"rung": 0, "place": 5},
        },
    }
    run: Any = SimpleNamespace(selection=lambda file: selection if file == "selection.json" else None)
    found = Context.contender(run, name)
    assert found is not None
    assert found["name"] == behind
    assert Context.contender(run, "resnet8") is None


def test_seconds_and_images_of_every_candidate_are_counted(chosen: Path) -> None:
    selection = selection_of(chosen)
    names = {one["name"] for one in selection["candidates"]}
    weights = json.loads((chosen / "run.json").read_text())["data"]["images"]["weights"]
    assert set(selection["seconds"]) == set(selection["images"]) == names
    assert all(value > 0 for value in selection["seconds"].values())
    assert selection["images"] == {name: n * weights for name, n in selection["epochs"].items()}
    phase = json.loads((chosen / "run.json").read_text())["phases"]["select"]
    assert phase["seconds"] == pytest.approx(sum(selection["seconds"].values()), abs=0.02)


def test_test_images_are_opened_only_once_a_network_is_trained(
    splits: Splits, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Poisoned(SealedImages):
        def open(self) -> Any:
            raise DataError("the test images were opened")

    poisoned = replace(splits, test=Poisoned(splits.test._images))  # type: ignore[attr-defined]
    monkeypatch.setattr(RUN, "load", lambda *a, **k: poisoned)
    with pytest.raises(DataError, match="the test images were opened"), without_onnx():
        start(small(*SELECTS), tmp_path / "run", options=options())
    assert "winner" in selection_of(tmp_path / "run")
    trained = {record["network"] for record in trace(tmp_path / "run", "train")}
    assert trained == {"found"}


def test_without_a_selection_nothing_is_selected(whole: Any) -> None:
    assert not (whole.folder / "selection.json").exists()
    assert not trace(whole.folder, "select")


def test_the_search_of_a_run_that_selects_is_that_of_one_that_does_not(chosen: Path, whole: Any) -> None:
    assert (chosen / "supernet.safetensors").read_bytes() == (whole.folder / "supernet.safetensors").read_bytes()
    assert genotype_of(chosen, "searched.json") == genotype_of(whole.folder)


@pytest.mark.parametrize(
    "place",
    [
        pytest.param(("selection", 1, 1), marks=pytest.mark.slow),
        ("selection", 9, 0),
        pytest.param(("training (chosen)", 1, 1), marks=pytest.mark.slow),
    ],
)
def test_a_run_killed_in_any_rung_ends_as_the_run_never_killed(
    chosen: Path, place: tuple[str, int, int], tmp_path: Path
) -> None:
    folder = tmp_path / "run"
    there = "step|" + "|".join(map(str, place))
    kill_child(lambda line: line.rstrip("\n") == there, "start", folder, *SELECTS, delay=0.02)
    with one_thread():
        resume(folder)
    assert_same_outcome(chosen, folder)
    ours, theirs = selection_of(chosen), selection_of(folder)
    assert {k: v for k, v in ours.items() if k != "seconds"} == {k: v for k, v in theirs.items() if k != "seconds"}
    assert {path.name for path in folder.iterdir()} == {path.name for path in chosen.iterdir()}


@pytest.mark.parametrize("kind", ["hand", "inverted", "resnet8"])
def test_a_hand_made_network_that_wins_is_saved_exported_and_loaded(kind: str, tmp_path: Path) -> None:
    number = ["hand", "inverted", "resnet8"].index(kind) + 1
    sets = ("selection.rungs=1", "selection.epochs=1", "candidates.last=0", f"candidates.hand={number}")
    folder = tmp_path / "run"
    settings = small(*sets, "compare=[]")
    with pytest.MonkeyPatch.context() as patch:
        # The one that is wanted, whatever the images say.
        listing = sys.modules["edgewise.pipeline.selecting"]
        patch.setattr(listing, "list_candidates", lambda *a, **k: [Design(kind, "hand")])
        start(settings, folder, options=options())
    classifier = load_network(folder)
    results = json.loads((folder / "results.json").read_text())
    assert classifier.facts.hand_made == kind
    assert classifier.genotype is None
    assert results["found"]["genotype"] is None
    assert sum(p.numel() for p in classifier.network.parameters()) == results["found"]["params"]
    images = torch.zeros(2, 1, 8, 8)
    assert classifier(images).shape == (2, 10)
    assert (folder / "network.onnx").stat().st_size == results["found"]["size"]


def found_of(name: str = "darts") -> Genotype:
    import random

    return random_genotype(space(name), random.Random(0))


def epoch_of(genotype: Genotype, number: int, mixture: list[list[float]]) -> dict[str, Any]:
    return {
        "epoch": number,
        "genotype": genotype.to_dict(),
        "mixture": dict.fromkeys(genotype.cells, mixture),
        "beta": None,
    }


def test_equal_cells_take_part_once() -> None:
    found = found_of()
    flat = [[1 / 8] * 8] * 14
    epochs = [epoch_of(found, 0, flat), epoch_of(found, 1, flat)]
    listed = list_candidates(CandidateSettings(epochs=2), small(), found, epochs, seed=0)
    assert [one.name for one in listed] == ["last"]


def test_a_mixture_that_is_sure_is_drawn_once() -> None:
    """Only as many distinct cells as there are: nothing is drawn without an end."""
    found = found_of("nb201")
    primitives = space("nb201").primitives
    sure = [
        [1.0 if primitives[c] == edge.primitive else 0.0 for c in range(len(primitives))]
        for edge in found.cells["cell"].edges
    ]
    order = [(e.source, e.target) for e in found.cells["cell"].edges]
    assert order == list(space("nb201").topology.edges)
    recipe = small("space=nb201", "train.auxiliary=0", recipe="pc-darts")
    listed = list_candidates(
        CandidateSettings(last=0, sampled=3), recipe, found, [epoch_of(found, 0, sure)], seed=0
    )
    assert [one.genotype for one in listed] == [found]


def test_candidates_of_a_kind_do_not_depend_on_those_of_another() -> None:
    found, flat = found_of(), [[1 / 8] * 8] * 14
    epochs = [epoch_of(found, 0, flat)]
    few = list_candidates(CandidateSettings(random=2), small(), found, epochs, seed=0)
    many = list_candidates(CandidateSettings(random=2, sampled=3, published=2), small(), found, epochs, seed=0)
    assert [d.genotype for d in few if d.kind == "random"] == [d.genotype for d in many if d.kind == "random"]


def test_a_selection_without_candidates_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"nothing to choose from.*candidates.last=1.*selection=none"):
        small("selection.rungs=2", "candidates.last=0")


def test_an_arch_split_too_small_to_rank_is_refused_before_the_search(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"the arch split has 10 images.*31%.*selection=none"):
        check_rankable(10)
    check_rankable(20)
    with pytest.raises(ConfigError, match="too few to choose"):
        start(
            small(*SELECTS, "search.arch_fraction=0.05", "search.batch_size=5"),
            tmp_path / "run",
            options=options(),
        )
    assert not (tmp_path / "run").exists()


def test_a_rung_without_an_epoch_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"selection.rungs = 9 and selection.epochs = 8"):
        small("selection.rungs=9")


def test_who_goes_on_is_said(tmp_path: Path) -> None:
    watch = EarlyStopping()
    with without_onnx():
        start(small(*SELECTS, "compare=[]"), tmp_path / "run", options=options(), progress=watch)
    said = [line for line in watch.lines if line.startswith("selection, rung")]
    assert len(said) == 2
    assert "4 of 7 go on" in said[0]
    assert said[1].endswith(f"{selection_of(tmp_path / 'run')['winner']} wins")


def test_a_selection_among_given_networks_that_crashed_is_gone_on_with(tmp_path: Path) -> None:
    designs = [Design(name, "given", PUBLISHED[name]) for name in ("DARTS_V2", "PC_DARTS_cifar", "PDARTS")]
    settings = small("selection.rungs=2", "selection.epochs=2", "budget.params=20000")

    def crash(*now: object) -> None:
        if now[:2] == ("selection", 3):  # in the second rung
            raise RuntimeError("a crash")

    whole, crashed = tmp_path / "whole", tmp_path / "crashed"
    with one_thread():
        start(settings, whole, options=options(), command="select", designs=designs)
        with pytest.raises(RuntimeError, match="a crash"):
            start(
                settings,
                crashed,
                options=options(),
                command="select",
                designs=designs,
                progress=EarlyStopping(step=crash),
            )
        assert "winner" not in selection_of(crashed)
        result = resume(crashed)
    assert (crashed / "trace.jsonl").read_bytes() == (whole / "trace.jsonl").read_bytes()
    assert result.selection["winner"] == selection_of(whole)["winner"]
    assert (crashed / "genotype.json").read_bytes() == (whole / "genotype.json").read_bytes()
