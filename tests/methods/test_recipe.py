"""Recipes: the table, the thesis's settings, and combinations that can't work."""

from __future__ import annotations

from dataclasses import FrozenInstanceError, replace
from itertools import product

import pytest
import torch

from edgewise.config.build import build, dump
from edgewise.errors import ConfigError
from edgewise.methods import (
    DARTS_V1,
    PC_DARTS,
    PC_DARTS_GP,
    RECIPES,
    ArchSettings,
    EdgeNormalisation,
    PartialChannels,
    Projection,
    Recipe,
    SearchSettings,
    TrainSettings,
    WarmUp,
    WeightsSettings,
    citations,
    recipe,
)
from edgewise.spaces import DARTS

PROJECTIONS = [
    Projection(direction, order)  # type: ignore[arg-type]
    for direction, order in product(
        ["in", "out"], ["random", "shortest_to_longest", "longest_to_shortest", "symmetric"]
    )
]


def faults(base: Recipe = PC_DARTS, **changes) -> str:
    with pytest.raises(ConfigError) as caught:
        replace(base, **changes)
    message = str(caught.value)
    assert message.startswith(f"recipe {base.name}: ")
    return message


def test_the_table_holds_every_recipe_under_its_name_and_its_twin_with_projection():
    plain = [name for name, found in RECIPES.items() if found.projection is None]
    assert len(plain) >= 13
    assert all(RECIPES[f"{name}-gp"].projection == Projection("in", "random") for name in plain)
    assert recipe("darts") is RECIPES["darts-v1"]
    for name, found in RECIPES.items():
        assert found.name == name
        assert recipe(name) is found
        assert found.summary


def test_an_unknown_recipe_is_refused_with_the_known_ones():
    with pytest.raises(ConfigError, match=r"unknown recipe 'pcdarts'.*darts-v1, .*pc-darts, pc-darts-gp"):
        recipe("pcdarts")


def test_the_search_settings_are_those_of_the_thesis():
    assert PC_DARTS.search == SearchSettings(
        epochs=50, batch_size=256, channels=16, layers=8, arch_fraction=0.5, trace_steps=False
    )
    assert PC_DARTS.weights == WeightsSettings(lr=0.1, lr_min=0.0, momentum=0.9, weight_decay=3e-4, clip=5.0)
    assert PC_DARTS.arch == ArchSettings(lr=6e-4, betas=(0.5, 0.999), weight_decay=1e-3)
    assert PC_DARTS.warm_up == WarmUp(epochs=15)
    assert PC_DARTS.channels == PartialChannels(k=4)
    assert PC_DARTS.edge_normalisation == EdgeNormalisation()
    assert PC_DARTS.projection is None


def test_the_training_settings_of_every_recipe_are_those_of_the_thesis():
    expected = TrainSettings(
        epochs=600, batch_size=96, channels=36, layers=20, lr=0.025, lr_min=0.0, momentum=0.9, weight_decay=3e-4,
        clip=5.0, auxiliary=0.4, drop_path=0.3,
    )  # fmt: skip
    assert all(found.train == expected for found in RECIPES.values())


def test_gradient_projection_is_pc_darts_with_the_thesiss_best_projection_and_nothing_else():
    assert PC_DARTS_GP.projection == Projection(direction="in", order="random") == Projection()
    names = {"name": PC_DARTS.name, "summary": PC_DARTS.summary, "sources": PC_DARTS.sources}
    assert replace(PC_DARTS_GP, projection=None, **names) == PC_DARTS


def test_darts_has_its_own_settings_and_none_of_the_later_parts():
    assert (DARTS_V1.search.batch_size, DARTS_V1.search.epochs, DARTS_V1.search.channels) == (64, 50, 16)
    assert (DARTS_V1.weights.lr, DARTS_V1.weights.lr_min, DARTS_V1.arch.lr) == (0.025, 0.001, 3e-4)
    assert (DARTS_V1.channels, DARTS_V1.edge_normalisation, DARTS_V1.warm_up) == (None, None, None)
    assert (DARTS_V1.k, DARTS_V1.frozen_epochs) == (1, 0)
    assert (PC_DARTS.k, PC_DARTS.frozen_epochs) == (4, 15)


@pytest.mark.parametrize("projection", PROJECTIONS, ids=lambda p: f"{p.direction}-{p.order}")
@pytest.mark.parametrize("name", sorted(RECIPES))
def test_every_recipe_takes_every_projection_and_is_read_back_from_its_table_of_settings(name, projection):
    combined = replace(recipe(name), projection=projection)
    assert build(Recipe, dump(combined)) == combined
    rows = torch.randn(2, 14, 8)
    out = combined.projection.on(DARTS.topology)(rows, torch.Generator())
    assert out.shape == rows.shape
    assert not torch.equal(out, rows)
    assert {"thesis", "gradient-surgery"} <= {citation.key for citation in citations(combined)}


@pytest.mark.parametrize("epochs", [50, 60])
def test_a_warm_up_as_long_as_the_search_is_refused_with_what_to_change_or_drop(epochs):
    message = faults(warm_up=WarmUp(epochs))
    assert f"warm_up.epochs = {epochs} leaves no epoch of search.epochs = 50" in message
    assert "lower warm_up.epochs" in message
    assert "warm_up=none" in message


def test_a_warm_up_one_epoch_shorter_than_the_search_is_taken():
    assert replace(PC_DARTS, warm_up=WarmUp(49)).frozen_epochs == 49


@pytest.mark.parametrize(
    ("channels", "k", "proposed"), [(16, 3, 12), (12, 4, 8), (20, 4, 16), (4, 4, 8), (30, 4, 24)]
)
def test_a_k_that_gives_no_even_share_is_refused_with_channels_that_work_or_what_to_drop(channels, k, proposed):
    message = faults(channels=PartialChannels(k), search=SearchSettings(channels=channels))
    assert f"search.channels = {channels} does not go with channels.k = {k}" in message
    assert f"try search.channels = {proposed}," in message
    assert "channels=none" in message
    assert replace(PC_DARTS, channels=PartialChannels(k), search=SearchSettings(channels=proposed)).k == k


def test_a_k_of_0_is_refused_as_a_fault_of_the_recipe():
    assert "channels.k = 0" in faults(channels=PartialChannels(0))


@pytest.mark.parametrize("space", ["amoeba", "nb301", "DARTS"])
def test_a_space_that_is_unknown_or_not_searchable_is_refused_with_those_that_are(space):
    assert f"space '{space}' can't be searched: choose one of darts" in faults(space=space)


@pytest.mark.parametrize(
    ("section", "settings"),
    [("weights", WeightsSettings(lr=0.01, lr_min=0.02)), ("train", TrainSettings(lr=0.01, lr_min=0.02))],
)
def test_a_last_learning_rate_above_the_first_is_refused_with_what_to_do(section, settings):
    message = faults(**{section: settings})
    assert f"{section}.lr_min = 0.02 is above {section}.lr = 0.01" in message
    assert f"lower {section}.lr_min" in message


@pytest.mark.parametrize(
    ("section", "settings"), [("weights", WeightsSettings(lr_min=0.1)), ("train", TrainSettings(lr_min=0.025))]
)
def test_a_constant_learning_rate_is_taken(section, settings):
    assert getattr(replace(PC_DARTS, **{section: settings}), section).lr_min == settings.lr


def test_an_odd_number_of_channels_in_training_is_taken_and_a_single_one_is_refused():
    assert replace(PC_DARTS, train=TrainSettings(channels=35)).train.channels == 35
    message = faults(train=TrainSettings(channels=1))
    assert "train.channels = 1: a factorised reduction needs at least 2" in message


def test_an_auxiliary_head_is_refused_in_nas_bench_201_with_what_to_do():
    message = faults(space="nb201", train=TrainSettings(auxiliary=0.4))
    assert "train.auxiliary = 0.4: networks of space nb201 have no auxiliary head" in message
    assert "set train.auxiliary=0" in message
    assert replace(PC_DARTS, space="nb201", train=TrainSettings(auxiliary=0.0)).space == "nb201"


def test_all_faults_of_a_recipe_are_told_at_once():
    message = faults(space="no", warm_up=WarmUp(99), weights=WeightsSettings(lr_min=1.0))
    assert all(part in message for part in ("'no'", "99", "lr_min"))


def test_a_recipe_cannot_be_changed():
    with pytest.raises(FrozenInstanceError):
        PC_DARTS.name = "mine"  # type: ignore[misc]


def keys(found: Recipe) -> list[str]:
    return [citation.key for citation in citations(found)]


def test_a_recipe_cites_its_method_first_and_each_source_once():
    assert keys(DARTS_V1)[0] == "darts"
    assert keys(PC_DARTS)[:2] == ["pc-darts", "darts"]
    assert keys(PC_DARTS_GP)[:2] == ["thesis", "gradient-surgery"]
    assert all(len(keys(found)) == len(set(keys(found))) for found in RECIPES.values())


@pytest.mark.parametrize(
    ("key", "base", "changes"),
    [
        ("pc-darts", DARTS_V1, {"edge_normalisation": EdgeNormalisation()}),
        ("pc-darts", DARTS_V1, {"channels": PartialChannels(2)}),
        ("thesis", DARTS_V1, {"projection": Projection()}),
        ("fractalnet", replace(DARTS_V1, train=TrainSettings(drop_path=0.0)), {"train": TrainSettings()}),
        ("robust-darts", DARTS_V1, {"space": "s2"}),
        ("nasnet", DARTS_V1, {"space": "nasnet"}),
        ("nas-bench-201", DARTS_V1, {"space": "nb201", "train": TrainSettings(auxiliary=0.0)}),
        ("googlenet", replace(DARTS_V1, train=TrainSettings(auxiliary=0.0)), {"train": TrainSettings()}),
    ],
)
def test_a_part_is_cited_exactly_where_it_is_used(key, base, changes):
    assert key not in keys(base)
    assert key in keys(replace(base, **changes))
