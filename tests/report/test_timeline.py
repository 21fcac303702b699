from __future__ import annotations

import json
from pathlib import Path

from edgewise.report import draw_cell
from edgewise.report.record import read_record
from edgewise.report.timeline import cell_title, make_timeline
from edgewise.spaces import PUBLISHED
from tests.report.factory import Made, make_folder, write_lines


def repeat_last_genotype(folder: Path, epochs: int) -> list[dict]:
    """Gives the last epochs of a trace the last one's genotype; returns the trace."""
    lines = [json.loads(line) for line in (folder / "trace.jsonl").read_text().splitlines()]
    search = [line for line in lines if line["phase"] == "search"]
    for line in search[-epochs:]:
        line["genotype"] = search[-1]["genotype"]
    write_lines(folder / "trace.jsonl", lines)
    return search


def test_every_stop_shows_the_drawing_of_its_own_epoch(folder: Path) -> None:
    search = repeat_last_genotype(folder, 3)
    timeline = make_timeline(read_record(folder))
    assert timeline is not None
    for drawings in timeline.cells:
        for stop, record in enumerate(search):
            cell = record["genotype"]["cells"][drawings.cell]
            assert drawings.pictures[drawings.at_stop[stop]] == draw_cell(cell, title=cell_title(drawings.cell))


def test_a_cell_that_repeats_is_kept_once(folder: Path) -> None:
    repeat_last_genotype(folder, 9)
    timeline = make_timeline(read_record(folder))
    assert timeline is not None
    for drawings in timeline.cells:
        assert len(set(drawings.at_stop[-9:])) == 1
        assert len(set(drawings.pictures)) == len(drawings.pictures) == len(set(drawings.at_stop))


def test_the_last_epoch_is_the_derived_one_where_their_cells_agree(folder: Path) -> None:
    timeline = make_timeline(read_record(folder))
    assert timeline is not None
    assert timeline.stops[0] == "epoch 1"
    assert timeline.stops[-1] == "epoch 12, derived"
    assert len(timeline.stops) == 12


def test_derived_cells_of_no_last_epoch_get_a_stop_of_their_own(folder: Path) -> None:
    (folder / "genotype.json").write_text(PUBLISHED["PDARTS"].to_json())
    timeline = make_timeline(read_record(folder))
    assert timeline is not None
    assert timeline.stops[-2:] == ("epoch 12", "derived")
    assert timeline.epochs[-2:] == (11, 11)
    expected = draw_cell(PUBLISHED["PDARTS"].to_dict()["cells"]["normal"], title="Normal cell")
    assert timeline.cells[0].pictures[timeline.cells[0].at_stop[-1]] == expected


def test_the_marked_squares_of_alpha_are_the_edges_of_the_epochs_genotype(folder: Path) -> None:
    timeline = make_timeline(read_record(folder))
    assert timeline is not None
    from edgewise.spaces import DARTS

    first = read_record(folder).search[0]["genotype"]["cells"]["normal"]["edges"]
    marked = [
        (*DARTS.topology.edges[row], DARTS.primitives[column]) for row, column in timeline.cells[0].chosen[0]
    ]
    assert marked == [(edge["source"], edge["target"], edge["primitive"]) for edge in first]


def test_a_training_alone_has_one_stop(tmp_path: Path) -> None:
    timeline = make_timeline(read_record(make_folder(tmp_path, Made(epochs=0, warm_up=0, networks=("found",)))))
    assert timeline is not None
    assert timeline.stops == ("given",)
