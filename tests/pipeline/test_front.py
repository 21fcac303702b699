"""Several budgets, one search: a network for each, the front of accuracy against cost, and which is taken."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest

import edgewise
from edgewise.budget import Budget, for_device
from edgewise.errors import ConfigError, NoFitError, RunError
from edgewise.pipeline import front_rows, resume, start
from edgewise.pipeline.budgets import names_of
from edgewise.pipeline.candidates import Design
from edgewise.pipeline.front import front_of, knee_of, make_front, picked
from edgewise.pipeline.sizing import size_of
from edgewise.report import write_report
from edgewise.runs.folder import RunFolder
from edgewise.spaces import PUBLISHED
from tests.pipeline.child import CHECKPOINT_SECONDS
from tests.pipeline.small import (
    EarlyStopping,
    assert_same_outcome,
    kill_child,
    one_thread,
    options,
    small,
    trace,
    without_onnx,
)

SIZES = ("search.epochs=2", "train.epochs=1", "selection.rungs=1", "selection.epochs=1", "candidates.random=1")
SEVERAL = ("budgets=[{params=9000},{params=14000},{params=40000}]", "compare=[]", *SIZES)
NAMES = ("9k", "14k", "40k")


def read(folder: Path, name: str) -> Any:
    return json.loads((folder / name).read_text())


@pytest.fixture(scope="module")
def several(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("several") / "run"
    with one_thread():
        start(small(*SEVERAL), folder, options=options(checkpoint_seconds=CHECKPOINT_SECONDS))
    return folder


def test_each_budget_gets_a_network_within_its_limit(several: Path) -> None:
    sizes = [read(several / "budgets" / name, "results.json")["found"]["params"] for name in NAMES]
    assert all(size <= limit for size, limit in zip(sizes, (9_000, 14_000, 40_000), strict=True))
    assert sizes == sorted(set(sizes))
    for name in NAMES:
        selection = read(several / "budgets" / name, "selection.json")
        assert all(
            one["params"] <= {"9k": 9_000, "14k": 14_000, "40k": 40_000}[name] for one in selection["candidates"]
        )


def test_all_share_one_search_and_its_candidates(several: Path) -> None:
    assert {record["phase"] for record in trace(several, "search")} == {"search"}
    assert not trace(several, "select")
    assert not trace(several, "train")
    found = read(several, "genotype.json")
    for name in NAMES:
        part = several / "budgets" / name
        assert not trace(part, "search")
        searched = "searched.json" if (part / "searched.json").exists() else "genotype.json"
        assert read(part, searched) == found
    drawn = [
        [(one["name"], one["genotype"]) for one in read(several / "budgets" / name, "selection.json")["given"]]
        for name in NAMES
    ]
    assert drawn[0] == drawn[1] == drawn[2]
    assert [name for name, _ in drawn[0]] == ["last", "random 1"]


def test_the_front_says_what_each_costs_and_reaches(several: Path) -> None:
    front = read(several, "front.json")
    assert front["cost"] == "params"
    for end in front["budgets"]:
        results = read(several / "budgets" / end["name"], "results.json")
        assert end["networks"]["found"]["top1"] == results["found"]["top1"]
        assert end["won"]["name"] == read(several / "budgets" / end["name"], "selection.json")["winner"]
    assert [row[0] for row in front_rows(front)] == list(NAMES)
    best = max(front["budgets"], key=lambda end: end["networks"]["found"]["top1"])
    assert best["name"] in front["front"]


def test_the_network_that_is_taken_is_that_of_the_budget(several: Path) -> None:
    for name in NAMES:
        assert picked(several, name) == several / "budgets" / name
        classifier = edgewise.load(several, pick=name)
        size = sum(p.numel() for p in classifier.network.parameters())
        assert size == read(several / "budgets" / name, "results.json")["found"]["params"]
    knee = read(several, "front.json")["knee"]
    assert picked(several, "knee").name == knee
    with pytest.raises(RunError, match=r"pick one of 9k, 14k, 40k or knee \(.*\) with --pick"):
        picked(several, None)
    with pytest.raises(RunError, match="holds no network '10k'"):
        picked(several, "10k")
    with pytest.raises(RunError, match="no front to pick 'knee' from"):
        picked(several / "budgets" / "9k", "knee")


def test_the_page_shows_every_budget_and_leads_to_their_reports(several: Path) -> None:
    page = write_report(several).read_text()
    for name in NAMES:
        assert f'href="budgets/{name}/report.html"' in page
    assert 'id="budgets"' in page
    assert "--pick knee" in page
    part = write_report(several / "budgets" / "9k").read_text()
    assert "it is in the run that this one is a part of" in part
    assert 'id="budgets"' not in part


@pytest.mark.parametrize(
    "place",
    [
        ("training (chosen)", 0, 1, 2),
        pytest.param(("selection", 0, 1, 2), marks=pytest.mark.slow),
        pytest.param(("search", 1, 1, 1), marks=pytest.mark.slow),
    ],
)
def test_a_run_killed_in_the_middle_of_a_budget_ends_as_the_run_never_killed(
    several: Path, place: tuple[str, int, int, int], tmp_path: Path
) -> None:
    folder, left = tmp_path / "run", place[3]
    there = "step|" + "|".join(map(str, place[:3]))

    def now(line: str) -> bool:
        nonlocal left
        left -= line.rstrip("\n") == there
        return left == 0

    kill_child(now, "start", folder, *SEVERAL, delay=0.02)
    with one_thread():
        resume(folder)
    for name in ("", *(f"budgets/{name}" for name in NAMES)):
        ours, theirs = several / name, folder / name
        assert {path.name for path in ours.iterdir()} == {path.name for path in theirs.iterdir()}
        assert (ours / "recipe.toml").read_bytes() == (theirs / "recipe.toml").read_bytes()
        if name:
            assert_same_outcome(ours, theirs)
    ours, theirs = read(several, "front.json"), read(folder, "front.json")
    for front in (ours, theirs):
        for end in front["budgets"]:
            end["networks"]["found"].pop("latency")
    assert ours == theirs


def test_a_budget_that_nothing_fits_leaves_the_others_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def small_ones_fit(design: Any, sizing: Any, *, what: str) -> Any:
        if sizing.limits["params"] < 10_000:
            raise ConfigError(f"{what} fits the budget at no size")
        return size_of(design, sizing, what=what)

    monkeypatch.setattr(sys.modules["edgewise.pipeline.selecting"], "size_of", small_ones_fit)
    watch = EarlyStopping()
    sets = ("budgets=[{params=9000},{params=14000}]", "compare=[]", *SIZES)
    with without_onnx():
        result = start(small(*sets), tmp_path / "run", options=options(), progress=watch)
    assert list(result.budgets) == ["14k"]
    assert "no candidate fits the budget" in result.front["budgets"][0]["unfit"]
    assert any(line.startswith("note: budget 9k is left out: no candidate fits") for line in watch.lines)
    assert front_rows(result.front)[0][:2] == ("9k", result.front["budgets"][0]["unfit"])
    assert picked(tmp_path / "run", "14k").name == "14k"
    with pytest.raises(RunError, match="pick one of 14k or knee"):
        picked(tmp_path / "run", "9k")
    assert read(tmp_path / "run", "run.json")["status"] == "done"
    # A new run in its place takes nothing over.
    again = ("budgets=[{params=9000},{params=8000}]", "compare=[]", *SIZES)
    with without_onnx(), pytest.raises(NoFitError, match=r"no network fits any of the budgets: no candidate"):
        start(small(*again), tmp_path / "run", options=options(overwrite=True))
    assert not (tmp_path / "run" / "budgets" / "14k").exists()
    assert not (tmp_path / "run" / "front.json").exists()


def test_a_budget_that_even_the_smallest_network_breaks_is_refused_at_once(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"budget 10: even a network of skips alone fits the budget at no size"):
        start(small("budgets=[{params=10},{params=14000}]"), tmp_path / "run", options=options())
    assert not (tmp_path / "run").exists()


def test_one_of_given_networks_is_chosen_for_each_budget(tmp_path: Path) -> None:
    designs = [Design(name, "given", PUBLISHED[name]) for name in ("DARTS_V2", "PC_DARTS_cifar")]
    sets = ("budgets=[{params=9000},{params=14000}]", "selection.rungs=1", "selection.epochs=1")
    result = start(small(*sets), tmp_path / "run", options=options(), command="select", designs=designs)
    assert list(result.budgets) == ["9k", "14k"]
    for part in result.budgets.values():
        assert part.selection["winner"] in ("DARTS_V2", "PC_DARTS_cifar")
        assert not part.results
    assert result.front["front"] == []
    assert result.front["knee"] is None
    write_report(tmp_path / "run")


def test_several_budgets_without_a_selection_each_train_the_searchs_cells(tmp_path: Path) -> None:
    sets = ("budgets=[{params=9000},{params=14000}]", "compare=[]", "search.epochs=2", "train.epochs=1")
    with without_onnx():
        result = start(small(*sets), tmp_path / "run", options=options())
    for part in result.budgets.values():
        assert part.genotype == result.genotype
        assert not part.selection
    assert [row[1] for row in front_rows(result.front)] == ["the search's cells"] * 2


def test_only_runs_and_selections_take_several_budgets(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="budgets: search makes one network"):
        start(
            small("budgets=[{params=9000},{params=14000}]"), tmp_path / "run", options=options(), command="search"
        )


def test_the_settings_of_each_budget_have_it_alone() -> None:
    each = small("budgets=[{params=9000},{params=14000}]").for_each_budget
    assert {name: one.budget.limits for name, one in each.items()} == {
        "9k": {"params": 9_000}, "14k": {"params": 14_000}
    }  # fmt: skip
    assert all(one.budgets == () for one in each.values())
    assert small().for_each_budget == {}


def test_a_budget_or_the_knee_is_picked_by_its_name(tmp_path: Path) -> None:
    with RunFolder.create(tmp_path / "run") as folder:
        ends = [{"name": name, "limits": {"params": 1}} for name in ("9k", "14k")]
        folder.write_json("front.json", {"cost": "params", "budgets": ends, "front": ["14k"], "knee": "14k"})
    assert [picked(tmp_path / "run", pick).name for pick in ("9k", "14k", "knee")] == ["9k", "14k", "14k"]


@pytest.mark.parametrize(
    ("budgets", "expected"),
    [
        ([Budget(params=20_000), Budget(params=60_000)], ["20k", "60k"]),
        ([Budget(params=20_000, ram=65_536), Budget(params=60_000, ram=65_536)], ["20k", "60k"]),
        ([Budget(params=20_000, ram=16_384), Budget(params=60_000, ram=65_536)], ["20k-16KiB", "60k-64KiB"]),
        ([Budget(params=20_000), Budget(macs=1_500_000)], ["20k-any-macs", "any-params-1500k"]),
        ([Budget(ram=65_536), Budget(ram=65_536, int8=True)], ["float32", "int8"]),
        ([Budget(latency_ms=0.5), Budget(latency_ms=2)], ["0.5ms", "2ms"]),
    ],
)
def test_budgets_are_called_by_what_they_differ_in(budgets: list[Budget], expected: list[str]) -> None:
    assert names_of(budgets) == expected


def test_devices_are_called_by_their_names() -> None:
    from edgewise.budget import devices

    first, second = list(devices())[:2]
    assert names_of([for_device(first), for_device(second)]) == [first, second]


@pytest.mark.parametrize(
    ("sets", "said"),
    [
        (("budgets=[{params=9000}]",), "budgets: there is only one: state it as `budget`"),
        (("budgets=[{params=9000},{}]",), r"budgets\[1\]: states no limit"),
        (("budgets=[{params=9000},{params=9000}]",), r"budgets\[1\]: is stated twice"),
        (("budgets=[{params=9000},{params=8000}]", "budget.macs=1000"), "budget and budgets both state limits"),
        (("budgets=[{params=9000},{parms=8000}]",), "parms: unknown setting"),
        (("budgets=[{params=9000},{params=8000}]", "train.channels=4"), "train.channels says how wide"),
    ],
)
def test_budgets_that_make_no_sense_are_refused(sets: tuple[str, ...], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        small(*sets)


def test_who_is_beaten_is_not_on_the_front() -> None:
    """By hand: b costs more than a and reaches less; c reaches more than all; d costs as much as c and less."""
    points = {"b": (2.0, 0.5), "a": (1.0, 0.6), "c": (4.0, 0.9), "d": (4.0, 0.8), "e": (9.0, 0.9)}
    assert front_of(points) == ["a", "c"]
    assert front_of({}) == []


def test_the_knee_lies_farthest_above_the_line() -> None:
    """By hand, costs 1, 10, 100 and 1000 (thirds on the logarithm): .7 and .9 of the height less 1/3 and 2/3."""
    points = {"a": (1.0, 0.0), "b": (10.0, 0.7), "c": (100.0, 0.9), "d": (1000.0, 1.0)}
    assert knee_of(points) == "b"
    assert knee_of(points | {"b": (10.0, 0.5)}) == "c"
    assert knee_of({"a": (1.0, 0.5), "b": (2.0, 0.6)}) == "b"
    assert knee_of({"a": (1.0, 0.5)}) == "a"
    assert knee_of({}) is None


def test_a_front_is_drawn_over_what_the_budgets_differ_in() -> None:
    entry = {"top1": 0.5, "test_images": 100, "params": 10, "macs": 5, "ram": 3}
    ends = [
        {"name": "a", "limits": {"params": 10, "ram": 4}, "networks": {"found": entry}},
        {"name": "b", "limits": {"params": 10, "ram": 8}, "networks": {"found": entry | {"ram": 7, "top1": 0.7}}},
        {"name": "c", "limits": {"params": 10, "ram": 9}, "unfit": "it is too large"},
    ]
    front = make_front(ends)
    assert (front["cost"], front["front"], front["knee"]) == ("ram", ["a", "b"], "b")
