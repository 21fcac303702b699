"""The citations of a recipe: exactly the parts that it uses."""

from __future__ import annotations

from edgewise.core.citations import CITATIONS, Citation
from edgewise.methods.recipe import Recipe


def citations(recipe: Recipe) -> tuple[Citation, ...]:
    """What a paper that uses `recipe` cites, without repeats: the method first, then its parts."""
    parts = {
        "thesis": recipe.projection is not None,
        "gradient-surgery": recipe.projection is not None,
        "pc-darts": recipe.channels is not None or recipe.edge_normalisation is not None,
        **dict.fromkeys(recipe.sources, True),
        "sgdr": True,
        "googlenet": recipe.train.auxiliary > 0,
        "fractalnet": recipe.train.drop_path > 0,
    }
    return tuple(CITATIONS[key] for key, used in parts.items() if used)
