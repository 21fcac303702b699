"""The shipped studies: the thesis's figures as they stand there, each with its source; every scale fits."""

from __future__ import annotations

from pathlib import Path

import pytest

from edgewise.errors import ConfigError
from edgewise.pipeline import resolve
from edgewise.study import make_cells, plan_runs
from edgewise.study.shipped import find_spec, shipped_names

NAMES = ("table-2.1", "table-4.1", "table-4.2", "table-4.3")
# Row by row: top-1 error in percent, GPU days, millions of parameters.
FAMILY = [(3.00, 1.5, 3.3), (2.76, 4, 3.3), (2.82, 0.17, 2.5), (2.50, 0.3, 3.4), (2.57, 0.1, 3.6)]
THESIS = {
    "table-2.1": FAMILY,
    "table-4.1": [
        *[(17.2, None, 4.16), (17.5, None, 4.08), (16.2, None, 4.42), (17.41, None, 4.27), (17.62, None, 3.95)],
        *[(16.69, None, 4.25), (17.26, 0.1, 3.1)],
    ],
    "table-4.2": [(18.13, 0.17, 2.5), (15.92, 0.3, 3.6), (17.26, 0.1, 3.1), (16.2, 0.15, 4.42)],
    "table-4.3": [*FAMILY, (2.48, 0.14, 3.9)],
}


def test_the_shipped_studies_are_the_tables_of_the_thesis() -> None:
    assert tuple(shipped_names()) == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_the_published_figures_are_those_of_the_thesis_each_with_its_source(name: str) -> None:
    rows = find_spec(name).published
    assert [(row.error, row.gpu_days, row.params) for row in rows] == THESIS[name]
    table = name.removeprefix("table-")
    for row in rows:
        assert f"Table {table}" in row.source or row.note == "a row of Table 4.2"
        assert "own measurement" in row.source or "arXiv" in row.source
        assert row.method


@pytest.mark.parametrize("scale", ["tiny", "small", "paper"])
@pytest.mark.parametrize("name", NAMES)
def test_every_scale_fits_and_has_at_least_three_seeds(name: str, scale: str) -> None:
    spec = find_spec(name, scale=scale)
    cells = make_cells(spec)
    assert len({run.name for run in plan_runs(spec, cells)}) == len(cells) * len(spec.seeds) >= 3 * len(cells)
    assert spec.scale == spec.preset == scale


@pytest.mark.parametrize("name", NAMES)
def test_the_scale_paper_has_the_settings_of_the_recipes(name: str) -> None:
    for cell in make_cells(find_spec(name, scale="paper")):
        paper = resolve(cell.settings.name, preset="paper").search
        assert cell.settings.search == paper
        assert (cell.settings.train.epochs, cell.settings.train.channels, cell.settings.train.layers) == (
            600,
            36,
            20,
        )
        assert cell.settings.data.train_images is None


def test_table_4_1_is_the_six_projections_and_none() -> None:
    cells = make_cells(find_spec("table-4.1"))
    found = [
        cell.settings.projection and (cell.settings.projection.direction, cell.settings.projection.order)
        for cell in cells
    ]
    orders = ("shortest_to_longest", "longest_to_shortest", "random")
    assert found == [None, *((direction, order) for direction in ("in", "out") for order in orders)]
    assert all(cell.settings.channels is not None and cell.settings.channels.k == 4 for cell in cells)


def test_table_4_2_drops_skips_as_p_darts_does_on_cifar100() -> None:
    (cell,) = (c for c in make_cells(find_spec("table-4.2", scale="paper")) if c.settings.name == "p-darts")
    assert cell.settings.skip_dropout is not None
    assert cell.settings.skip_dropout.rates == (0.1, 0.2, 0.3)


def test_table_4_3_has_five_runs_at_every_scale() -> None:
    assert {len(find_spec("table-4.3", scale=scale).seeds) for scale in ("tiny", "small", "paper")} == {5}


def test_a_folder_of_data_sets_stands_for_the_one_of_that_name(tmp_path: Path) -> None:
    (tmp_path / "cifar100").mkdir()
    assert find_spec("table-4.1", data=str(tmp_path)).data == (str(tmp_path / "cifar100"),)
    assert find_spec("table-4.3", data=str(tmp_path)).data == (str(tmp_path),)


def test_an_unknown_study_is_refused_with_the_nearest_name() -> None:
    with pytest.raises(ConfigError, match=r"'table-4.4'.*allowed: table-2.1"):
        find_spec("table-4.4")
