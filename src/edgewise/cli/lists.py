"""Commands that only look: recipes, spaces, plug-ins, check."""

from __future__ import annotations

import os.path
import shutil
import sys
import textwrap
from pathlib import Path
from typing import Annotated

import typer

from edgewise.cli import options as opt
from edgewise.errors import ConfigError

CHECK_EXAMPLES = """Examples:

`edgewise check my-recipe.toml`

`edgewise check runs/search/genotype.json`

`edgewise check genotypes.py:PDARTS` (a file of the authors' code)
"""
LS_EXAMPLES = "Example: `edgewise recipes ls`"
SHOW_EXAMPLES = """Examples:

`edgewise recipes show pc-darts-gp`

`edgewise recipes show pc-darts --preset paper > my-recipe.toml`
"""
RECIPES_CITE_EXAMPLES = "Example: `edgewise recipes cite pc-darts-gp > nas.bib`"
CITE_EXAMPLES = """Examples:

`edgewise cite pc-darts-gp > nas.bib`

`edgewise cite my-recipe.toml`

`edgewise cite r-darts-ada --set space=s1`
"""
SPACES_EXAMPLES = "Example: `edgewise spaces ls`"
PLUGINS_EXAMPLES = "Example: `edgewise plugins` (with --plugin FILE.py, what that file adds too)"

NameArgument = Annotated[str, typer.Argument(metavar="NAME|FILE.toml", help="A recipe.")]


def list_recipes() -> None:
    """List the recipes: each without and with gradient projection, and what it does."""
    from edgewise.methods import ALIASES, RECIPES

    twins = {name: f"{name}-gp" for name in RECIPES if f"{name}-gp" in RECIPES}
    plain = [name for name in RECIPES if name not in twins.values()]
    widths = max(map(len, plain)), max(map(len, twins.values()))
    for name in plain:
        twin = twins.get(name, "")
        indent = " " * (sum(widths) + 4)
        first = f"{name:<{widths[0]}}  {twin:<{widths[1]}}  "
        typer.echo(_wrapped(RECIPES[name].summary, first, indent))
    others = ", ".join(f"{alias} is {name}" for alias, name in ALIASES.items())
    typer.echo(f"\nThe second column adds gradient projection. Other names: {others}.")


def _wrapped(text: str, first: str, indent: str) -> str:
    """A text behind a first part, cut into lines in a terminal and left whole elsewhere."""
    width = terminal_width()
    if width is None:
        return first + text
    return textwrap.fill(text, max(width, len(indent) + 30), initial_indent=first, subsequent_indent=indent)


def terminal_width() -> int | None:
    """Columns of the terminal; None where the output goes elsewhere."""
    return shutil.get_terminal_size().columns if sys.stdout.isatty() else None


def show_recipe(name: NameArgument, preset: opt.Preset = None, sets: opt.Sets = None) -> None:
    """Print every setting of a recipe as TOML, ready to be edited."""
    from edgewise.config.build import to_toml
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


def list_plugins() -> None:
    """List the plug-ins that are loaded with what they add, and every table that a plug-in can add to."""
    import edgewise.pipeline  # noqa: F401
    from edgewise.plugins import loaded_plugins
    from edgewise.registry import Registry

    for plugin in loaded_plugins():
        adds = ", ".join(f"{kind} {name}" for kind, name in plugin.adds) or "nothing"
        way = plugin.given if plugin.given == "installed" else f"--plugin {plugin.given}"
        typer.echo(_wrapped(f"{plugin.name} {plugin.version} ({way}) adds {adds}", "", "    "))
    if not loaded_plugins():
        typer.echo("No plug-in is loaded: give one by --plugin FILE.py, or install one.")
    typer.echo("\nTables:")
    width = max(len(table.kind) for table in Registry.tables)
    for table in Registry.tables:
        typer.echo(_wrapped(", ".join(table), f"{table.kind:<{width}}  ", " " * (width + 2)))


def check(
    given: Annotated[
        str,
        typer.Argument(
            metavar="FILE",
            help="A recipe (.toml), or a genotype: a file (FILE:NAME where it holds several), run folder or text.",
        ),
    ],
) -> None:
    """Validate a recipe or a genotype; every fault is named."""
    if given.endswith(".toml"):
        from edgewise.pipeline import resolve

        if not Path(given).is_file():
            raise ConfigError(f"{given}: no such file")
        settings = resolve(given)
        typer.echo(f"{given}: a valid recipe ({settings.name})")
        return
    from edgewise.spaces import describe_cell, name_genotype, read_genotype

    genotype = read_genotype(given)
    cells = "; ".join(f"{name}: {describe_cell(figures)}" for name, figures in genotype.statistics().items())
    # A text is cut; a file's name is not.
    name = given if os.path.exists(given.rpartition(":")[0] or given) else name_genotype(given)
    typer.echo(f"{name}: a valid genotype of space {genotype.space} ({cells})")
