"""What a study prints and writes: figures by hand, two columns for two numbers, sources of published ones."""

from __future__ import annotations

import csv
import re
from collections.abc import Sequence
from html.parser import HTMLParser
from io import StringIO
from pathlib import Path
from typing import Any

import pytest

from edgewise.errors import RunError
from edgewise.runtime.interrupt import Interrupted
from edgewise.study import conduct, write_summary
from edgewise.study.summary import print_tables
from edgewise.study.table import Entry, Table, latex, to_csv
from tests.study.factory import FakePipeline, Lines, spec

ACCURACY = {
    **{("pc-darts", 0): 0.60, ("pc-darts", 1): 0.64, ("pc-darts", 2): 0.65},
    **{("pc-darts-gp", 0): 0.70, ("pc-darts-gp", 1): 0.72, ("pc-darts-gp", 2): 0.77},
}
PUBLISHED = [
    {"row": "PC-DARTS <b>", "method": "pc-darts", "error": 17.26, "params": 3.1, "source": "Table 4.2"},
    {"row": "P-DARTS", "error": 15.92, "gpu_days": 0.3, "source": "Table 4.2, cited", "note": "not run here"},
]


@pytest.fixture
def three(fake: FakePipeline) -> FakePipeline:
    """Three seeds of two methods."""
    fake.accuracy = ACCURACY
    return fake


def columns(table: Table, *heads: str) -> list[list[str]]:
    found = [next(i for i, head in enumerate(table.heads) if text in head) for text in heads]
    return [[row[i].text for i in found] for row in table.rows]


def read_csv(path: Path) -> list[dict[str, str]]:
    return list(csv.DictReader(StringIO(path.read_text())))


def test_the_summary_is_that_of_a_pencil(three: FakePipeline, tmp_path: Path) -> None:
    tables, _ = write_summary(conduct(spec(seeds=[0, 1, 2]), tmp_path))
    # Errors 40, 36, 35: mean 37, deviation sqrt((9 + 1 + 4) / 2); 30, 28, 23: mean 27, sqrt((9 + 1 + 16) / 2).
    assert columns(tables.summary, "method", "searches", "mean over searches", "median") == [
        ["pc-darts", "3 of 3", "37.00 ± 2.65", "36.00"],
        ["pc-darts-gp", "3 of 3", "27.00 ± 3.61", "28.00"],
    ]
    assert columns(tables.summary, "interval", "parameters") == [
        ["35.00 to 40.00", "1.000"],
        ["23.00 to 30.00", "1.000"],
    ]


def test_best_retrained_is_a_column_of_its_own_and_a_dash_without_retraining(
    three: FakePipeline, tmp_path: Path
) -> None:
    tables, _ = write_summary(conduct(spec(seeds=[0, 1, 2]), tmp_path / "a"))
    assert columns(tables.summary, "best, retrained") == [["-"], ["-"]]
    three.accuracy = ACCURACY | {("pc-darts", 10000): 0.8, ("pc-darts", 10001): 0.9}
    study = conduct(spec(seeds=[0, 1, 2], retrain_best=2), tmp_path / "b")
    tables, _ = write_summary(study)
    assert columns(tables.summary, "best, retrained")[0] == ["15.00 ± 7.07 (n = 2, search of seed 0)"]
    # The retrained ones are no searches.
    assert columns(tables.summary, "mean over searches")[0] == ["37.00 ± 2.65"]


def test_the_paired_test_has_its_sign_its_n_and_its_warning(three: FakePipeline, tmp_path: Path) -> None:
    tables, _ = write_summary(conduct(spec(seeds=[0, 1, 2], baseline="pc-darts"), tmp_path))
    assert tables.tests is not None
    # Error of pc-darts-gp minus pc-darts: -10, -8, -12.
    assert columns(tables.tests, "first", "second", "common", "difference", "Wilcoxon p") == [
        ["pc-darts-gp", "pc-darts", "3", "-10.00", "0.2500"]
    ]
    assert any("can't be below 0.25" in note for note in tables.tests.notes)
    (row,) = read_csv(tmp_path / "tests.csv")
    assert float(row["difference"]) == pytest.approx(0.10)
    # t = 10 / (2 / sqrt(3)), 2 degrees of freedom.
    t = 10 / (2 / 3**0.5)
    assert float(row["t_p"]) == pytest.approx(1 - t / (t * t + 2) ** 0.5)


def test_without_a_baseline_every_pair_is_tested_and_corrected_for(fake: FakePipeline, tmp_path: Path) -> None:
    fake.accuracy = {(m, s): 0.5 + 0.1 * i + 0.01 * s * (i + 1) for i, m in enumerate("abc") for s in range(3)}
    variants = [{"name": name, "recipe": "darts", "sets": []} for name in "abc"]
    study = conduct(spec(methods=["a", "b", "c"], variants=variants, seeds=[0, 1, 2]), tmp_path)
    tests = study.results().tests
    assert [(test.first, test.second) for test in tests] == [("a", "b"), ("a", "c"), ("b", "c")]
    assert [test.wilcoxon for test in tests] == pytest.approx([0.25] * 3)
    assert [test.wilcoxon_holm for test in tests] == pytest.approx([0.75] * 3)


def test_results_on_different_images_are_never_paired(three: FakePipeline, tmp_path: Path) -> None:
    study = conduct(spec(methods=["pc-darts"], data=["digits", "cifar10"]), tmp_path)
    assert study.results().tests == ()
    tables, _ = write_summary(study)
    assert columns(tables.summary, "method") == [["pc-darts (digits)"], ["pc-darts (cifar10)"]]


def test_a_study_of_searches_shows_the_arch_split_and_no_test(fake: FakePipeline, tmp_path: Path) -> None:
    fake.arch = {("pc-darts", 0): 0.30, ("pc-darts", 1): 0.40}
    tables, _ = write_summary(conduct(spec(command="search"), tmp_path))
    assert columns(tables.summary, "arch split, %")[0] == ["35.00 ± 7.07"]
    assert not any("test error" in head and "retrained" not in head for head in tables.summary.heads)


def test_published_figures_stand_beside_ours_with_their_source_and_a_warning(
    three: FakePipeline, tmp_path: Path
) -> None:
    study = conduct(spec(seeds=[0, 1, 2], published=PUBLISHED, claims=["One run a row."]), tmp_path)
    tables, _ = write_summary(study)
    assert tables.published is not None
    assert columns(tables.published, "row", "error", "parameters", "GPU", "mean over", "best, re", "source") == [
        ["PC-DARTS <b>", "17.26", "3.10", "-", "37.00 ± 2.65 (n = 3)", "-", "Table 4.2"],
        ["P-DARTS (not run here)", "15.92", "-", "0.30", "-", "-", "Table 4.2, cited"],
    ]
    notes = " ".join(tables.published.notes)
    assert "search.epochs 2 instead of 50" in notes
    assert "train.channels 8 instead of 36" in notes
    assert "neither errors nor numbers of parameters nor search costs can be compared" in notes
    assert "One run a row." in notes


def test_at_paper_scale_only_search_costs_are_said_to_be_beyond_comparison(
    three: FakePipeline, tmp_path: Path
) -> None:
    study = conduct(spec(published=PUBLISHED, preset="paper", base=["compare=[]"], data=["cifar10"]), tmp_path)
    tables, _ = write_summary(study)
    assert tables.published is not None
    assert [note for note in tables.published.notes if "instead of" in note] == []
    assert any("search costs can't" in note for note in tables.published.notes)


def test_csv_keeps_all_digits_as_shares(three: FakePipeline, tmp_path: Path) -> None:
    write_summary(conduct(spec(seeds=[0, 1, 2], retrain_best=1), tmp_path))
    first, second = read_csv(tmp_path / "summary.csv")
    assert (first["method"], first["n"], first["planned"], first["metric"]) == (
        "pc-darts",
        "3",
        "3",
        "test_accuracy",
    )
    assert float(first["mean"]) == pytest.approx(0.63)
    assert float(second["sd"]) == pytest.approx(0.0360555)
    runs = read_csv(tmp_path / "runs.csv")
    assert [float(run["test_accuracy"]) for run in runs if run["kind"] == "search"] == list(ACCURACY.values())
    assert sum(run["kind"] == "retrained" for run in runs) == 2


def test_latex_spells_out_what_it_would_read_itself(three: FakePipeline, tmp_path: Path) -> None:
    write_summary(conduct(spec(seeds=[0, 1, 2]), tmp_path))
    text = (tmp_path / "summary.tex").read_text()
    assert "pc-darts & 3 of 3 & 37.00 $\\pm$ 2.65 & 36.00" in text
    assert re.findall(r"(?<!\\)%", text) == []
    for begin, end in (("{tabular}", "{tabular}"), ("{table}", "{table}")):
        assert text.count(f"\\begin{begin}") == text.count(f"\\end{end}") == 2
    assert latex("a_b & 5 % {x} \\") == r"a\_b \& 5 \% \{x\} \textbackslash{}"


def test_the_terminal_shows_summary_and_tests_with_their_notes(three: FakePipeline, tmp_path: Path) -> None:
    tables, _ = write_summary(conduct(spec(seeds=[0, 1, 2]), tmp_path))
    lines = Lines()
    print_tables(tables, lines)
    assert [title for title, _, _ in lines.tables] == ["Summary", "Paired tests over common seeds"]
    assert any("scipy's bootstrap" in line for line in lines.lines)


class Page(HTMLParser):
    """Links, tables and elements of a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.loads: list[str] = []
        self.links: list[str] = []
        self.tags: list[str] = []
        self.ids: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: Sequence[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        for name, value in attrs:
            if name in ("src", "srcset", "poster") or (tag == "link" and name == "href"):
                self.loads.append(value or "")
            elif name == "href":
                self.links.append(value or "")
            elif name == "id":
                self.ids.append(value or "")


def page_of(study: Any) -> tuple[str, Page]:
    text = write_summary(study)[1].read_text()
    return text, Page(text)


def test_the_page_loads_nothing_and_leads_to_every_run(three: FakePipeline, tmp_path: Path) -> None:
    _, page = page_of(conduct(spec(seeds=[0, 1, 2], published=PUBLISHED), tmp_path))
    assert page.loads == []
    runs = [link for link in page.links if not link.startswith("#")]
    assert len(runs) == 6
    assert all((tmp_path / link).is_file() for link in runs)
    assert {link[1:] for link in page.links if link.startswith("#")} <= set(page.ids)
    assert page.tags.count("table") == 4


def test_the_page_takes_names_as_text(three: FakePipeline, tmp_path: Path) -> None:
    text, page = page_of(conduct(spec(title="<script>x</script>", published=PUBLISHED), tmp_path))
    assert "<script>x" not in text
    assert "PC-DARTS &lt;b&gt;" in text
    assert "b" not in page.tags


def test_the_page_says_what_is_missing(three: FakePipeline, tmp_path: Path) -> None:
    three.fails = {("pc-darts-gp", 1): RunError("the loss is nan")}
    text, _ = page_of(conduct(spec(), tmp_path))
    assert "pc-darts-gp/seed1: failed: the loss is nan" in text
    assert "1 of 2" in text


def test_a_study_without_a_finished_run_still_has_its_page(fake: FakePipeline, tmp_path: Path) -> None:
    from edgewise.study import read_study

    fake.stops.add(("pc-darts", 0))
    with pytest.raises(Interrupted):
        conduct(spec(), tmp_path)
    text, page = page_of(read_study(tmp_path))
    assert "4 runs are not finished" in text
    assert "plots" not in page.ids


def test_a_table_without_numbers_is_still_a_table() -> None:
    table = Table("x", "X", ["a", "b"], [[Entry("1"), Entry("-")]])
    assert table.to_latex().splitlines()[-4:-2] == [r"1 & - \\", r"\bottomrule"]


@pytest.mark.parametrize("text", ["=1+1", "+cmd|' /C calc'!A0", "-2+3", "@SUM(A1)", " =1+1", "\t=1+1"])
def test_no_entry_of_a_csv_file_is_taken_for_a_formula(text: str) -> None:
    (entry,) = list(csv.reader(StringIO(to_csv(["name"], [[text]]))))[1]
    assert entry.startswith("'") or entry.startswith("\\t")


def test_numbers_dashes_and_plain_names_stay_as_they_are_in_csv() -> None:
    row = [-0.5, "-", "pc-darts", None, "a=b"]
    assert list(csv.reader(StringIO(to_csv(["a"] * 5, [row]))))[1] == ["-0.5", "-", "pc-darts", "", "a=b"]


def test_control_characters_reach_neither_csv_nor_latex() -> None:
    assert to_csv(["name"], [["a\x1b[2J\nb\u202e"]]).splitlines()[1] == "a\\x1b[2J\\nb\\u202e"
    assert latex("a\x1bb") == "a\\textbackslash{}x1bb"


def test_it_is_counted_which_kind_of_candidate_won(three: FakePipeline, tmp_path: Path) -> None:
    three.won = {
        ("pc-darts", 0): ("random 3", "random"),
        ("pc-darts", 1): ("random 1", "random"),
        ("pc-darts", 2): ("last", "last"),
        ("pc-darts-gp", 0): ("resnet8", "hand"),
    }
    tables, page = write_summary(conduct(spec(seeds=[0, 1, 2]), tmp_path))
    assert tables.selections is not None
    assert columns(tables.selections, "method", "selections", "search", "random", "by hand", "time") == [
        ["pc-darts", "3", "1", "2", "0", "4 s"],
        ["pc-darts-gp", "1", "0", "0", "1", "3 s"],
    ]
    assert "Won by" in page.read_text()
    assert "Won by" in (tmp_path / "summary.tex").read_text()
    rows = read_csv(tmp_path / "runs.csv")
    assert {(row["won"], row["won_kind"], row["select_seconds"]) for row in rows if row["seed"] == "0"} == {
        ("random 3", "random", "3.0"),
        ("resnet8", "hand", "3.0"),
    }
    lines = Lines()
    print_tables(tables, lines)  # type: ignore[arg-type]
    assert "Won by" in [title for title, _, _ in lines.tables]


def test_without_selections_nobody_won(three: FakePipeline, tmp_path: Path) -> None:
    tables, _ = write_summary(conduct(spec(seeds=[0]), tmp_path))
    assert tables.selections is None
    assert {row["won"] for row in read_csv(tmp_path / "runs.csv")} == {""}
