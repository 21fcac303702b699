"""Which parts can't be combined: which two, why, and what to drop."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edgewise.methods.gumbel import GumbelHard
from edgewise.methods.second_order import ExactHypergradient, FiniteDifference
from edgewise.spaces.space import SPACES
from edgewise.spaces.space import space as find_space

if TYPE_CHECKING:
    from edgewise.methods.recipe import Recipe


def recipe_faults(recipe: Recipe) -> list[str]:
    """Everything that keeps the parts from working together, a sentence each."""
    faults = []
    if recipe.space not in SPACES or not find_space(recipe.space).searchable:
        known = ", ".join(name for name, space in SPACES.items() if space.searchable)
        faults.append(f"space {recipe.space!r} can't be searched: choose one of {known}")
    faults += _warm_up_faults(recipe) + _pair_faults(recipe) + _skip_faults(recipe)
    faults += _size_faults(recipe)
    for name in ("weights", "train"):
        section = getattr(recipe, name)
        if section.lr_min > section.lr:
            faults.append(
                f"{name}.lr_min = {section.lr_min} is above {name}.lr = {section.lr}, where the cosine starts: "
                f"lower {name}.lr_min or raise {name}.lr"
            )
    return faults


def _warm_up_faults(recipe: Recipe) -> list[str]:
    stages = recipe.stages
    if stages is not None:
        faults = stages.faults(recipe.search.epochs)
        if faults:
            return faults
    shortest = recipe.search.epochs if stages is None else min(stages.lengths(recipe.search.epochs))
    if recipe.frozen_epochs < shortest:
        return []
    length = f"search.epochs = {recipe.search.epochs}"
    if stages is not None:
        length = f"a stage of {shortest} epochs ({length} in {len(stages.add_layers)} stages)"
    return [
        f"warm_up.epochs = {recipe.frozen_epochs} leaves no epoch of {length} "
        "in which alpha learns: lower warm_up.epochs, raise search.epochs, or drop it (warm_up=none)"
    ]


def _pair_faults(recipe: Recipe) -> list[str]:
    """Pairs of parts that have no meaning together."""
    sampled = isinstance(recipe.relaxation, GumbelHard)
    ahead = isinstance(recipe.gradient, (ExactHypergradient, FiniteDifference))
    random_forward = recipe.noise or recipe.skip_dropout or recipe.drop_path
    pairs = [
        (
            sampled and ahead,
            "relaxation gumbel_hard and a second-order gradient: a straight-through sample has no second "
            "derivative; take relaxation.kind=softmax or gradient.kind=first_order",
        ),
        (
            sampled and recipe.perturbation is not None,
            "relaxation gumbel_hard and perturbation: the box around a one-hot sample is no neighbourhood of "
            "alpha's mixture; drop perturbation (perturbation=none) or take relaxation.kind=softmax",
        ),
        (
            isinstance(recipe.gradient, FiniteDifference) and random_forward is not None,
            "gradient finite_difference and random outputs (noise, skip_dropout or drop_path): the difference of "
            "two losses with different draws is no derivative; take gradient.kind=exact, or drop the other part",
        ),
        (
            recipe.stages is not None and recipe.stop is not None,
            "stages and stop: alpha starts anew in every stage, so eigenvalues of different stages can't be "
            "compared; drop one of them (stages=none or stop=none)",
        ),
        (
            recipe.adaptation is not None and recipe.stop is None,
            "adaptation without stop: it acts when the stop rule fires; add it (stop.kind=hessian_stop) or drop "
            "adaptation (adaptation=none)",
        ),
        (
            recipe.adaptation is not None and recipe.weight_decay_ramp is not None,
            "adaptation and weight_decay_ramp: both set the weight decay; drop one of them "
            "(adaptation=none or weight_decay_ramp=none)",
        ),
        (
            recipe.adaptation is not None and recipe.weights.weight_decay == 0.0,
            "adaptation and weights.weight_decay = 0: 0 can't be multiplied up; give a weight decay above 0, or "
            "drop adaptation (adaptation=none)",
        ),
    ]
    return [text for wrong, text in pairs if wrong]


def _skip_faults(recipe: Recipe) -> list[str]:
    faults = []
    space = SPACES.get(recipe.space)
    if space is not None and "skip_connect" not in space.primitives:
        faults = [
            f"{name} acts on skip_connect, and space {recipe.space} has none: drop it ({name}=none), or take "
            "another space"
            for name in ("noise", "skip_dropout")
            if getattr(recipe, name) is not None
        ]
    if recipe.stages is not None and space is not None and recipe.stages.primitives:
        first = recipe.stages.primitives[0]
        if first < len(space.primitives):
            faults.append(
                f"stages.primitives[0] = {first}: the edges of space {recipe.space} start with "
                f"{len(space.primitives)} primitives, and nothing is known about them yet: give at least that many"
            )
    stages = 1 if recipe.stages is None else len(recipe.stages.add_layers)
    if recipe.skip_dropout is not None and len(recipe.skip_dropout.rates) != stages:
        faults.append(
            f"skip_dropout.rates has {len(recipe.skip_dropout.rates)} entries for {stages} "
            f"{'stage' if stages == 1 else 'stages'}: give one rate a stage, or drop it (skip_dropout=none)"
        )
    return faults


def _size_faults(recipe: Recipe) -> list[str]:
    faults = []
    channels, k = recipe.search.channels, recipe.k
    if k < 1:
        faults.append(f"channels.k = {k}: K is at least 1; 1 sends all channels through, as DARTS does")
    elif k > 1 and (channels % k or (channels // k) % 2):
        # Without partial channels, the number itself has to be even.
        way = ", or drop the partial channels (channels=none)" if channels % 2 == 0 else ""
        faults.append(
            f"search.channels = {channels} does not go with channels.k = {k}: a mixed operation needs an even "
            f"number of channels / K; try search.channels = {2 * k * max(1, channels // (2 * k))}{way}"
        )
    if k == 1 and channels % 2:
        near = " or ".join(str(even) for even in (channels - 1, channels + 1) if even > 0)
        faults.append(
            f"search.channels = {channels} is odd, and a factorised reduction halves it: set search.channels to "
            f"{near}"
        )
    if recipe.train.channels < 2:
        faults.append(
            f"train.channels = {recipe.train.channels}: a factorised reduction needs at least 2: set "
            "train.channels to 2 or more"
        )
    space, auxiliary = SPACES.get(recipe.space), recipe.train.auxiliary
    if space is not None and space.skeleton == "nb201" and auxiliary > 0:
        faults.append(
            f"train.auxiliary = {auxiliary}: networks of space {recipe.space} have no auxiliary head, as there is "
            "no reduction cell to carry it: set train.auxiliary=0"
        )
    return faults
