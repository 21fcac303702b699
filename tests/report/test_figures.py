from __future__ import annotations

import json
from math import exp
from pathlib import Path
from typing import Any

import plotly.graph_objects as go
import pytest

from edgewise.report.conflicts import conflict_maps, conflict_means
from edgewise.report.cosines import make_cosines
from edgewise.report.curves import search_curves, training_curves
from edgewise.report.diagnostics import (
    count_figures,
    eigenvalue_figures,
    gap_figures,
    share_figures,
    weight_decay_figures,
)
from edgewise.report.figures import Figure, Series, heatmap, log_axis, plot_text
from edgewise.report.mixtures import alpha_edge_figure, alpha_figures, alpha_values, beta_figures, beta_weights
from edgewise.report.record import RunRecord, read_record
from edgewise.report.testing import confusion_figures, per_class_figure
from tests.report.factory import Made, make_folder

HUNDRED = tuple(f"class {i}" for i in range(100))
VARIANTS = {
    "whole": Made(),
    "darts": Made(beta=False, projected=False, direction="out", warm_up=0),
    "hundred": Made(classes=HUNDRED),
    "unfinished": Made(epochs=5, networks=(), status="running"),
    "warming up": Made(epochs=2, networks=(), status="running"),
    "one epoch": Made(epochs=1, warm_up=0, train_epochs=1, measured=True),
    "old": Made(old=True),
    "rolled back": Made(measured=True, back=(7, 4)),
    "stopped": Made(measured=True, stop=(11, 6)),
    "stages": Made(stages=3, beta=False, projected=False),
}


def all_figures(record: RunRecord) -> list[Figure]:
    search = record.search
    cosines = make_cosines(search)
    edge, per_class = alpha_edge_figure(search), per_class_figure(record)
    return [
        *alpha_figures(search),
        *beta_figures(search),
        *search_curves(search),
        *conflict_means(search),
        *conflict_maps(search),
        *eigenvalue_figures(search),
        *gap_figures(search),
        *share_figures(search),
        *count_figures(search),
        *weight_decay_figures(search),
        *(figure for figures in (cosines.figures.values() if cosines else ()) for figure in figures),
        *training_curves(record),
        *confusion_figures(record),
        *([edge] if edge else []),
        *([per_class] if per_class else []),
    ]


def with_real_colours(value: Any) -> Any:
    """A figure as the page's script hands it to plotly."""
    if isinstance(value, dict):
        return {
            key: "Blues" if key == "colorscale" else "#123456" if key == "color" else with_real_colours(item)
            for key, item in value.items()
        }
    return [with_real_colours(item) for item in value] if isinstance(value, list) else value


@pytest.mark.parametrize("variant", VARIANTS)
def test_plotly_accepts_every_figure(variant: str, tmp_path: Path) -> None:
    figures = all_figures(read_record(make_folder(tmp_path, VARIANTS[variant])))
    assert figures
    assert len({figure.key for figure in figures}) == len(figures)
    for figure in figures:
        go.Figure(data=with_real_colours(figure.data), layout=with_real_colours(figure.layout))
        json.dumps(figure.data, allow_nan=False)


def test_alpha_is_shown_as_its_softmax(folder: Path) -> None:
    record = read_record(folder)
    row = record.search[7]["alpha"]["reduce"][5]
    total = sum(exp(value) for value in row)
    shown = alpha_values(record.search)["reduce"][7][5]
    assert shown == pytest.approx([exp(value) / total for value in row], rel=1e-3)


def test_beta_is_shared_among_the_edges_into_one_node(folder: Path) -> None:
    record = read_record(folder).search[-1]
    weights, beta = beta_weights(record, "normal"), record["beta"]["normal"]
    # Edges 0-1 lead into node 2, 2-4 into 3, 5-8 into 4, 9-13 into 5.
    for start, end in ((0, 2), (2, 5), (5, 9), (9, 14)):
        total = sum(exp(value) for value in beta[start:end])
        assert weights[start:end] == pytest.approx([exp(value) / total for value in beta[start:end]])


def test_frozen_epochs_leave_gaps_and_no_zeros(folder: Path) -> None:
    record = read_record(folder)
    loss = next(figure for figure in search_curves(record.search) if figure.key == "search-loss")
    arch = next(trace for trace in loss.data if trace["name"] == "arch split")
    assert arch["y"][:3] == [None, None, None]
    assert None not in arch["y"][3:]
    rate = conflict_maps(record.search)[0].data[0]
    assert all(row[:3] == [None, None, None] and None not in row[3:] for row in rate["z"])


def test_conflicts_are_shown_before_and_after_only_where_gradients_are_projected(tmp_path: Path) -> None:
    projected = read_record(make_folder(tmp_path / "a", Made())).search
    plain = read_record(make_folder(tmp_path / "b", Made(projected=False))).search
    assert [len(figure.data) for figure in conflict_means(projected)] == [2, 2]
    assert [len(figure.data) for figure in conflict_means(plain)] == [1, 1]
    assert len(conflict_maps(projected)) == 4
    assert len(conflict_maps(plain)) == 2


def test_each_groups_conflict_rate_stands_in_its_own_row(folder: Path) -> None:
    record = read_record(folder)
    figure = next(f for f in conflict_maps(record.search) if f.key == "conflicts-conflict_rate-after")
    groups = record.search[8]["conflicts"]["groups"]
    rates = [group["conflict_rate_after"] for group in groups]
    assert [row[8] for row in figure.data[0]["z"]] == pytest.approx(rates, rel=1e-3)
    assert figure.layout["yaxis"]["ticktext"][0] == "normal, into 2"
    assert len(figure.data[0]["z"]) == len(groups) == 8


def test_the_mean_conflict_rate_is_that_of_the_groups(folder: Path) -> None:
    record = read_record(folder)
    before = conflict_means(record.search)[0].data[0]
    rates = [group["conflict_rate_before"] for group in record.search[6]["conflicts"]["groups"]]
    assert before["y"][6] == pytest.approx(sum(rates) / len(rates), rel=1e-4)
    assert before["x"][6] == 7


def test_a_confusion_matrix_prints_the_counts_of_results_json(folder: Path, results: dict) -> None:
    for figure, (name, entry) in zip(confusion_figures(read_record(folder)), results.items(), strict=True):
        assert figure.key == f"confusion-{name}"
        assert figure.data[0]["text"] == entry["confusion"]
        first = entry["confusion"][0]
        assert figure.data[0]["z"][0] == pytest.approx([n / sum(first) for n in first], abs=1e-3)


def test_a_class_without_test_images_has_no_share(folder: Path, results: dict) -> None:
    for entry in results.values():
        entry["confusion"][4] = [0] * 10
        entry["per_class"][4] = None
    (folder / "results.json").write_text(json.dumps(results))
    record = read_record(folder)
    assert confusion_figures(record)[0].data[0]["z"][4] == [None] * 10
    per_class = per_class_figure(record)
    assert per_class is not None
    assert per_class.data[0]["x"][-1] is None


def test_classes_that_look_like_numbers_or_share_a_name_keep_their_own_rows(tmp_path: Path) -> None:
    names = ("1", "1", "3", "2", "1e3", "x", "x", "", "08", "9")
    figure = confusion_figures(read_record(make_folder(tmp_path, Made(classes=names))))[0]
    assert figure.data[0]["y"] == list(range(10))
    assert figure.layout["yaxis"]["ticktext"] == list(names)


def test_plotly_cannot_read_markup_into_a_name() -> None:
    assert plot_text("<b>bold</b> & <a href='x'>y</a>").startswith("&lt;b&gt;bold&lt;/b&gt; &amp;")
    assert "<" not in plot_text("<a href='http://x'>y</a>")
    assert plot_text("two\nlines") == "two lines"
    assert len(plot_text("n" * 60)) == 24


def test_a_heat_map_fills_its_axes_even_where_it_is_empty() -> None:
    figure = heatmap(
        *("key", "title", [[None, None], [None, None], [None, None]]),
        rows=["a", "b", "c"],
        columns=["x", "y"],
        scale="@diverging",
        limits=(-1.0, 1.0),
        summary="",
        hover="",
    )
    assert figure.layout["xaxis"]["range"] == [0.5, 2.5]
    assert figure.layout["yaxis"]["range"] == [2.5, -0.5]


@pytest.mark.parametrize(
    ("values", "step"), [([0.07, None, 3.0], "D2"), ([1e-5, 0.0, 3.0], 1), ([None, 0.0], "D2")]
)
def test_a_logarithmic_axis_has_as_many_numbers_as_fit(values: list[float | None], step: str | int) -> None:
    assert log_axis("norm", [Series("a", "@arch", values)]).settings["dtick"] == step
