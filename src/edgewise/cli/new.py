"""The command that writes a package with something of the user's own."""

from __future__ import annotations

import re
from enum import StrEnum
from importlib.resources import files
from pathlib import Path
from string import Template
from typing import Annotated

import typer

from edgewise.errors import ConfigError

NEW_EXAMPLES = """Examples:

`edgewise new part alpha-decay` (writes edgewise-alpha-decay/, a part and a recipe that uses it)

`edgewise new strategy best-neighbour`

`edgewise new space tiny-cells --out plugins/tiny-cells`
"""


class Thing(StrEnum):
    """What can be begun."""

    part = "part"
    space = "space"
    strategy = "strategy"


def new(
    thing: Annotated[Thing, typer.Argument(help="What it is.")],
    name: Annotated[
        str,
        typer.Argument(metavar="NAME", help="What it is called: small letters and digits, with hyphens between."),
    ],
    out: Annotated[
        Path | None, typer.Option("--out", metavar="DIR", help="A new folder; edgewise-NAME if left out.")
    ] = None,
) -> None:
    """Write a package with a part (and a recipe), a space or a strategy of your own, and tests that pass."""
    if not re.fullmatch(r"[a-z][a-z0-9]*(-[a-z0-9]+)*", name):
        raise ConfigError(
            f"new {thing.value} {name!r}: a name has small letters and digits, with hyphens between: try "
            f"my-{thing.value}"
        )
    _check_free(name)
    folder = Path(f"edgewise-{name}") if out is None else out
    if folder.exists():
        raise ConfigError(f"{folder} is there already: give another folder (--out), or remove it")
    snake = name.replace("-", "_")
    words = {
        "kebab": name,
        "snake": snake,
        "camel": "".join(word.capitalize() for word in name.split("-")),
        "title": name.replace("-", " ").capitalize(),
    }
    folder.mkdir(parents=True)
    for template, target in (
        ("pyproject.toml", "pyproject.toml"),
        (f"{thing.value}.py", f"edgewise_{snake}.py"),
        (f"{thing.value}_test.py", f"test_{snake}.py"),
    ):
        text = files("edgewise.cli").joinpath("templates", f"{template}.txt").read_text(encoding="utf-8")
        (folder / target).write_text(Template(text).substitute(words), encoding="utf-8")
    typer.echo(f"{folder}: a package with a {thing.value}; its tests: `cd {folder} && pytest`")
    typer.echo(f"Use it by `--plugin {folder / f'edgewise_{snake}.py'}`, or install it by `pip install {folder}`.")


def _check_free(name: str) -> None:
    """Raises ConfigError where something of edgewise's own has the name, or its kind."""
    import edgewise.pipeline  # noqa: F401
    from edgewise.registry import Registry

    for table in Registry.tables:
        if name in table or name.replace("-", "_") in table:
            raise ConfigError(f"there is a {table.kind} {name!r} already: choose another name")
