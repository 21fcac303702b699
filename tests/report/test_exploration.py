"""The page of a black-box search."""

from __future__ import annotations

import json
import random
from pathlib import Path

import pytest

from edgewise.errors import RunError
from edgewise.report import write_report
from edgewise.spaces import random_genotype, space
from edgewise.spaces.nb201 import from_string, to_string
from tests.report.reading import Page

STRINGS = (
    "|nor_conv_3x3~0|+|nor_conv_3x3~0|none~1|+|skip_connect~0|nor_conv_3x3~1|nor_conv_1x1~2|",
    "|skip_connect~0|+|nor_conv_1x1~0|none~1|+|skip_connect~0|none~1|none~2|",
)
SCORES = (0.5, 0.75, 0.5, 0.75, 0.5)
TRUTH = {"dataset": "cifar10", "arch": STRINGS[1], "test_accuracy": 0.9, "rank": 3, "of": 15625, "regret": 0.0123}


def explored(path: Path, *, genotypes=None, verdict: dict | None = None) -> Path:
    """A folder of five queries: the first genotype and the second in turn."""
    found = genotypes or [from_string(text) for text in (*STRINGS, *STRINGS, STRINGS[0])]
    path.mkdir()
    lines, best, best_query = [], 0.0, 0
    for query, (genotype, score) in enumerate(zip(found, SCORES, strict=True)):
        if score > best:
            best, best_query = score, query
        lines.append(
            {
                "phase": "explore",
                "query": query,
                "genotype": genotype.to_dict(),
                "score": score,
                "best": best,
                "best_query": best_query,
            }
        )
    (path / "trace.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    run = {"format": "edgewise.run/1", "status": "done", "command": "explore", "seed": 0, "device": "cpu"}
    (path / "run.json").write_text(json.dumps(run))
    (path / "recipe.toml").write_text(
        f'score = "train:1"\nspace = "{found[0].space}"\nqueries = 5\n[strategy]\nkind = "evolution"\n'
    )
    (path / "genotype.json").write_text(found[1].to_json())
    if verdict is not None:
        (path / "results.json").write_text(json.dumps(verdict))
    return path


VERDICT = {"strategy": "evolution", "queries": 5, "distinct": 2, "score": 0.75, "query": 1}


def test_the_title_names_the_best_score_and_its_query(tmp_path: Path) -> None:
    page = Page(write_report(explored(tmp_path / "run", verdict=VERDICT)).read_text())
    assert "75.00 %: the best score of 5 queries, query 2" in page.text
    assert "Strategy evolution on space nb201, scored by train:1" in page.text


def test_every_query_and_the_best_so_far_are_drawn(tmp_path: Path) -> None:
    page = Page(write_report(explored(tmp_path / "run", verdict=VERDICT)).read_text())
    points, best = page.data["figures"]["scores"]["data"]
    assert points["x"] == best["x"] == [1, 2, 3, 4, 5]
    assert points["y"] == list(SCORES)
    assert best["y"] == [0.5, 0.75, 0.75, 0.75, 0.75]


def test_the_table_of_the_best_holds_each_genotype_once_the_best_first(tmp_path: Path) -> None:
    page = Page(write_report(explored(tmp_path / "run", verdict=VERDICT)).read_text())
    rows = page.tables["best-table"][1:]
    assert [row[0] for row in rows] == ["2", "1"]
    assert [row[2] for row in rows] == [STRINGS[1], STRINGS[0]]


def test_the_best_cell_is_drawn_once(tmp_path: Path) -> None:
    page = Page(write_report(explored(tmp_path / "run", verdict=VERDICT)).read_text())
    assert page.count("svg", **{"class": "cell"}) == 1
    assert "best so far" in page.data["timeline"]["stops"][0]


def test_cells_of_other_spaces_are_written_edge_by_edge(tmp_path: Path) -> None:
    genotypes = [random_genotype(space("nasnet"), random.Random(seed)) for seed in range(5)]
    page = Page(write_report(explored(tmp_path / "run", genotypes=genotypes, verdict=VERDICT)).read_text())
    edge = genotypes[1].cells["normal"].connected[0]
    assert f"{edge.source}-{edge.primitive}->{edge.target}" in page.tables["best-table"][1][2]


def test_what_a_table_knows_of_the_best_is_shown_and_nothing_where_it_trained(tmp_path: Path) -> None:
    page = Page(write_report(explored(tmp_path / "a", verdict=VERDICT | {"truth": TRUTH})).read_text())
    values = dict(page.tables["truth-table"][1:])
    assert values["rank"] == "3 of 15,625"
    assert values["below the best"] == "1.23 points"
    assert "truth-table" not in Page(write_report(explored(tmp_path / "b", verdict=VERDICT)).read_text()).tables


def test_a_search_that_is_not_at_its_end_says_so(tmp_path: Path) -> None:
    page = Page(write_report(explored(tmp_path / "run")).read_text())
    assert "no result yet: the search is not at its end" in page.text


@pytest.mark.parametrize("key", ["score", "best_query", "genotype"])
def test_a_damaged_query_is_refused_with_its_line(tmp_path: Path, key: str) -> None:
    path = explored(tmp_path / "run", verdict=VERDICT)
    lines = [json.loads(line) for line in (path / "trace.jsonl").read_text().splitlines()]
    del lines[2][key]
    (path / "trace.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    with pytest.raises(RunError, match=rf"line 3: damaged: {key} missing"):
        write_report(path)


def test_strings_of_the_benchmark_come_back_as_they_were_written() -> None:
    assert [to_string(from_string(text)) for text in STRINGS] == list(STRINGS)
