"""From a study to its runs: the whole product, each with its own settings and folder."""

from __future__ import annotations

from pathlib import Path

import pytest

from edgewise.errors import ConfigError
from edgewise.selection import Halving
from edgewise.study import make_cells, plan_runs
from tests.study.factory import spec


def names(**changes: object) -> list[str]:
    study = spec(**changes)
    return [run.name for run in plan_runs(study, make_cells(study))]


def test_every_combination_is_a_run_and_the_first_seed_comes_first() -> None:
    assert names() == ["pc-darts/seed0", "pc-darts-gp/seed0", "pc-darts/seed1", "pc-darts-gp/seed1"]


def test_spaces_data_and_grid_are_in_the_name_of_a_run_where_there_are_several() -> None:
    found = names(
        methods=["darts"],
        seeds=[4],
        spaces=["darts", "s2"],
        data=["digits", "data/x"],
        grid={"arch.lr": [0.1, 0.2]},
    )
    assert len(found) == len(set(found)) == 8
    assert found[-1] == "darts/s2-x-arch.lr=0.2-seed4"


def test_a_run_has_the_settings_of_its_cell_and_no_other() -> None:
    cells = make_cells(
        spec(spaces=["darts", "s3"], grid={"arch.lr": [0.25, 0.5], "projection.order": ["random", "symmetric"]})
    )
    assert len(cells) == 16
    for cell in cells:
        settings, grid = cell.settings, dict(cell.grid)
        assert settings.projection is not None
        assert (settings.arch.lr, settings.projection.order) == (grid["arch.lr"], grid["projection.order"])
        assert (settings.name, settings.space) == (cell.method, cell.space)
        assert settings.search.epochs == 2


def test_a_variant_is_its_recipe_with_its_changes() -> None:
    variants = [
        {"name": "out", "recipe": "pc-darts-gp", "sets": ["projection.direction=out"], "title": "Edge-Out"}
    ]
    (cell,) = make_cells(spec(methods=["out"], variants=variants))
    assert cell.settings.projection is not None
    assert (cell.settings.projection.direction, cell.folder, cell.label()) == ("out", "out", "Edge-Out")


def test_the_grid_wins_over_the_variant_and_the_variant_over_the_base() -> None:
    variants = [{"name": "v", "recipe": "darts", "sets": ["arch.lr=0.2", "weights.lr=0.2"]}]
    (cell,) = make_cells(
        spec(methods=["v"], variants=variants, base=["arch.lr=0.1", "weights.lr=0.1", "train.lr=0.1"],
             grid={"arch.lr": [0.3]})
    )  # fmt: skip
    assert (cell.settings.arch.lr, cell.settings.weights.lr, cell.settings.train.lr) == (0.3, 0.2, 0.1)


def test_all_faults_of_all_cells_are_told_at_once_with_the_place() -> None:
    with pytest.raises(ConfigError) as caught:
        make_cells(spec(base=["search.epoch=3"], grid={"search.channels": [6, 8]}))
    assert "search.epoch is an unknown setting" in str(caught.value)
    with pytest.raises(ConfigError) as caught:
        make_cells(spec(base=[], grid={"search.channels": [6, 10]}))
    for value in (6, 10):
        assert f"pc-darts, search.channels = {value}" in str(caught.value)


def test_a_fingerprint_tells_settings_seeds_and_commands_apart() -> None:
    def prints(**changes: object) -> list[str]:
        study = spec(**changes)
        return [run.fingerprint() for run in plan_runs(study, make_cells(study))]

    assert len({*prints(), *prints(command="search"), *prints(base=["search.epochs=4"])}) == 12
    assert prints() == prints(seeds=[0, 1], title="another title")


def test_two_sources_whose_names_look_alike_in_a_path_are_refused() -> None:
    with pytest.raises(ConfigError, match="share the folder"):
        make_cells(spec(data=["a/x", "b/x"]))


def test_a_long_name_is_cut_and_stays_its_own() -> None:
    grid = {
        f"train.{name}": [0.1, 0.2]
        for name in ("lr", "momentum", "weight_decay", "clip", "auxiliary", "drop_path")
    }
    found = names(methods=["darts"], seeds=[0], grid=grid)
    assert len(set(found)) == 64
    assert max(map(len, found)) < 120


def test_the_epochs_of_a_run_are_those_of_its_phases() -> None:
    study = spec(base=["search.epochs=3", "warm_up.epochs=1", "train.epochs=5", 'compare=["random"]'])
    assert plan_runs(study, make_cells(study))[0].epochs() == 3 + 2 * 5
    searches = spec(command="search", base=["search.epochs=3", "warm_up.epochs=0"])
    assert plan_runs(searches, make_cells(searches))[0].epochs() == 3


def test_a_budget_of_a_study_is_that_of_all_its_methods_and_can_be_varied() -> None:
    cells = make_cells(spec(base=["budget.ram=20kB", "budget.int8=true"], grid={"budget.params": ["9k", "18k"]}))
    assert len(cells) == 4
    assert {cell.method for cell in cells} == {"pc-darts", "pc-darts-gp"}
    for cell in cells:
        assert cell.settings.budget.limits == {
            "params": int(dict(cell.grid)["budget.params"][:-1]) * 1000,
            "ram": 20_000,
        }
    with pytest.raises(ConfigError, match="unknown suffix 'x'"):
        make_cells(spec(base=["budget.params=9x"]))


def test_a_study_compares_what_methods_find_unless_it_asks_for_a_selection(tmp_path: Path) -> None:
    assert [cell.settings.selection for cell in make_cells(spec())] == [None, None]
    chosen = make_cells(spec(base=["selection.rungs=2", "candidates.random=3"]))
    assert all(cell.settings.selection == Halving(rungs=2) for cell in chosen)
    assert all(cell.settings.candidates.random == 3 for cell in chosen)
    # A recipe file that states one keeps it.
    (tmp_path / "mine.toml").write_text('base = "pc-darts"\n[selection]\nrungs = 2\n')
    (of_file,) = make_cells(spec(tmp_path, methods=["mine.toml"], base=[]))
    assert of_file.settings.selection == Halving(rungs=2)
