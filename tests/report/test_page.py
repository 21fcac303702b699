from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from edgewise.report import write_report
from edgewise.spaces import PUBLISHED
from tests.report.factory import Made, make_folder
from tests.report.reading import Page

Write = Callable[[Made], Page]
SEARCH = {"alpha", "cosines", "beta", "search", "diagnostics", "conflicts"}
WHOLE = {"results", "cells", *SEARCH, "training", "test", "cost", "data"}
ALWAYS = {"settings", "versions", "citations"}
HOSTILE = (
    "</script><b>x</b>",
    "<img src=x onerror=alert(1)>",
    "\"quoted\" & 'single'",
    "{{ 7 * 7 }}",
    "<!--",
    "\u2028",
)


def test_a_whole_run_has_every_section(page_of: Write) -> None:
    page = page_of(Made())
    assert page.sections == WHOLE | ALWAYS
    linked = {a["href"] for tag, a in page.elements if tag == "a" and a["href"] != "#main"}
    assert linked == {f"#{section}" for section in page.sections}


@pytest.mark.parametrize(
    ("made", "absent", "said"),
    [
        (Made(beta=False, projected=False), {"beta"}, "no beta"),
        (Made(networks=()), {"results", "training", "test"}, "no training; no test results"),
        (Made(epochs=0, warm_up=0, networks=("found",)), SEARCH, "no search"),
        (
            Made(epochs=2, networks=(), status="running"),
            {"results", "conflicts", "cosines", "training", "test"},
            "epochs 3 to 50 of the search; no conflicts",
        ),
        (Made(networks=("found",), status="interrupted"), {"results", "test"}, "no test results yet"),
    ],
)
def test_sections_without_data_are_left_out_and_the_page_says_so(
    page_of: Write, made: Made, absent: set[str], said: str
) -> None:
    page = page_of(made)
    assert page.sections == (WHOLE | ALWAYS) - absent
    assert said in page.text


def test_a_run_that_has_only_begun_has_a_page(tmp_path: Path) -> None:
    (tmp_path / "run.json").write_text('{"format": "edgewise.run/1", "status": "running"}')
    page = Page(write_report(tmp_path).read_text())
    assert page.sections == {"versions"}
    assert "no epoch of a search yet" in page.text
    assert "plotly" not in page.source


def test_nothing_is_loaded_from_elsewhere(page_of: Write) -> None:
    page = page_of(Made())
    attributes = [(name, value or "") for _, found in page.elements for name, value in found.items()]
    loading = {name: value for name, value in attributes if name in ("src", "srcset", "data", "action", "poster")}
    assert loading == {}
    assert all(value.startswith("#") for name, value in attributes if name in ("href", "xlink:href"))
    assert page.count("link") == page.count("iframe") == page.count("base") == 0
    styles = "".join(re.findall(r"<style>(.*?)</style>", page.source, re.S))
    assert "url(" not in styles
    assert "@import" not in styles


def test_the_browser_is_told_to_load_nothing(page_of: Write) -> None:
    metas = [a for tag, a in page_of(Made()).elements if tag == "meta"]
    policy = next(str(a["content"]) for a in metas if a.get("http-equiv") == "Content-Security-Policy")
    assert policy.startswith("default-src 'none';")
    assert "http" not in policy


def test_class_names_are_text_wherever_they_stand(page_of: Write) -> None:
    names = (*HOSTILE, "a", "b", "c", "d")
    page = page_of(Made(classes=names))
    assert len(page.scripts) == 3
    assert page.count("b") == page.count("img") == 0
    rows = page.tables["per-class-table"][1:]
    # What can't be seen is spelt out.
    assert [row[0] for row in rows] == [name.replace("\u2028", "\\u2028") for name in names]
    ticks = page.data["figures"]["confusion-found"]["layout"]["yaxis"]["ticktext"]
    assert all("<" not in tick for tick in ticks)
    assert ticks[0] == "&lt;/script&gt;&lt;b&gt;x&lt;/b&gt;"


def test_everything_a_user_can_name_is_escaped(tmp_path: Path) -> None:
    folder = make_folder(tmp_path, Made())
    hostile = "</script><b id=planted>x</b>"
    run = json.loads((folder / "run.json").read_text())
    run |= {
        "device_name": hostile,
        "command": hostile,
        "citations": [hostile],
        "status": "failed",
        "error": hostile,
    }
    run["data"] |= {"source": hostile, "notes": [hostile], "bad_files": [hostile]}
    (folder / "run.json").write_text(json.dumps(run))
    (folder / "recipe.toml").write_text(f'name = "{hostile}"\n')
    page = Page(write_report(folder).read_text())
    assert page.count("b") == 0
    assert len(page.scripts) == 3
    assert page.text.count(hostile) >= 8


@pytest.mark.parametrize("classes", [10, 100])
def test_the_numbers_shown_are_those_of_results_json(tmp_path: Path, classes: int) -> None:
    folder = make_folder(tmp_path, Made(classes=tuple(f"c{i}" for i in range(classes))))
    results = json.loads((folder / "results.json").read_text())
    page = Page(write_report(folder).read_text())
    heads, *rows = page.tables["results-table"]
    for row, entry in zip(rows, results.values(), strict=True):
        shown = dict(zip(heads, row, strict=True))
        assert shown["test accuracy"] == f"{100 * entry['top1']:.2f} %"
        assert shown["test images"] == f"{entry['test_images']:,}"
        assert shown["parameters"].replace(",", "") == str(entry["params"])
        assert shown["multiply-adds"].replace(",", "") == str(entry["macs"])
        assert shown["test loss"] == f"{entry['loss']:.4f}"
        for cell, head in (("normal", "normal cell"), ("reduce", "reduction cell")):
            figures = [int(n) for n in re.findall(r"\d+", shown[head])]
            keys = ("skips", "pools", "parametrised", "depth")
            assert figures == ([entry["cells"][cell][key] for key in keys] if entry["cells"] else [])
    assert f"{100 * results['found']['top1']:.2f} % of" in page.text
    for i, row in enumerate(page.tables["per-class-table"][1:]):
        assert row[2:] == [f"{100 * entry['per_class'][i]:.2f} %" for entry in results.values()]


def test_the_cost_shown_is_that_of_the_run(folder: Path) -> None:
    run = json.loads((folder / "run.json").read_text())
    rows = {row[0]: row for row in Page(write_report(folder).read_text()).tables["cost-table"][1:]}
    assert rows["search"][1] == f"{run['phases']['search']['seconds']:.1f} s"
    assert rows["search"][2] == "12"
    assert rows["search"][4] == f"{run['phases']['search']['peak_memory_bytes'] / 1e6:,.1f} MB"
    assert list(rows) == ["search", "training, found", "training, random", "training, hand-made", "all"]


def test_the_recipe_stands_on_the_page_word_for_word(folder: Path) -> None:
    page = Page(write_report(folder).read_text())
    assert (folder / "recipe.toml").read_text() in page.texts


def test_one_slider_reaches_every_epoch_and_starts_at_the_last(page_of: Write) -> None:
    page = page_of(Made())
    sliders = [a for tag, a in page.elements if tag == "input"]
    assert [(a["type"], a["min"], a["max"], a["value"]) for a in sliders] == [("range", "0", "11", "11")]
    assert page.count("label", **{"for": "epoch"}) == 1
    assert len(page.data["timeline"]["stops"]) == 12


def test_without_script_the_last_epochs_drawings_are_the_ones_that_show(page_of: Write) -> None:
    page = page_of(Made())
    shown = [a for tag, a in page.elements if tag == "div" and "data-picture" in a and "hidden" not in a]
    cells = page.data["timeline"]["cells"]
    assert {a["data-cell"]: int(a["data-picture"] or -1) for a in shown} == {
        cell: entry["at"][-1] for cell, entry in cells.items()
    }
    assert len(shown) == 2


def test_given_cells_are_drawn_without_a_slider(tmp_path: Path) -> None:
    folder = make_folder(tmp_path, Made(epochs=0, warm_up=0, networks=("found",)))
    (folder / "genotype.json").write_text(PUBLISHED["PDARTS"].to_json())
    page = Page(write_report(folder).read_text())
    assert page.count("input") == 0
    assert page.count("svg") == 2
    assert "4 to 5: dil_conv_5x5" in page.text


@pytest.mark.parametrize("given", ["PDARTS", "<b>cells</b>.txt", None])
def test_a_page_never_calls_found_what_the_run_was_given(given: str | None, tmp_path: Path) -> None:
    folder = make_folder(tmp_path, Made(epochs=0, warm_up=0, networks=("found",)))
    run = json.loads((folder / "run.json").read_text())
    (folder / "run.json").write_text(json.dumps(run | ({"given": given} if given else {})))
    page = Page(write_report(folder).read_text())
    called = f"{given} (given)" if given else "given cells"
    assert called in page.text
    assert f"the given cells{f' ({given})' if given else ''} on digits" in page.text
    assert "training, given" in page.text
    assert not re.search(r"\bfound\b", page.text)
    names = {trace.get("name") for figure in page.data["figures"].values() for trace in figure["data"]}
    assert "found" not in names
    assert "given" in names


def test_every_plot_has_a_figure_and_words_for_those_who_cannot_see_it(page_of: Write) -> None:
    page = page_of(Made())
    plots = [a for tag, a in page.elements if tag == "div" and "data-figure" in a]
    assert {a["data-figure"] for a in plots} == set(page.data["figures"])
    assert all(a["role"] == "img" and a["aria-label"] for a in plots)
    svgs = [i for i, (tag, _) in enumerate(page.elements) if tag == "svg"]
    assert all(page.elements[i + 1][0] == "title" for i in svgs)


def test_a_report_replaces_the_one_before_and_leaves_nothing_else(folder: Path) -> None:
    before = {entry.name for entry in folder.iterdir()}
    assert write_report(folder) == folder / "report.html"
    write_report(folder)
    assert {entry.name for entry in folder.iterdir()} == before | {"report.html"}


def test_the_same_folder_gives_the_same_page(folder: Path) -> None:
    assert write_report(folder).read_bytes() == write_report(folder).read_bytes()


def test_a_search_of_fifty_epochs_fits_into_six_megabytes(tmp_path: Path) -> None:
    folder = make_folder(tmp_path, Made(epochs=50, warm_up=0, train_epochs=100))
    assert write_report(folder).stat().st_size < 6_000_000
