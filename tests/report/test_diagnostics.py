from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from edgewise.errors import RunError
from edgewise.report import write_report
from edgewise.report.cosines import make_cosines
from edgewise.report.diagnostics import (
    count_figures,
    decisions,
    eigenvalue_figures,
    epochs_done,
    frozen_epochs,
    gap_figures,
    share_figures,
    stages_table,
    weight_decay_figures,
)
from edgewise.report.mixtures import alpha_edge_figure, alpha_figures, alpha_values
from edgewise.report.record import read_record
from edgewise.report.timeline import make_timeline
from tests.report.factory import Made, make_folder, write_lines
from tests.report.reading import Page

Write = Callable[[Made], Page]
BACK = Made(measured=True, back=(7, 4), networks=())
STOP = Made(measured=True, stop=(11, 3), networks=())
STAGED = Made(stages=3, beta=False, projected=False, networks=())
NEW_FIGURES = {
    *("cosines-normal-2", "cosines-reduce-5", "shares-normal", "shares-reduce"),
    *("count-depth", "count-width", "count-skips", "count-pools"),
}


def read_lines(folder: Path) -> list[dict]:
    return [json.loads(line) for line in (folder / "trace.jsonl").read_text().splitlines()]


def of(tmp_path: Path, made: Made) -> list[dict]:
    """The search epochs of a made-up run, as the report reads them."""
    return list(read_record(make_folder(tmp_path / "run", made)).search)  # type: ignore[arg-type]


def test_a_trace_of_before_the_diagnostics_has_a_page_without_them(page_of: Write) -> None:
    page = page_of(Made(old=True))
    assert "cosines" not in page.sections
    assert set(page.data["figures"]) & NEW_FIGURES == {"count-skips", "count-pools"}
    assert page.tables.get("stages-table") is None
    assert page.data["cosines"] is None


def test_a_run_that_an_older_version_began_and_this_one_ended_has_a_page(tmp_path: Path) -> None:
    folder = make_folder(tmp_path, Made(networks=(), warm_up=0))
    lines = read_lines(folder)
    write_lines(folder / "trace.jsonl", make_old(lines[:5]) + lines[5:])
    page = Page(write_report(folder).read_text())
    assert set(page.data["figures"]) >= NEW_FIGURES
    depth = page.data["figures"]["count-depth"]["data"][0]["y"]
    assert depth == [None] * 5 + [line["depth"]["normal"] for line in lines[5:]]
    assert page.data["cosines"]["cosines-normal-3"][:5] == [None] * 5


def make_old(lines: list[dict]) -> list[dict]:
    """Lines without the keys that came with the diagnostics."""
    new = {"mixture", "shares", "depth", "width", "schedule_epoch", "stage", "layers", "weight_decay"}
    new |= {"hessian", "gap", "decision"}
    kept = [{key: value for key, value in line.items() if key not in new} for line in lines]
    for line in kept:
        for group in line["conflicts"]["groups"]:
            del group["cosines"]
    return kept


def test_what_was_not_measured_is_left_out_and_the_page_says_how_to_switch_it_on(page_of: Write) -> None:
    page = page_of(Made())
    assert {"eigenvalue", "gap"} & set(page.data["figures"]) == set()
    assert "--set diagnostics.hessian_every=2" in page.text
    assert "--set diagnostics.gap_every=2" in page.text
    measured = page_of(Made(measured=True))
    assert {"eigenvalue", "gap"} <= set(measured.data["figures"])
    assert "--set diagnostics" not in measured.text


def test_measured_epochs_stand_at_their_own_epoch_and_a_line_joins_them(tmp_path: Path) -> None:
    search = of(tmp_path, Made(measured=True))
    for figure in (*eigenvalue_figures(search), *gap_figures(search)):
        assert all(trace["connectgaps"] for trace in figure.data)
        first = figure.data[0]
        drawn = [x for x, y in zip(first["x"], first["y"], strict=True) if y is not None]
        assert drawn == [1, 3, 5, 7, 9, 11, 12]
    (eigenvalue,) = eigenvalue_figures(search)
    assert eigenvalue.data[0]["y"][4] == pytest.approx(0.18)
    (gap,) = gap_figures(search)
    assert [trace["y"][4] for trace in gap.data] == pytest.approx([0.9, 0.38])


def test_a_roll_back_is_marked_on_the_eigenvalue_at_the_epoch_that_was_run(tmp_path: Path) -> None:
    lines = [line | {"hessian": {"eigenvalue": 1.0 + line["epoch"]}} for line in of(tmp_path, BACK)]
    (figure,) = eigenvalue_figures(lines)
    assert [(t["name"], t["x"], t["y"]) for t in figure.data[1:]] == [("roll back", [8], [8.0])]
    assert figure.data[0]["x"] == list(range(1, 13))


def test_the_page_says_where_a_search_was_rolled_back_to_and_what_it_changed(page_of: Write) -> None:
    page = page_of(BACK)
    assert "Epoch 8: rolled back to the end of epoch 5, with weight decay 0.003 in place of 0.0003." in page.text
    assert "in 12 epochs, rolled back once" in page.text


def test_a_second_roll_back_goes_to_the_newest_run_of_its_epoch(tmp_path: Path) -> None:
    search = of(tmp_path, BACK)
    # Epochs 0 to 7, then 5 to 8 of the schedule again as epochs 8 to 11.
    search[11] |= {"decision": {"action": "roll back", "detected": 8, "epoch": 6}}
    assert decisions(search)[1] == "Epoch 12: rolled back to the end of epoch 10."


def test_epochs_that_are_run_again_have_stops_of_their_own(tmp_path: Path) -> None:
    timeline = make_timeline(read_record(make_folder(tmp_path, BACK)))
    assert timeline is not None
    assert timeline.stops[7:9] == ("epoch 8", "epoch 9 (epoch 6 of the schedule)")
    assert len(set(timeline.stops)) == 12


@pytest.mark.parametrize(("rows", "done"), [(7, 7), (8, 5), (9, 6), (12, 9)])
def test_what_was_rolled_back_does_not_count_as_done(tmp_path: Path, rows: int, done: int) -> None:
    assert epochs_done(of(tmp_path, BACK)[:rows]) == done


def test_a_rolled_back_search_under_way_counts_the_epochs_of_its_schedule(page_of: Write) -> None:
    page = page_of(Made(epochs=12, back=(7, 4), networks=(), status="running"))
    assert "9 of 50 epochs done" in page.text
    assert "epochs 10 to 50 of the search" in page.text


def test_a_stopped_search_shows_the_cells_and_alpha_of_the_epoch_that_it_took(tmp_path: Path) -> None:
    folder = make_folder(tmp_path, STOP)
    taken = read_record(folder).search[3]["genotype"]
    (folder / "genotype.json").write_text(json.dumps(taken))
    recipe = (folder / "recipe.toml").read_text()
    (folder / "recipe.toml").write_text(recipe.replace("epochs = 12", "epochs = 50"))
    timeline = make_timeline(read_record(folder))
    assert timeline is not None
    assert timeline.stops[-1] == "derived, cells of epoch 4"
    assert timeline.epochs[-1] == 3
    page = Page(write_report(folder).read_text())
    assert "Cells found on digits in 12 epochs, stopped early" in page.text
    assert "Epoch 12: stopped; the cells are those of epoch 4." in page.text
    assert "of 50 epochs" not in page.text
    assert page.data["figures"]["eigenvalue"]["data"][1]["name"] == "stop"


def test_shares_are_stacked_and_those_of_an_epoch_sum_to_one(tmp_path: Path) -> None:
    search = of(tmp_path, Made())
    for figure in share_figures(search):
        assert {trace["stackgroup"] for trace in figure.data} == {"shares"}
        assert [
            sum(values) for values in zip(*(trace["y"] for trace in figure.data), strict=True)
        ] == pytest.approx([1.0] * 12, abs=1e-3)
    reduce = next(figure for figure in share_figures(search) if figure.key == "shares-reduce")
    skip = next(trace for trace in reduce.data if trace["name"] == "skip")
    assert skip["y"][8] == pytest.approx(search[8]["shares"]["reduce"]["skip"], rel=1e-3)


def test_a_kind_that_the_space_does_not_have_gets_no_line(tmp_path: Path) -> None:
    search = of(tmp_path, Made())
    for record in search:
        record["shares"] = {cell: shares | {"none": 0.0} for cell, shares in record["shares"].items()}
    assert [trace["name"] for trace in share_figures(search)[0].data] == ["parametrised", "pool", "skip"]


@pytest.mark.parametrize("key", ["depth", "width", "skips", "pools"])
def test_each_count_is_that_of_its_epoch_and_cell(tmp_path: Path, key: str) -> None:
    search = of(tmp_path, Made())
    figure = next(figure for figure in count_figures(search) if figure.key == f"count-{key}")
    shown = {trace["name"]: trace["y"] for trace in figure.data}
    assert shown == {
        "normal": [record[key]["normal"] for record in search],
        "reduction": [record[key]["reduce"] for record in search],
    }


def test_a_weight_decay_that_never_changes_is_not_drawn(tmp_path: Path) -> None:
    assert weight_decay_figures(of(tmp_path, Made())) == []


def test_a_weight_decay_that_changes_is_drawn(tmp_path: Path) -> None:
    (figure,) = weight_decay_figures(of(tmp_path, BACK))
    assert figure.data[0]["y"] == [3e-4] * 8 + [3e-3] * 4


def test_stages_stand_in_a_table_with_their_epochs_layers_and_primitives(page_of: Write) -> None:
    assert page_of(STAGED).tables["stages-table"][1:] == [
        ["1", "1 to 4", "4", "8", "8"],
        ["2", "5 to 8", "5", "5", "5"],
        ["3", "9 to 12", "6", "2", "2"],
    ]


def test_edges_that_keep_different_numbers_of_primitives_are_told_apart(tmp_path: Path) -> None:
    search = of(tmp_path, STAGED)
    search[11]["mixture"]["normal"][3] = [0.25, 0.25, 0.25, 0.25, 0, 0, 0, 0]
    table = stages_table(search)
    assert table is not None
    assert table.rows[2][3:] == ("2 to 4", "2")


def test_dropped_primitives_have_no_share_and_a_cross_instead_of_a_colour(tmp_path: Path) -> None:
    search = of(tmp_path, STAGED)
    for figure in alpha_figures(search):
        cell = figure.key.removeprefix("alpha-")
        squares, crosses = figure.data
        gone = {(i, j) for i, row in enumerate(search[-1]["mixture"][cell]) for j, p in enumerate(row) if p == 0}
        assert len(gone) == 14 * 6
        assert {(i, j) for i, row in enumerate(squares["z"]) for j, p in enumerate(row) if p is None} == gone
        assert {(y, x - 1) for x, y in zip(crosses["x"], crosses["y"], strict=True)} == gone
        assert squares["hoverongaps"] is False
        assert crosses["marker"]["symbol"] == "x-thin"


def test_an_edge_over_the_epochs_shows_when_its_primitives_were_dropped(tmp_path: Path) -> None:
    search = of(tmp_path, STAGED)
    figure = alpha_edge_figure(search)
    assert figure is not None
    counts = [sum(row[epoch] is not None for row in figure.data[0]["z"]) for epoch in range(12)]
    assert counts == [8] * 4 + [5] * 4 + [2] * 4
    assert len(figure.data[1]["x"]) == 4 * 3 + 4 * 6


def test_without_dropped_primitives_there_are_no_crosses(page_of: Write) -> None:
    page = page_of(Made())
    assert len(page.data["figures"]["alpha-normal"]["data"]) == 1
    assert "A cross stands" not in page.text
    assert "A cross stands" in page_of(STAGED).text


def test_a_small_share_is_not_taken_for_a_dropped_one(tmp_path: Path) -> None:
    search = of(tmp_path, Made(networks=()))
    search[-1]["mixture"]["normal"][0] = [1e-12, *[1 / 7] * 7]
    assert alpha_values(search)["normal"][-1][0][0] == 1e-12


def test_a_cosine_matrix_is_that_of_its_group_and_epoch_without_the_diagonal(tmp_path: Path) -> None:
    search = of(tmp_path, Made())
    cosines = make_cosines(search)
    assert cosines is not None
    group = next(g for g in search[7]["conflicts"]["groups"] if (g["cell"], g["node"]) == ("reduce", 4))
    shown = cosines.values["cosines-reduce-4"][7]
    assert shown is not None
    for i, row in enumerate(group["cosines"]):
        expected = [None if i == j else pytest.approx(value, abs=1e-3) for j, value in enumerate(row)]
        assert list(shown[i]) == expected


def test_cosines_of_frozen_epochs_are_not_shown_as_numbers(tmp_path: Path) -> None:
    cosines = make_cosines(of(tmp_path, Made(warm_up=3)))
    assert cosines is not None
    assert all(epochs[:3] == [None] * 3 and None not in epochs[3:] for epochs in cosines.values.values())


def test_a_last_epoch_without_arch_steps_has_empty_matrices(tmp_path: Path) -> None:
    search = of(tmp_path, Made())
    search[-1]["conflicts"] = None
    cosines = make_cosines(search)
    assert cosines is not None
    assert cosines.figures["Normal cell"][0].data[0]["z"] == [[None, None], [None, None]]


@pytest.mark.parametrize(
    ("direction", "title", "node", "ends", "axis"),
    [
        ("in", "Into 4", 4, ["0", "1", "2", "3"], "edge from"),
        ("out", "Out of 2", 2, ["3", "4", "5"], "edge to"),
    ],
)
def test_edges_are_named_by_their_other_node(
    tmp_path: Path, direction: str, title: str, node: int, ends: list[str], axis: str
) -> None:
    cosines = make_cosines(of(tmp_path, Made(direction=direction)))
    assert cosines is not None
    figure = next(f for f in cosines.figures["Reduction cell"] if f.key == f"cosines-reduce-{node}")
    assert figure.title == title
    for name in ("xaxis", "yaxis"):
        assert figure.layout[name]["ticktext"] == ends
        assert figure.layout[name]["title"]["text"] == axis


def test_a_group_of_one_edge_has_no_matrix(tmp_path: Path) -> None:
    cosines = make_cosines(of(tmp_path, Made(direction="out")))
    assert cosines is not None
    # Out of node 4 there is one edge.
    assert [figure.key for figure in cosines.figures["Normal cell"]] == [f"cosines-normal-{n}" for n in range(4)]


def test_all_cosine_matrices_share_one_scale_that_fits_the_largest_of_all_epochs(tmp_path: Path) -> None:
    search = of(tmp_path, Made())
    group = search[5]["conflicts"]["groups"][0]
    group["cosines"] = [[1.0, -0.75], [-0.75, 1.0]]
    cosines = make_cosines(search)
    assert cosines is not None
    limits = {(f.data[0]["zmin"], f.data[0]["zmax"]) for figures in cosines.figures.values() for f in figures}
    assert limits == {(-0.75, 0.75)}


def test_edges_of_a_space_that_the_report_does_not_know_are_numbered(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    search = of(tmp_path, Made())
    monkeypatch.setattr("edgewise.report.cosines.SPACES", {})
    cosines = make_cosines(search)
    assert cosines is not None
    assert cosines.figures["Normal cell"][0].layout["xaxis"]["ticktext"] == ["edge 0", "edge 1"]


@pytest.mark.parametrize(
    ("steps", "words"),
    [
        ([5, 5, 5], ""),
        ([0, 5, 5], "the first epoch"),
        ([0, 0, 5], "the first 2 epochs"),
        ([0, 5, 0, 0, 5, 0], "epochs 1, 3 to 4 and 6"),
        ([5, 0, 0], "epochs 2 to 3"),
    ],
)
def test_frozen_epochs_are_named(steps: list[int], words: str) -> None:
    assert frozen_epochs([{"arch_steps": count} for count in steps]) == words


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"hessian": {}}, "hessian: damaged: eigenvalue missing"),
        ({"gap": {"mixture": 1}}, "gap: damaged: derived missing"),
        ({"decision": {"action": "stop"}}, "decision: damaged: epoch missing"),
        ({"shares": {"normal": {"skip": 1}}}, "shares, normal: damaged: pool, none, parametrised missing"),
        ({"mixture": {"normal": [[1.0]]}}, "mixture has the shape"),
    ],
)
def test_a_damaged_diagnostic_is_named_with_its_line(tmp_path: Path, change: dict, words: str) -> None:
    folder = make_folder(tmp_path, Made(measured=True))
    lines = read_lines(folder)
    lines[4] |= change
    write_lines(folder / "trace.jsonl", lines)
    with pytest.raises(RunError, match=f"line 5.*{words}"):
        read_record(folder)
