"""The citations of a recipe: exactly the parts that it uses."""

from __future__ import annotations

from edgewise.citations import CITATIONS, Citation
from edgewise.errors import ConfigError
from edgewise.methods.recipe import Recipe
from edgewise.spaces.space import SPACES


def citations(recipe: Recipe) -> tuple[Citation, ...]:
    """What a paper that uses `recipe` cites, without repeats, in the order of the table of citations.

    Raises:
        ConfigError: a key stands in no table.
    """
    used = {*recipe.sources, *SPACES[recipe.space].sources, "sgdr"}
    used.update(key for part in recipe.all_parts() for key in part.citations())
    if recipe.train.auxiliary > 0:
        used.add("googlenet")
    if recipe.train.drop_path > 0:
        used.add("fractalnet")
    unknown = sorted(used - set(CITATIONS))
    if unknown:
        raise ConfigError(
            f"recipe {recipe.name} cites {', '.join(unknown)}, which is in no table: give its entry to "
            "edgewise.citations.register_citations"
        )
    return tuple(citation for key, citation in CITATIONS.items() if key in used)
