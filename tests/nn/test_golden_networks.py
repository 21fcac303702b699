"""Derived networks against numbers of the authors' code."""

from __future__ import annotations

import pytest
import torch

from edgewise.nn import DropPath, Network, NetworkSpec, count_params, measure_cost
from edgewise.spaces import PUBLISHED
from tests.nn.golden import fill, images

NAMES = ("DARTS_V1", "DARTS_V2", "PC_DARTS_cifar", "PDARTS", "GDAS_V1", "AmoebaNet")

# C 36, 20 layers, 10 classes: parameters without and with auxiliary head, multiply-adds at 32x32.
PUBLISHED_SIZES = {
    "DARTS_V1": (3_169_414, 3_645_840, 500_987_520),
    "DARTS_V2": (3_349_342, 3_825_768, 528_359_040),
    "PC_DARTS_cifar": (3_634_678, 4_111_104, 556_670_592),
    "PDARTS": (3_433_798, 3_910_224, 532_174_464),
    "GDAS_V1": (3_368_782, 3_845_208, 519_428_736),
    "AmoebaNet": (3_145_078, 3_603_072, 488_931_552),
}


@pytest.mark.parametrize("name", NAMES)
def test_the_built_in_genotype_is_the_published_one(golden, name):
    cells = PUBLISHED[name].cells
    for cell_type in ("normal", "reduce"):
        pairs = golden["genotypes"][name][cell_type]
        expected = sorted((2 + i // 2, source, primitive) for i, (primitive, source) in enumerate(pairs))
        assert [(e.target, e.source, e.primitive) for e in cells[cell_type].edges] == expected
        assert list(cells[cell_type].concat) == golden["genotypes"][name][f"{cell_type}_concat"]


@pytest.mark.parametrize("name", NAMES)
def test_a_published_network_has_the_authors_size(name):
    spec = NetworkSpec(channels=36, layers=20, classes=10, auxiliary=True)
    network = Network(PUBLISHED[name], spec)
    cost = measure_cost(network, image_size=32, in_channels=3)
    assert (cost.params, count_params(network), cost.macs) == PUBLISHED_SIZES[name]


def test_the_imagenet_network_has_the_authors_size():
    network = Network(PUBLISHED["DARTS_V2"], NetworkSpec(channels=48, layers=14, classes=1000, stem="imagenet"))
    cost = measure_cost(network, image_size=224, in_channels=3)
    assert (cost.params, cost.macs) == (4_718_752, 529_911_552)


def test_the_published_imagenet_flops_of_pc_darts_are_met_in_their_convention():
    network = Network(
        PUBLISHED["PC_DARTS_cifar"], NetworkSpec(channels=48, layers=14, classes=1000, stem="imagenet")
    )
    cost = measure_cost(network, image_size=224, in_channels=3)
    assert cost.published_flops == pytest.approx(585.946e6, abs=500)


@pytest.mark.parametrize("name", NAMES)
def test_a_derived_network_gives_the_authors_logits(golden, name):
    expected = golden["network_C8_L6"][name]
    network = fill(Network(PUBLISHED[name], NetworkSpec(channels=8, layers=6, classes=10, auxiliary=True)))
    network.eval()
    assert measure_cost(network, image_size=32, in_channels=3).params == expected["params_noaux"]
    with torch.no_grad():
        torch.testing.assert_close(
            network(images(2)),
            torch.tensor(expected["logits_eval_b2"], dtype=torch.float64),
            rtol=1e-9,
            atol=1e-11,
        )
        network.train()
        logits, auxiliary = network.training_forward(images(4), DropPath(0.0, torch.Generator()))
    for got, key in ((logits, "logits_train_b4_row0"), (auxiliary, "aux_train_b4_row0")):
        torch.testing.assert_close(got[0], torch.tensor(expected[key], dtype=torch.float64), rtol=1e-9, atol=1e-11)
