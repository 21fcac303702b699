"""Settings come from a recipe, then a preset, then the data, then single settings; what a run wrote comes back."""

from __future__ import annotations

from pathlib import Path

import pytest

from edgewise.config.build import build, to_toml
from edgewise.config.toml import from_toml
from edgewise.errors import ConfigError
from edgewise.methods import RECIPES, recipe
from edgewise.pipeline import PRESETS, Settings, resolve
from tests.pipeline.small import small


def write(tmp_path: Path, text: str) -> str:
    path = tmp_path / "mine.toml"
    path.write_text(text)
    return str(path)


def test_a_preset_overrides_the_recipe_and_leaves_alone_what_it_does_not_name() -> None:
    settings = resolve("pc-darts", preset="tiny")
    assert (recipe("pc-darts").search.epochs, settings.search.epochs) == (50, 10)
    assert settings.weights == recipe("pc-darts").weights
    assert settings.channels == recipe("pc-darts").channels


def test_a_named_recipe_without_a_preset_has_the_tiny_sizes() -> None:
    assert resolve("darts") == resolve("darts", preset="tiny") != resolve("darts", preset="small")


def test_the_data_source_is_laid_over_preset_and_file(tmp_path: Path) -> None:
    file = write(tmp_path, 'base = "darts"\n[data]\nsource = "photos"\nimage_size = 32\n')
    assert resolve(file).data.source == "photos"
    settings = resolve(file, preset="small", data="cifar10")
    assert (settings.data.source, settings.data.image_size, settings.data.train_images) == ("cifar10", 32, 6000)


def test_single_settings_win_over_recipe_preset_and_data() -> None:
    settings = resolve(
        "pc-darts", preset="small", data="cifar10", sets=["data.source=digits", "search.epochs=30", "arch.lr=1e-4"]
    )
    assert (settings.data.source, settings.search.epochs, settings.arch.lr) == ("digits", 30, 1e-4)
    assert settings.search.batch_size == PRESETS["small"]["search"]["batch_size"]


def test_of_two_settings_of_one_name_the_last_wins() -> None:
    assert resolve("darts", sets=["search.epochs=5", "search.epochs=6"]).search.epochs == 6


def test_a_preset_gives_no_warm_up_to_a_recipe_that_has_none() -> None:
    assert resolve("darts", preset="tiny").warm_up is None
    assert resolve("pc-darts", preset="tiny").frozen_epochs == 3
    assert resolve("darts", sets=["warm_up.epochs=2"]).frozen_epochs == 2


def test_a_file_starts_from_its_base_and_no_preset_is_laid_over_it(tmp_path: Path) -> None:
    settings = resolve(write(tmp_path, 'base = "pc-darts"\nname = "mine"\n[search]\nepochs = 40\n'))
    expected = recipe("pc-darts")
    assert (settings.name, settings.search.epochs) == ("mine", 40)
    assert (settings.search.batch_size, settings.train, settings.warm_up) == (
        256,
        expected.train,
        expected.warm_up,
    )


def test_a_file_without_a_base_starts_from_bare_darts(tmp_path: Path) -> None:
    settings = resolve(write(tmp_path, 'name = "bare"\n'))
    assert (settings.channels, settings.edge_normalisation, settings.projection) == (None, None, None)


def test_a_file_can_drop_a_part_of_its_base(tmp_path: Path) -> None:
    settings = resolve(write(tmp_path, 'base = "pc-darts-gp"\nprojection = "none"\n'))
    assert settings.projection is None
    assert settings.channels is not None


def test_a_preset_can_be_asked_for_over_a_file(tmp_path: Path) -> None:
    settings = resolve(write(tmp_path, 'base = "pc-darts"\n[search]\nepochs = 40\nlayers = 6\n'), preset="tiny")
    assert (settings.search.epochs, settings.search.layers) == (10, 3)


@pytest.mark.parametrize("base", ['"no-such-recipe"', "3"])
def test_a_base_that_is_no_recipe_is_refused_by_name(tmp_path: Path, base: str) -> None:
    with pytest.raises(ConfigError, match=base.strip('"')):
        resolve(write(tmp_path, f"base = {base}\n"))


def test_an_unknown_recipe_error_lists_those_that_exist() -> None:
    with pytest.raises(ConfigError) as caught:
        resolve("pc-dart")
    assert all(name in str(caught.value) for name in ("'pc-dart'", *RECIPES))


def test_an_unknown_preset_error_lists_those_that_exist() -> None:
    with pytest.raises(ConfigError) as caught:
        resolve("darts", preset="huge")
    assert all(name in str(caught.value) for name in ("'huge'", *PRESETS))


def test_a_recipe_file_that_is_missing_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"gone\.toml"):
        resolve(str(tmp_path / "gone.toml"))


def test_every_fault_of_a_file_is_told_at_once_with_its_dotted_path(tmp_path: Path) -> None:
    text = (
        'base = "pc-darts-gp"\ncompare = ["random", "robot"]\n[search]\nepochs = -1\nlayer = 4\n'
        '[arch]\nlr = "fast"\n[projection]\norder = "sideways"\n[data]\ntest_fraction = 2.0\n'
    )
    with pytest.raises(ConfigError) as caught:
        resolve(write(tmp_path, text))
    message = str(caught.value)
    paths = ("compare", "search.epochs", "search.layer", "arch.lr", "projection.order", "data.test_fraction")
    assert [path for path in paths if path not in message] == []
    assert all(value in message for value in ("'robot'", "-1", "'fast'", "'sideways'", "2.0"))


def test_every_fault_of_single_settings_is_told_at_once() -> None:
    with pytest.raises(ConfigError) as caught:
        resolve("darts", sets=["search.epoch=3", "train.lr=-1", "weights", "nonsense.lr=1", "search.layers=9"])
    message = str(caught.value)
    assert all(part in message for part in ("search.epoch=3", "train.lr=-1", "--set weights", "nonsense.lr"))
    assert "search.layers=9" not in message


def test_parts_that_do_not_go_together_are_all_named() -> None:
    with pytest.raises(ConfigError) as caught:
        resolve("pc-darts", sets=["search.epochs=3", "warm_up.epochs=3", "search.channels=6", "train.channels=1"])
    message = str(caught.value)
    assert all(part in message for part in ("warm_up.epochs = 3", "search.channels = 6", "train.channels = 1"))


@pytest.mark.parametrize("name", RECIPES)
@pytest.mark.parametrize("preset", PRESETS)
def test_settings_come_back_from_their_toml_as_they_went_in(name: str, preset: str, tmp_path: Path) -> None:
    sets = ["projection.direction=out", "data.image_size=32", 'compare=["hand"]', "augment.flip=false"]
    settings = resolve(name, preset=preset, sets=sets)
    assert resolve(write(tmp_path, to_toml(settings))) == settings


def test_the_recipe_file_that_a_run_wrote_resolves_to_the_settings_of_the_run(whole) -> None:
    assert resolve(str(whole.folder / "recipe.toml")) == small()
    assert build(Settings, from_toml(whole.folder / "recipe.toml")) == small()


def test_citations_follow_what_the_settings_use() -> None:
    def cited(*sets: str) -> str:
        return "\n".join(resolve("pc-darts-gp", sets=sets).bibtex())

    assert "Deep Residual Learning" in cited()
    assert "Deep Residual Learning" not in cited("compare=[]")
    assert "utout" not in cited()
    assert "utout" in cited("train_augment.cutout=4")
    assert "utout" in cited("augment.cutout=4")


def test_a_projection_is_cited_with_whatever_recipe_it_is_used() -> None:
    assert "Gradient Surgery" in "".join(resolve("darts", sets=["projection.order=random"]).bibtex())
    assert "Gradient Surgery" not in "".join(resolve("darts").bibtex())


def test_a_projection_that_is_taken_out_is_not_cited() -> None:
    def keys(*sets: str) -> str:
        return " ".join(resolve("pc-darts-gp", sets=sets).bibtex())

    assert "king_gradient_projection" in keys()
    assert "king_gradient_projection" not in keys("projection=none")
    assert "yu2020gradient" not in keys("projection=none")
    assert "xu2020pcdarts" in keys("projection=none")
