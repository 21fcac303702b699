"""Which parts can't be combined, and that the refusal names both and the way out."""

from __future__ import annotations

from dataclasses import replace
from itertools import combinations

import pytest

from edgewise.errors import ConfigError
from edgewise.methods import (
    DARTS_V1,
    P_DARTS,
    PC_DARTS,
    RECIPES,
    Adaptation,
    Adversarial,
    BetaDecay,
    DirichletMixture,
    EdgeNormalisation,
    ExactHypergradient,
    FiniteDifference,
    FirstOrder,
    GumbelHard,
    HessianStop,
    OperationNoise,
    PartialChannels,
    Parts,
    Projection,
    RandomSmoothing,
    Recipe,
    SearchDropPath,
    SearchSettings,
    SkipDropout,
    SkipLimit,
    Softmax,
    Stages,
    TrainSettings,
    WarmUp,
    WeightDecayRamp,
)
from edgewise.spaces import SPACES

TWO = Stages(add_layers=(0, 1), primitives=(8, 4))

PARTS: dict[str, dict] = {
    "gumbel": {"relaxation": GumbelHard()},
    "dirichlet": {"relaxation": DirichletMixture()},
    "exact": {"gradient": ExactHypergradient()},
    "difference": {"gradient": FiniteDifference()},
    "projection": {"projection": Projection("out", "symmetric")},
    "channels": {"channels": PartialChannels(4)},
    "beta": {"edge_normalisation": EdgeNormalisation()},
    "random": {"perturbation": RandomSmoothing()},
    "adversarial": {"perturbation": Adversarial()},
    "noise": {"noise": OperationNoise()},
    "dropout": {"skip_dropout": SkipDropout(rates=(0.3,))},
    "drop-path": {"drop_path": SearchDropPath()},
    "ramp": {"weight_decay_ramp": WeightDecayRamp()},
    "stop": {"stop": HessianStop()},
    "adaptation": {"stop": HessianStop(), "adaptation": Adaptation()},
    "stages": {"stages": TWO},
    "warm-up": {"warm_up": WarmUp(10)},
    "limit": {"derivation": SkipLimit()},
    "decay": {"parts": Parts(BetaDecay())},
}

SECOND_ORDER = ("gumbel_hard", "second-order", "relaxation.kind=softmax", "gradient.kind=first_order")

# What both are called in the message, and what it says to do.
REFUSED: dict[tuple[str, str], tuple[str, ...]] = {
    ("gumbel", "exact"): SECOND_ORDER,
    ("gumbel", "difference"): SECOND_ORDER,
    ("gumbel", "random"): ("gumbel_hard", "perturbation=none", "relaxation.kind=softmax"),
    ("gumbel", "adversarial"): ("gumbel_hard", "perturbation=none", "relaxation.kind=softmax"),
    ("dirichlet", "difference"): ("finite_difference", "gradient.kind=exact", "relaxation.kind=softmax"),
    ("difference", "noise"): ("finite_difference", "noise", "gradient.kind=exact", "drop the other"),
    ("difference", "dropout"): ("finite_difference", "skip_dropout", "gradient.kind=exact", "drop the other"),
    ("difference", "drop-path"): ("finite_difference", "drop_path", "gradient.kind=exact", "drop the other"),
    ("ramp", "adaptation"): ("adaptation=none", "weight_decay_ramp=none", "both set the weight decay"),
    ("stop", "stages"): ("stages=none", "stop=none", "alpha starts anew"),
    ("adaptation", "stages"): ("stages=none", "stop=none", "alpha starts anew"),
    ("dropout", "stages"): ("skip_dropout.rates has 1 entries for 2 stages", "skip_dropout=none"),
}  # fmt: skip


def refusal(base: Recipe, **changes) -> str:
    with pytest.raises(ConfigError) as caught:
        replace(base, **changes)
    return str(caught.value)


def clash(first: str, second: str) -> bool:
    """Whether both parts fill the same field, so that there is no pair to speak of."""
    return bool(PARTS[first].keys() & PARTS[second].keys())


@pytest.mark.parametrize("name", PARTS)
def test_every_part_alone_goes_with_darts(name):
    recipe = replace(DARTS_V1, **PARTS[name])
    assert all(getattr(recipe, field) == value for field, value in PARTS[name].items())


def test_exactly_these_pairs_of_parts_are_refused():
    found = set()
    for first, second in combinations(PARTS, 2):
        if clash(first, second):
            continue
        try:
            replace(DARTS_V1, **PARTS[first], **PARTS[second])
        except ConfigError:
            found.add((first, second))
    assert found == set(REFUSED)


@pytest.mark.parametrize("pair", REFUSED, ids=" and ".join)
def test_a_refusal_names_both_parts_and_what_to_do(pair):
    message = refusal(DARTS_V1, **PARTS[pair[0]], **PARTS[pair[1]])
    assert message.startswith("recipe darts-v1: ")
    missing = [words for words in REFUSED[pair] if words not in message]
    assert not missing


WAYS_OUT = [
    ("gumbel", "exact", {"relaxation": Softmax()}),
    ("gumbel", "exact", {"gradient": FirstOrder()}),
    ("gumbel", "random", {"perturbation": None}),
    ("difference", "noise", {"gradient": ExactHypergradient()}),
    ("difference", "drop-path", {"drop_path": None}),
    ("ramp", "adaptation", {"weight_decay_ramp": None}),
    ("ramp", "adaptation", {"adaptation": None}),
    ("stop", "stages", {"stop": None}),
    ("stop", "stages", {"stages": None}),
    ("dropout", "stages", {"skip_dropout": SkipDropout(rates=(0.3, 0.1))}),
    ("dropout", "stages", {"skip_dropout": None}),
]


@pytest.mark.parametrize(("first", "second", "way_out"), WAYS_OUT)
def test_every_way_out_that_is_offered_works(first, second, way_out):
    replace(DARTS_V1, **{**PARTS[first], **PARTS[second], **way_out})


def test_an_adaptation_without_a_stop_rule_is_refused_with_what_to_add():
    message = refusal(DARTS_V1, adaptation=Adaptation())
    assert "adaptation without stop" in message
    assert "stop.kind=hessian_stop" in message
    assert "adaptation=none" in message


def test_an_adaptation_of_no_weight_decay_is_refused_with_both_names():
    message = refusal(RECIPES["r-darts-ada"], weights=replace(DARTS_V1.weights, weight_decay=0.0))
    assert "adaptation and weights.weight_decay = 0" in message
    assert "adaptation=none" in message


@pytest.mark.parametrize(("part", "name"), [("noise", "noise"), ("dropout", "skip_dropout")])
def test_a_part_for_skips_is_refused_in_a_space_without_them(part, name):
    message = refusal(DARTS_V1, space="s4", **PARTS[part])
    assert f"{name} acts on skip_connect, and space s4 has none" in message
    assert f"{name}=none" in message
    for other in ("darts", "s1", "s2", "s3"):
        replace(DARTS_V1, space=other, **PARTS[part])


def test_stages_that_start_with_fewer_primitives_than_the_space_has_are_refused():
    message = refusal(P_DARTS, stages=Stages((0, 6, 12), (7, 5, 3)))
    assert "stages.primitives[0] = 7" in message
    assert "8 primitives" in message
    replace(P_DARTS, space="s3", stages=Stages((0, 6, 12), (3, 3, 2)))


@pytest.mark.parametrize("rates", [(), (0.1,), (0.1, 0.2), (0.1, 0.2, 0.3, 0.4)])
def test_dropout_needs_one_rate_for_each_stage(rates):
    message = refusal(P_DARTS, skip_dropout=SkipDropout(rates=rates))
    assert f"skip_dropout.rates has {len(rates)} entries for 3 stages" in message


def test_a_warm_up_as_long_as_a_stage_is_refused_with_the_stages_length():
    message = refusal(P_DARTS, warm_up=WarmUp(25))
    assert (
        "warm_up.epochs = 25 leaves no epoch of a stage of 25 epochs (search.epochs = 75 in 3 stages)" in message
    )
    replace(P_DARTS, warm_up=WarmUp(24))
    assert "a stage of 1 epochs" in refusal(P_DARTS, search=replace(P_DARTS.search, epochs=4))


def test_stages_faults_are_told_without_faults_that_follow_from_them():
    message = refusal(P_DARTS, stages=Stages((0, 6), (8, 5, 3)))
    assert "stages.add_layers has 2 entries and stages.primitives 3" in message
    assert "warm_up" not in message


# S4 has no skip connection; P-DARTS starts with 8 primitives an edge, and NASNet's space has 13.
SPACE_REFUSED = {
    (name + gp, space)
    for name, space in (("noisy-darts", "s4"), ("p-darts", "s4"), ("p-darts", "nasnet"))
    for gp in ("", "-gp")
}


@pytest.mark.parametrize("space", [name for name, space in SPACES.items() if space.searchable])
def test_every_recipe_goes_with_every_space_that_has_what_its_parts_act_on(space):
    refused = set()
    for name, recipe in RECIPES.items():
        try:
            # NAS-Bench-201's skeleton has no place for an auxiliary head.
            assert replace(recipe, space=space, train=TrainSettings(auxiliary=0.0)).space == space
        except ConfigError:
            refused.add((name, space))
    assert refused == {pair for pair in SPACE_REFUSED if pair[1] == space}


@pytest.mark.parametrize("base", [DARTS_V1, replace(DARTS_V1, channels=PartialChannels(1))], ids=["none", "k 1"])
@pytest.mark.parametrize(("odd", "ways"), [(7, (6, 8)), (1, (2,))])
def test_an_odd_number_of_channels_without_partial_ones_is_refused_with_numbers_that_work_alone(base, odd, ways):
    message = refusal(base, search=replace(base.search, channels=odd))
    assert f"search.channels = {odd} is odd" in message
    assert message.endswith("set search.channels to " + " or ".join(map(str, ways)))
    assert "channels.k" not in message
    assert "channels=none" not in message
    for even in ways:
        replace(base, search=replace(base.search, channels=even))


@pytest.mark.parametrize(("channels", "helps"), [(6, True), (7, False)])
def test_dropping_the_partial_channels_is_offered_only_where_it_helps(channels, helps):
    search = replace(PC_DARTS.search, channels=channels)
    assert ("channels=none" in refusal(PC_DARTS, search=search)) == helps
    if helps:
        replace(PC_DARTS, search=search, channels=None)
    else:
        refusal(PC_DARTS, search=search, channels=None)


def test_two_faulty_pairs_are_told_at_once():
    message = refusal(
        PC_DARTS, relaxation=GumbelHard(), gradient=ExactHypergradient(), perturbation=Adversarial(),
        search=SearchSettings(channels=6),
    )  # fmt: skip
    for words in ("second-order", "perturbation", "search.channels = 6"):
        assert words in message
