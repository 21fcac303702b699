"""The section Selection: a line a candidate, who went out when and why, who won."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import pytest

from edgewise.errors import RunError
from edgewise.report import ranked, write_report
from edgewise.report.record import read_record
from edgewise.report.selection import selection_figures, selection_sentences, selection_table
from edgewise.report.tables import NARROW
from edgewise.spaces import DARTS, random_genotype
from tests.report.factory import Made, make_folder, write_lines

HALVING = '\n[selection]\nrungs = 2\nkeep = 0.5\nepochs = 3\nearly = "loss"\nlast = "accuracy"\n'
CANDIDATES = (
    ("last", "last"),
    ("sampled 1", "sampled"),
    ("random 1", "random"),
    ("hand", "hand"),
    ("DARTS_V1", "published"),
)


def candidate(name: str, kind: str, number: int) -> dict[str, Any]:
    genotype = None if kind == "hand" else random_genotype(DARTS, random.Random(number)).to_dict()
    sizes = {"channels": 8, "layers": 5, "params": 30_000 + number, "macs": 1_000_000 + number, "ram": 9_000}
    return {"name": name, "kind": kind, "genotype": genotype, **sizes}


def line(name: str, rung: int, epoch: int, loss: float, **more: Any) -> dict[str, Any]:
    own = {"loss": loss, "accuracy": 0.5, "lr": 0.1, "grad_norm": 1.0}
    return {"phase": "select", "network": name, "rung": rung, "epoch": epoch, **own, **more}


def chosen(folder: Path, *, ended: bool = True, name: str = "sampled 1") -> Path:
    """A run that chose `name`: DARTS_V1 diverged, hand and random 1 went out after a rung, last after two."""
    make_folder(folder, Made(networks=("found", "searched", "random")))
    trace = [json.loads(text) for text in (folder / "trace.jsonl").read_text().splitlines()]
    losses = {"last": 1.0, name: 0.9, "random 1": 1.2, "hand": 1.5}
    first = [line(one, 0, 0, loss) for one, loss in losses.items()]
    diverged = {"phase": "select", "network": "DARTS_V1", "rung": 0, "epoch": 0, "diverged": "its loss is nan"}
    diverged["order"] = [name, "last", "random 1", "hand"]
    second = [
        line(one, 1, epoch, losses[one] / (epoch + 1), **({"arch_accuracy": accuracy} if epoch == 2 else {}))
        for one, accuracy in ((name, 0.75), ("last", 0.5))
        for epoch in (1, 2)
    ]
    second[-1]["order"] = [name, "last"]
    write_lines(folder / "trace.jsonl", [*trace, *first, diverged, *(second if ended else [])])
    selection: dict[str, Any] = {
        "candidates": [
            candidate(name if one == "sampled 1" else one, kind, i) for i, (one, kind) in enumerate(CANDIDATES)
        ],
        "unfit": {"random 2": "fits the budget at no size"},
    }
    if ended:
        epochs = {"last": 3, name: 3, "random 1": 1, "hand": 1, "DARTS_V1": 0}
        selection |= {
            "winner": name,
            "order": [name, "last"],
            "out": {
                "DARTS_V1": {"rung": 0, "place": None, "reason": "its loss is nan"},
                "hand": {"rung": 0, "place": 4, "reason": "place 4 of 4 by training loss"},
                "random 1": {"rung": 0, "place": 3, "reason": "place 3 of 4 by training loss"},
                "last": {"rung": 1, "place": 2, "reason": "place 2 of 2 by accuracy on the arch split"},
            },
            "epochs": epochs,
            "images": {one: 100 * n for one, n in epochs.items()},
            "seconds": {one: 2.0 * n for one, n in epochs.items()},
            "figures": {one: {"loss": loss} for one, loss in losses.items()}
            | {name: {"loss": 0.3, "accuracy": 0.75}, "last": {"loss": 0.33, "accuracy": 0.5}},
        }
        run = json.loads((folder / "run.json").read_text())
        (folder / "run.json").write_text(json.dumps(run | {"won": {"name": name, "kind": "sampled"}}))
    (folder / "selection.json").write_text(json.dumps(selection))
    (folder / "recipe.toml").write_text((folder / "recipe.toml").read_text() + HALVING)
    return folder


def test_a_run_without_a_selection_has_no_such_section(tmp_path: Path) -> None:
    folder = make_folder(tmp_path / "run", Made())
    record = read_record(folder)
    assert (selection_table(record), selection_figures(record), selection_sentences(record)) == (None, [], [])
    assert 'id="selection"' not in write_report(folder).read_text()


def test_the_table_has_a_row_a_candidate_the_winner_first_the_diverged_last(tmp_path: Path) -> None:
    table = selection_table(read_record(chosen(tmp_path / "run")))
    assert table is not None
    rows = [[cell.replace(NARROW, " ") for cell in row] for row in table.rows]
    assert [row[0] for row in rows] == [
        *("sampled 1 from the mixture", "the search's cells", "random 1", "hand-made residual"),
        "DARTS_V1 (published)",
    ]
    assert [row[1] for row in rows] == ["1", "2", "3", "4", "–"]
    assert rows[0][5:] == ["3", "300", "6.0 s", "0.3000", "75.00 %", "won"]
    assert rows[1][-1] == "rung 2, place 2"
    assert rows[4][-3:] == ["–", "–", "rung 1, its loss is nan"]


def test_each_candidate_has_a_line_each_rung_an_end_and_the_winner_a_star(tmp_path: Path) -> None:
    (figure,) = selection_figures(read_record(chosen(tmp_path / "run")))
    assert [len(line["x"]) for line in figure.data] == [3, 3, 1, 1]
    assert [line["marker"]["symbol"][-1] for line in figure.data] == ["x", "star", "x", "x"]
    assert [shape["x0"] for shape in figure.layout["shapes"]] == [1, 3]
    assert "sampled 1 from the mixture 0.3 after 3 epochs (won)" in figure.summary


def test_the_sentences_say_how_it_was_chosen_who_won_and_who_was_left_out(tmp_path: Path) -> None:
    first, second, third = selection_sentences(read_record(chosen(tmp_path / "run")))
    assert "at the end of each of 2 rungs, 50% of them, the best by training loss" in first
    assert second == "Sampled 1 from the mixture won, of 5 candidates."
    assert third == "random 2 was left out: fits the budget at no size"


def test_a_selection_that_has_not_ended_shows_its_curves(tmp_path: Path) -> None:
    folder = chosen(tmp_path / "run", ended=False)
    record = read_record(folder)
    assert selection_table(record) is None
    assert len(selection_figures(record)[0].data) == 4
    assert 'id="selection"' in write_report(folder).read_text()


def test_the_page_calls_the_networks_what_they_are(tmp_path: Path) -> None:
    page = write_report(chosen(tmp_path / "run")).read_text()
    assert "chosen: sampled 1 from the mixture" in page
    assert "the chosen network on" in page
    assert "The chosen network is" in page
    assert "the search&#39;s own cells" in page
    assert "best random candidate" in page


def test_markup_in_a_name_stays_text(tmp_path: Path) -> None:
    page = write_report(chosen(tmp_path / "run", name="<b>x</b>")).read_text()
    assert "<b>x</b>" not in page
    assert "&lt;b&gt;x&lt;/b&gt;" in page


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda s: s.pop("order"), "order missing"),
        (lambda s: s["out"].pop("hand"), "do not tell of all candidates"),
        (lambda s: s.update(winner="nobody"), "nobody"),
        (lambda s: s["candidates"][0]["genotype"].update(space="no such"), "damaged"),
        (lambda s: s.update(candidates=3), "candidates"),
    ],
)
def test_a_damaged_selection_is_told_with_its_place(change: Any, said: str, tmp_path: Path) -> None:
    folder = chosen(tmp_path / "run")
    selection = json.loads((folder / "selection.json").read_text())
    change(selection)
    (folder / "selection.json").write_text(json.dumps(selection))
    with pytest.raises(RunError, match=r"selection\.json") as error:
        write_report(folder)
    assert said in str(error.value)


def test_the_ranking_puts_those_that_stayed_longer_first(tmp_path: Path) -> None:
    selection = json.loads((chosen(tmp_path / "run") / "selection.json").read_text())
    assert [one["name"] for one in ranked(selection)] == ["sampled 1", "last", "random 1", "hand", "DARTS_V1"]


def test_who_went_out_in_a_later_rung_stands_before_who_went_out_earlier() -> None:
    selection = {
        "candidates": [{"name": name} for name in "abcd"],
        "order": ["c"],
        "out": {
            "a": {"rung": 0, "place": 4},
            "b": {"rung": 0, "place": None},
            "d": {"rung": 1, "place": 3},
        },
    }
    assert [one["name"] for one in ranked(selection)] == ["c", "d", "a", "b"]
