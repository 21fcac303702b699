"""The widest network that meets limits: what it promises, for random cells, counted anew."""

from __future__ import annotations

import os
import random
from collections.abc import Callable, Mapping

import pytest
import torch
from torch import nn

from edgewise.nn import NetworkSpec, build_network, choose_stem, measure_cost
from edgewise.nn.activations import trace
from edgewise.nn.fit import Fitting
from edgewise.nn.step_order import best_order
from edgewise.spaces import Genotype, random_genotype, space

KINDS = ("darts", "nasnet", "nb201")
# EDGEWISE_CELLS=200 is the run whose figures docs/budgets.md gives.
CELLS = int(os.environ.get("EDGEWISE_CELLS", "40"))
# Sides and channels of images, and limits of which each can be met at some width.
IMAGES = ((32, 3), (28, 1), (64, 3))
LIMITS: tuple[dict[str, float], ...] = (
    {"params": 60_000},
    {"macs": 12e6},
    {"ram": 600_000},
    {"params": 150_000, "macs": 9e6, "ram": 900_000},
    {"params": 30_000, "macs": 40e6, "ram": 900_000},
    {"params": 400_000, "macs": 60e6, "ram": 300_000},
)


def cells(kind: str, seed: int) -> Genotype:
    return random_genotype(space(kind), random.Random(seed))


def builder(genotype: Genotype, image: tuple[int, int]) -> Callable[[int, int], nn.Module]:
    side, colours = image
    stem = choose_stem(side)
    return lambda channels, layers: build_network(
        genotype, NetworkSpec(channels, layers, 10, in_channels=colours, stem=stem)
    )


def fitting(genotype: Genotype, limits: Mapping[str, float], image: tuple[int, int] = (32, 3)) -> Fitting:
    build = builder(genotype, image)
    return Fitting(build=build, limits=limits, image_size=image[0], in_channels=image[1])


def used(
    genotype: Genotype, limits: Mapping[str, float], image: tuple[int, int], *, channels: int, layers: int
) -> dict[str, float]:
    """The share of each limit that a size uses, counted without the search."""
    side, colours = image
    with torch.device("meta"):
        network = builder(genotype, image)(channels, layers)
    cost = measure_cost(network, image_size=side, in_channels=colours)
    graph = trace(network, image_size=side, in_channels=colours)
    found = {"params": cost.params, "macs": cost.macs, "ram": 4 * graph.peak(best_order(graph))}
    return {name: found[name] / limit for name, limit in limits.items()}


def check_widest(genotype: Genotype, limits: Mapping[str, float], image: tuple[int, int], *, layers: int) -> None:
    fitted = fitting(genotype, limits, image).widest(layers)
    assert fitted is not None
    assert fitted.layers == layers
    met = used(genotype, limits, image, channels=fitted.channels, layers=layers)
    assert max(met.values()) <= 1
    assert fitted.used == pytest.approx(met)
    wider = used(genotype, limits, image, channels=fitted.channels + 1, layers=layers)
    assert max(wider.values()) > 1


@pytest.mark.parametrize("kind", KINDS)
def test_the_fitted_network_meets_all_limits_and_the_next_width_breaks_one(kind):
    """Each kind with two of the limits, one alone and all together; the slow test has the others."""
    at = KINDS.index(kind)
    check_widest(cells(kind, at), LIMITS[at], IMAGES[at], layers=3)
    check_widest(cells(kind, at + 3), LIMITS[at + 3], IMAGES[(at + 1) % 3], layers=3)


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_random_cells_are_each_as_wide_as_their_limits_let_them(kind):
    for seed in range(CELLS):
        limits, image = LIMITS[seed % len(LIMITS)], IMAGES[seed // len(LIMITS) % len(IMAGES)]
        check_widest(cells(kind, seed), limits, image, layers=3 + seed % 2)


@pytest.mark.parametrize(
    ("kind", "limits"),
    [("darts", {"params": 20_000}), ("nb201", {"macs": 10e6}), ("nb201", {"ram": 160_000})],
    ids=str,
)
def test_no_number_of_cells_in_the_list_uses_a_twentieth_more_of_the_limit(kind, limits):
    search = fitting(cells(kind, 20), limits)
    best, widest = search.best((4, 3)), [search.widest(layers) for layers in (4, 3)]
    assert best is not None
    assert best in widest
    assert best.share >= 0.95 * max(fitted.share for fitted in widest if fitted is not None)


def test_the_number_of_cells_that_uses_most_is_chosen_wherever_it_stands_in_the_list():
    """A cell more changes the width, and with it how much of the limit is left."""
    search = fitting(cells("nb201", 20), {"params": 12_000})
    shares = {}
    for layers in (3, 6):
        fitted = search.widest(layers)
        assert fitted is not None
        shares[layers] = fitted.share
    most, least = max(shares, key=shares.__getitem__), min(shares, key=shares.__getitem__)
    assert shares[least] < 0.9 * shares[most]
    for depths in ((most, least), (least, most)):
        best = search.best(depths)
        assert best is not None
        assert best.layers == most


def test_where_no_number_of_cells_changes_the_share_the_first_in_the_list_counts():
    search = fitting(cells("nb201", 1), {"ram": 100_000})
    for depths in ((3, 4), (4, 3)):
        best = search.best(depths)
        assert best is not None
        assert best.layers == depths[0]


@pytest.mark.parametrize(
    ("kind", "name"),
    [("darts", "ram"), ("nasnet", "params"), ("nb201", "params"), ("nb201", "macs"), ("nb201", "ram")],
)
def test_there_is_no_network_where_even_the_narrowest_breaks_a_limit(kind, name):
    genotype = cells(kind, 30)
    roomy = {"params": 1e9, "macs": 1e12, "ram": 1e9}
    narrowest = round(used(genotype, roomy, (32, 3), channels=2, layers=3)[name] * roomy[name])
    tight = fitting(genotype, {name: narrowest - 1})
    assert tight.widest(3, start=3) is None
    assert tight.best((3,), start=2) is None
    just = fitting(genotype, {name: narrowest}).widest(3, start=3)
    assert just is not None
    assert just.channels == 2


def test_the_width_from_which_a_search_starts_changes_nothing():
    for seed, limits in enumerate(LIMITS[:3]):
        search = fitting(cells("nb201", 40 + seed), limits)
        found = [search.widest(3, start=start) for start in (2, 40)]
        assert found[0] is not None
        assert found[0] == found[1]


def test_the_weights_of_an_auxiliary_head_do_not_count() -> None:
    genotype = cells("darts", 0)

    def with_head(channels: int, layers: int) -> nn.Module:
        return build_network(genotype, NetworkSpec(channels, layers, 10, auxiliary=True))

    headed = Fitting(build=with_head, limits={"params": 60_000}, image_size=32, in_channels=3).widest(5)
    assert headed is not None
    assert headed == fitting(genotype, {"params": 60_000}).widest(5)
