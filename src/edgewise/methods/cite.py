"""The citations of a recipe: exactly the parts that it uses."""

from __future__ import annotations

from edgewise.citations import CITATIONS, Citation
from edgewise.methods.recipe import Recipe


def citations(recipe: Recipe) -> tuple[Citation, ...]:
    """What a paper that uses `recipe` cites, without repeats: the method first, then its parts."""
    second_order = recipe.gradient.kind != "first_order"
    parts = {
        "thesis": recipe.projection is not None,
        "gradient-surgery": recipe.projection is not None,
        "pc-darts": recipe.channels is not None or recipe.edge_normalisation is not None,
        "gdas": recipe.relaxation.kind == "gumbel_hard",
        "p-darts": any((recipe.stages, recipe.skip_dropout, recipe.derivation.kind == "skip_limit")),
        "robust-darts": any((recipe.stop, recipe.adaptation, recipe.drop_path, recipe.weight_decay_ramp))
        or recipe.diagnostics.hessian_every > 0
        or recipe.space in ("s1", "s2", "s3", "s4"),
        "nas-bench-201": recipe.space == "nb201",
        "nasnet": recipe.space == "nasnet",
        "smooth-darts": recipe.perturbation is not None,
        "noisy-darts": recipe.noise is not None,
        "darts": second_order,
        **dict.fromkeys(recipe.sources, True),
        "sgdr": True,
        "googlenet": recipe.train.auxiliary > 0,
        "fractalnet": recipe.train.drop_path > 0 or recipe.drop_path is not None,
    }
    return tuple(CITATIONS[key] for key, used in parts.items() if used)
