"""Every preset goes with every recipe; `paper` is the thesis's appendix B."""

from __future__ import annotations

import pytest
import torch

from edgewise.methods import RECIPES
from edgewise.nn import Mixture, Network, NetworkSpec, Supernet, SupernetSpec
from edgewise.pipeline import PRESETS, Settings, resolve
from edgewise.spaces import published, space
from tests.pipeline.small import one_thread

THESIS = {
    "space": "darts",
    "channels.k": 4,
    "search.epochs": 50,
    "search.batch_size": 256,
    "search.channels": 16,
    "search.layers": 8,
    "search.arch_fraction": 0.5,
    "weights.lr": 0.1,
    "weights.lr_min": 0.0,
    "weights.momentum": 0.9,
    "weights.weight_decay": 3e-4,
    "weights.clip": 5.0,
    "arch.lr": 6e-4,
    "arch.betas": (0.5, 0.999),
    "arch.weight_decay": 1e-3,
    "warm_up.epochs": 15,
    "train.epochs": 600,
    "train.batch_size": 96,
    "train.channels": 36,
    "train.layers": 20,
    "train.lr": 0.025,
    "train.lr_min": 0.0,
    "train.momentum": 0.9,
    "train.weight_decay": 3e-4,
    "train.clip": 5.0,
    "train.auxiliary": 0.4,
    "train.drop_path": 0.3,
    "train_augment.cutout": "half",
    "augment.cutout": 0,
    "data.train_images": None,
}


def value(settings: Settings, path: str) -> object:
    found: object = settings
    for name in path.split("."):
        found = getattr(found, name)
    return found


@pytest.mark.parametrize("name", ["pc-darts", "pc-darts-gp"])
def test_the_paper_preset_is_appendix_b_of_the_thesis(name: str) -> None:
    settings = resolve(name, preset="paper")
    assert {path: value(settings, path) for path in THESIS} == THESIS
    assert settings.edge_normalisation is not None


def test_the_paper_preset_of_the_thesis_method_projects_incoming_edges_in_random_order() -> None:
    projection = resolve("pc-darts-gp", preset="paper").projection
    assert projection is not None
    assert (projection.direction, projection.order) == ("in", "random")
    assert resolve("pc-darts", preset="paper").projection is None


def test_the_paper_preset_augments_as_the_authors_do(splits) -> None:
    from edgewise.data import Augment

    settings = resolve("pc-darts", preset="paper")
    coloured = torch.zeros(1, 3, 32, 32, dtype=torch.uint8)
    photos = type(splits)(
        weights=type(splits.weights)(coloured, torch.zeros(1, dtype=torch.int64)),
        arch=splits.arch,
        test=splits.test,
        class_names=splits.class_names,
        normalisation=splits.normalisation,
        fingerprint="",
        source="photos",
    )
    for part, cutout in ((settings.augment, 0), (settings.train_augment, 16)):
        augment = Augment.resolve(part, photos)
        assert (augment.crop_padding, augment.flip, augment.cutout) == (4, True, cutout)


@pytest.mark.parametrize("name", RECIPES)
@pytest.mark.parametrize("preset", PRESETS)
def test_supernet_and_network_of_every_preset_and_recipe_classify_images(name: str, preset: str) -> None:
    settings = resolve(name, preset=preset)
    classes = 7
    supernet = Supernet(
        space(settings.space),
        SupernetSpec(
            channels=settings.search.channels,
            layers=settings.search.layers,
            classes=classes,
            in_channels=3,
            stem="cifar",
            k=settings.k,
        ),
    )
    network = Network(
        published("PC_DARTS_cifar"),
        NetworkSpec(
            channels=settings.train.channels,
            layers=settings.train.layers,
            classes=classes,
            in_channels=3,
            stem="cifar",
            auxiliary=settings.train.auxiliary > 0,
        ),
    )
    mixture = {kind: Mixture(torch.full((14, 8), 1 / 8)) for kind in space(settings.space).cell_types}
    with one_thread(), torch.no_grad():
        assert network.eval()(torch.zeros(1, 3, 8, 8)).shape == (1, classes)
        assert supernet.eval()(torch.zeros(1, 3, 8, 8), mixture, None).shape == (1, classes)


def test_the_sizes_of_the_presets_rise_from_tiny_to_paper() -> None:
    tiny, small, paper = (resolve("pc-darts", preset=name).train for name in ("tiny", "small", "paper"))
    assert tiny.channels < small.channels < paper.channels
    assert max(tiny.epochs, small.epochs) < paper.epochs
