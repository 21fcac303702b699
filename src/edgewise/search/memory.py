"""What a search says when memory was not enough for it."""

from __future__ import annotations

from contextlib import AbstractContextManager

from edgewise.methods import Recipe
from edgewise.runtime.memory import explaining_memory


def explaining_search_memory(recipe: Recipe) -> AbstractContextManager[None]:
    """Within it, a lack of memory becomes an error that names the search's sizes and what to change.

    Args:
        recipe: of the search.
    """
    size, low = recipe.search, recipe.search.memory == "low"
    ways = [f"a smaller search.batch_size (it is {size.batch_size})"]
    if not low:
        ways.insert(0, "--memory low (cells are computed twice instead of kept)")
    ways.append("a larger channels.k" if recipe.channels is not None else "partial channels (channels.k=4)")
    ways.append("smaller search.channels or search.layers")
    return explaining_memory(
        "the search",
        f"batch {size.batch_size}, C {size.channels}, K {recipe.k}, {size.layers} layers, memory {size.memory}",
        f"start with {', '.join(ways[:-1])} or {ways[-1]}",
        resume_with="" if low else "--memory low",
    )
