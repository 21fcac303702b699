"""The section Budget: limits, used shares, accuracy against what it costs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from edgewise.errors import RunError
from edgewise.report import write_report
from edgewise.report.budget import budget_figures, budget_sentences, budget_table
from edgewise.report.record import read_record
from edgewise.report.tables import NARROW, cost_table, results_table
from tests.report.factory import Made, make_folder

NETWORKS = ("found", "random", "hand", "inverted", "resnet8")
LIMITS = {"params": 100_000, "latency_ms": 4.0}


def edit(folder: Path, name: str, change: Any) -> None:
    content = json.loads((folder / name).read_text())
    change(content)
    (folder / name).write_text(json.dumps(content))


def limited(folder: Path, *, networks: tuple[str, ...] = NETWORKS, **budget: Any) -> Path:
    """A run whose networks were fitted to limits."""
    make_folder(folder, Made(networks=networks))
    stated = {"limits": LIMITS, "int8": False, "device": None, "from": "limits"} | budget
    edit(folder, "run.json", lambda run: run.update(budget=stated))

    def measure(results: dict[str, Any]) -> None:
        for index, entry in enumerate(results.values()):
            latency = {"median_ms": 1.0 + index, "p10": 0.9, "p90": 9.0, "n": 100, "threads": 1}
            entry.update(channels=8 + index, layers=1 + index, ram=20_000, size=40_000 * (index + 1))
            entry.update(
                latency=latency, used={"params": 0.5, "latency_ms": (1.0 + index) / 4}, train_seconds=61.0
            )

    edit(folder, "results.json", measure)
    return folder


def test_a_run_without_a_budget_has_no_such_section(tmp_path: Path) -> None:
    folder = make_folder(tmp_path / "run", Made())
    record = read_record(folder)
    assert (budget_table(record), budget_figures(record), budget_sentences(record)) == (None, [], [])
    assert 'id="budget"' not in write_report(folder).read_text()
    results = results_table(record)
    assert results is not None
    assert "latency" not in results.heads


def test_the_table_has_a_row_a_network_with_each_figure_and_its_share(tmp_path: Path) -> None:
    table = budget_table(read_record(limited(tmp_path / "run")))
    assert table is not None
    assert table.heads[3:] == (
        *("parameters, at most 100,000", "multiply-adds", "size", "RAM"),
        "latency, at most 4 ms",
    )
    assert [row[0] for row in table.rows][3:] == ["hand-made inverted residual", "ResNet-8 (MLPerf Tiny)"]
    second = [entry.replace(NARROW, " ") for entry in table.rows[1]]
    assert second[1:3] == ["9", "2"]
    assert second[3].endswith("(50.0%)")
    assert second[5:] == ["80.0 kB", "20.0 kB", "2 ms (50.0%)"]
    assert table.rows[2][2].replace(NARROW, " ") == "3 blocks a stage"


def test_the_results_hold_size_memory_latency_and_seconds(tmp_path: Path) -> None:
    results = results_table(read_record(limited(tmp_path / "run")))
    assert results is not None
    at = results.heads.index("size")
    assert results.heads[at : at + 4] == ("size", "RAM", "latency", "training")
    shown = tuple(entry.replace(NARROW, " ") for entry in results.rows[0][at : at + 4])
    assert shown == ("40.0 kB", "20.0 kB", "1 ms", "1 min 01 s")


def test_each_cost_has_a_figure_with_every_network_and_its_interval(tmp_path: Path) -> None:
    record = read_record(limited(tmp_path / "run"))
    figures = budget_figures(record)
    assert [figure.key for figure in figures] == ["cost-params", "cost-macs", "cost-size", "cost-latency_ms"]
    for figure in figures:
        assert [trace["marker"]["color"] for trace in figure.data] == [f"@{name}" for name in NETWORKS]
        assert len({trace["marker"]["symbol"] for trace in figure.data}) == 5
        for trace, entry in zip(figure.data, record.results.values(), strict=True):
            assert trace["y"] == [entry["top1"]]
            assert trace["error_y"]["array"][0] > 0 < trace["error_y"]["arrayminus"][0]
    assert [trace["x"][0] for trace in figures[3].data] == [1.0, 2.0, 3.0, 4.0, 5.0]
    assert figures[3].layout["xaxis"].get("type") != "log"


def test_costs_that_span_more_than_a_factor_of_ten_have_a_logarithmic_axis(tmp_path: Path) -> None:
    folder = limited(tmp_path / "run")
    edit(folder, "results.json", lambda results: results["hand"].update(size=10_000_000))
    by_key = {figure.key: figure for figure in budget_figures(read_record(folder))}
    assert by_key["cost-size"].layout["xaxis"]["type"] == "log"


@pytest.mark.parametrize("key", ["channels", "layers", "ram", "size", "latency", "used", "train_seconds"])
def test_what_is_missing_is_a_dash_and_nothing_else_changes(tmp_path: Path, key: str) -> None:
    folder = limited(tmp_path / "run")
    edit(folder, "results.json", lambda results: results["random"].pop(key))
    record = read_record(folder)
    whole, results = budget_table(record), results_table(record)
    assert whole is not None
    assert results is not None
    shown = [*whole.rows[1], *results.rows[1]]
    assert ("–" in shown) is (key != "used")
    assert all("None" not in entry for entry in shown)
    write_report(folder)


@pytest.mark.parametrize(
    ("budget", "said"),
    [
        ({}, "largest of its kind within the limits: parameters 100,000, latency 4 ms"),
        ({"device": "pico"}, "within the limits (pico)"),
        ({"from": "found", "limits": {"params": 7}}, "No limit was stated"),
        ({"int8": True}, "one byte a value (int8)"),
        ({}, "(median of 100 runs, one image, 1 thread)"),
    ],
)
def test_the_sentences_say_whose_the_limits_are_and_how_figures_were_got(
    tmp_path: Path, budget: dict[str, Any], said: str
) -> None:
    assert said in " ".join(budget_sentences(read_record(limited(tmp_path / "run", **budget))))


def test_the_phase_that_fits_has_seconds_and_no_memory(tmp_path: Path) -> None:
    folder = limited(tmp_path / "run")
    fit = {"fit": {"seconds": 3.0, "peak_memory_bytes": 0}}
    edit(folder, "run.json", lambda run: run.setdefault("phases", {}).update(fit))
    table = cost_table(read_record(folder))
    assert table is not None
    assert next(row for row in table.rows if row[0] == "fit")[-1] == "–"


def test_a_devices_name_does_not_reach_the_page_as_markup(tmp_path: Path) -> None:
    page = write_report(limited(tmp_path / "run", device="<b>board</b>")).read_text()
    assert "<b>board" not in page
    assert "&lt;b&gt;board" in page


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("run.json", {"budget": 3}),
        ("run.json", {"budget": {"limits": {"params": "many"}}}),
        ("run.json", {"fitted": {"found": {"channels": "8"}}}),
    ],
)
def test_a_damaged_budget_is_told_with_its_place(tmp_path: Path, name: str, change: dict[str, Any]) -> None:
    folder = limited(tmp_path / "run")
    edit(folder, name, lambda content: content.update(change))
    with pytest.raises(RunError, match=next(iter(change))):
        read_record(folder)


def test_a_damaged_latency_is_told_with_its_place(tmp_path: Path) -> None:
    folder = limited(tmp_path / "run")
    edit(folder, "results.json", lambda results: results["found"].update(latency={"median_ms": "fast"}))
    with pytest.raises(RunError, match="latency"):
        read_record(folder)
