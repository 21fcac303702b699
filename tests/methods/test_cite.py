"""What each recipe cites, and that a part brings its citation along."""

from __future__ import annotations

from dataclasses import replace

import pytest

from edgewise.citations import CITATIONS
from edgewise.methods import (
    DARTS_V1,
    RECIPES,
    Adversarial,
    Diagnostics,
    EdgeNormalisation,
    ExactHypergradient,
    FiniteDifference,
    GumbelHard,
    HessianStop,
    OperationNoise,
    PartialChannels,
    Projection,
    RandomSmoothing,
    SearchDropPath,
    SkipDropout,
    SkipLimit,
    Stages,
    WeightDecayRamp,
    citations,
)

# The cosine, the auxiliary head and drop-path of training are in every recipe.
TRAINING = {"sgdr", "googlenet", "fractalnet"}

EXPECTED = {
    "darts-v1": {"darts"},
    "darts-v2": {"darts"},
    "darts-v2-fd": {"darts"},
    "gdas": {"gdas", "darts"},
    "p-darts": {"p-darts", "darts"},
    "pc-darts": {"pc-darts", "darts"},
    "r-darts-es": {"robust-darts", "darts"},
    "r-darts-l2": {"robust-darts", "darts"},
    "r-darts-dp": {"robust-darts", "darts"},
    "r-darts-ada": {"robust-darts", "darts"},
    "s-darts-rs": {"smooth-darts", "darts"},
    "s-darts-adv": {"smooth-darts", "darts"},
    "noisy-darts": {"noisy-darts", "darts"},
}


def keys(recipe) -> list[str]:
    return [citation.key for citation in citations(recipe)]


@pytest.mark.parametrize("name", EXPECTED)
def test_each_recipe_cites_exactly_its_method_and_its_training(name):
    assert set(keys(RECIPES[name])) == EXPECTED[name] | TRAINING
    assert set(keys(RECIPES[f"{name}-gp"])) == EXPECTED[name] | TRAINING | {"thesis", "gradient-surgery"}
    assert all(citation is CITATIONS[citation.key] for citation in citations(RECIPES[name]))


@pytest.mark.parametrize("name", EXPECTED)
def test_the_methods_own_paper_stands_before_those_of_the_training(name):
    own = keys(RECIPES[name])
    assert set(own[: len(EXPECTED[name])]) == EXPECTED[name]
    assert own[0] == max(EXPECTED[name], key=lambda key: key != "darts")


@pytest.mark.parametrize(
    ("key", "changes"),
    [
        ("thesis", {"projection": Projection()}),
        ("gradient-surgery", {"projection": Projection()}),
        ("pc-darts", {"channels": PartialChannels()}),
        ("pc-darts", {"edge_normalisation": EdgeNormalisation()}),
        ("gdas", {"relaxation": GumbelHard()}),
        ("p-darts", {"stages": Stages()}),
        ("p-darts", {"skip_dropout": SkipDropout(rates=(0.2,))}),
        ("p-darts", {"derivation": SkipLimit()}),
        ("robust-darts", {"stop": HessianStop()}),
        ("robust-darts", {"drop_path": SearchDropPath()}),
        ("robust-darts", {"weight_decay_ramp": WeightDecayRamp()}),
        ("robust-darts", {"diagnostics": Diagnostics(hessian_every=2)}),
        ("robust-darts", {"space": "s1"}),
        ("robust-darts", {"space": "s4"}),
        ("smooth-darts", {"perturbation": RandomSmoothing()}),
        ("smooth-darts", {"perturbation": Adversarial()}),
        ("noisy-darts", {"noise": OperationNoise()}),
    ],
)
def test_a_part_brings_its_citation_and_no_other(key, changes):
    allowed = {"thesis", "gradient-surgery"} if "projection" in changes else {key}
    assert set(keys(replace(DARTS_V1, **changes))) - set(keys(DARTS_V1)) == allowed


@pytest.mark.parametrize("gradient", [ExactHypergradient(), FiniteDifference()], ids=lambda part: part.kind)
def test_a_second_order_gradient_is_darts_even_where_no_other_source_is_named(gradient):
    assert "darts" not in keys(replace(DARTS_V1, sources=()))
    assert "darts" in keys(replace(DARTS_V1, sources=(), gradient=gradient))


def test_drop_path_in_the_supernet_is_cited_where_the_training_has_none():
    quiet = replace(DARTS_V1, train=replace(DARTS_V1.train, drop_path=0.0, auxiliary=0.0))
    assert set(keys(quiet)) == {"darts", "sgdr"}
    assert set(keys(replace(quiet, drop_path=SearchDropPath()))) == {"darts", "sgdr", "robust-darts", "fractalnet"}


def test_the_discretisation_gap_alone_cites_nothing():
    assert keys(replace(DARTS_V1, diagnostics=Diagnostics(gap_every=1))) == keys(DARTS_V1)
