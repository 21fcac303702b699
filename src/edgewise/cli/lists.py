"""Commands that only look: recipes, spaces, check."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from edgewise.cli import options as opt
from edgewise.core.errors import ConfigError

CHECK_EXAMPLES = """Examples:

`edgewise check my-recipe.toml`

`edgewise check runs/search/genotype.json`
"""
LS_EXAMPLES = "Example: `edgewise recipes ls`"
SHOW_EXAMPLES = """Examples:

`edgewise recipes show pc-darts-gp`

`edgewise recipes show pc-darts --preset paper > my-recipe.toml`
"""
CITE_EXAMPLES = "Example: `edgewise recipes cite pc-darts-gp > nas.bib`"
SPACES_EXAMPLES = "Example: `edgewise spaces ls`"

NameArgument = Annotated[str, typer.Argument(metavar="NAME|FILE.toml", help="A recipe.")]


def list_recipes() -> None:
    """List the recipes."""
    from edgewise.methods import RECIPES

    width = max(map(len, RECIPES))
    for name, recipe in RECIPES.items():
        typer.echo(f"{name:<{width}}  {recipe.summary}")


def show_recipe(name: NameArgument, preset: opt.Preset = None, sets: opt.Sets = None) -> None:
    """Print every setting of a recipe as TOML, ready to be edited."""
    from edgewise.core.settings import to_toml
    from edgewise.pipeline import resolve

    settings = resolve(name, preset=None if preset is None else preset.value, sets=sets or [])
    typer.echo(to_toml(settings), nl=False)


def cite_recipe(name: NameArgument, preset: opt.Preset = None, sets: opt.Sets = None) -> None:
    """Print BibTeX of exactly the parts that a recipe uses."""
    from edgewise.pipeline import resolve

    settings = resolve(name, preset=None if preset is None else preset.value, sets=sets or [])
    typer.echo("\n\n".join(settings.bibtex()))


def list_spaces() -> None:
    """List the spaces."""
    from edgewise.spaces import SPACES

    width = max(map(len, SPACES))
    for name, space in SPACES.items():
        size = f"; {space.cells():,} cells of a type" if space.searchable else ""
        typer.echo(f"{name:<{width}}  {space.summary}{size}")


def check(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A recipe (.toml) or a genotype (.json).")],
) -> None:
    """Validate a recipe or a genotype; every fault is named."""
    if not file.is_file():
        raise ConfigError(f"{file}: no such file")
    if file.suffix == ".toml":
        from edgewise.pipeline import resolve

        settings = resolve(str(file))
        typer.echo(f"{file}: a valid recipe ({settings.name})")
    elif file.suffix == ".json":
        from edgewise.spaces import Genotype, describe_cell

        genotype = Genotype.from_file(file)
        cells = "; ".join(f"{name}: {describe_cell(figures)}" for name, figures in genotype.statistics().items())
        typer.echo(f"{file}: a valid genotype of space {genotype.space} ({cells})")
    else:
        raise ConfigError(
            f"{file}: expected a recipe (.toml) or a genotype (.json), found {file.suffix or 'no ending'}"
        )
