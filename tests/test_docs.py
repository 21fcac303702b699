"""The pages in docs/: recipes, settings, commands and links that they name are those of the code."""

from __future__ import annotations

import re
import shlex
import tomllib
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from typer.main import get_command

from edgewise.cli.main import app
from edgewise.config.build import dump
from edgewise.methods import RECIPES
from edgewise.pipeline import resolve, resolve_explore

DOCS = Path(__file__).parents[1] / "docs"
PAGES = sorted(DOCS.rglob("*.md"))
METHOD_PAGES = sorted((DOCS / "methods").glob("*.md"))
DEFAULT_RECIPE = "pc-darts-gp"
SETTINGS_OF = re.compile(r"[Ss]ettings of `([a-z0-9-]+)`")
ROW = re.compile(r"^\| `([a-z_0-9.]+)` \| ([^|]+) \| ([^|]+) \|$")
LINK = re.compile(r"\]\(([^)\s]+)\)")


def name_of(page: Path) -> str:
    return page.relative_to(DOCS).as_posix()


def commands(page: Path) -> list[list[str]]:
    """The words of every command that stands in a code block, without what the shell takes for itself."""
    lines = [line.strip() for line in page.read_text().splitlines() if line.startswith("    edgewise ")]
    return [_without_plugins(shlex.split(line.partition(" > ")[0], comments=True)[1:]) for line in lines]


def _without_plugins(words: list[str]) -> list[str]:
    """The words without `--plugin FILE`, which every command takes, and without a recipe that comes from there."""
    if "--plugin" not in words:
        return words
    place = words.index("--plugin")
    words = words[:place] + words[place + 2 :]
    return words[: words.index("--recipe")] if "--recipe" in words else words


def values_of(words: list[str], option: str) -> list[str]:
    return [words[i + 1] for i, word in enumerate(words) if word == option]


def recipe_in(words: list[str]) -> str:
    named = values_of(words, "--recipe")
    if named:
        return named[0]
    return words[2] if words[0] == "recipes" and words[1] != "ls" else DEFAULT_RECIPE


def resolve_explored(words: list[str]) -> None:
    """Reads the settings of a black-box search; a command that resumes one has none."""
    score = values_of(words, "--score")
    if score:
        strategy = (values_of(words, "--strategy") or ["evolution"])[0]
        space = (values_of(words, "--space") or ["nb201"])[0]
        resolve_explore(strategy, score=score[0], space=space, sets=values_of(words, "--set"))


def default_rows(page: Path) -> list[tuple[str, str, str, str]]:
    """Recipe, path, value and source of every row of the page's tables of settings."""
    rows, recipe, inside = [], None, False
    for line in page.read_text().splitlines():
        found = SETTINGS_OF.search(line)
        recipe = found[1] if found else recipe
        inside = line == "| setting | value | source |" or (inside and line.startswith("|"))
        row = ROW.match(line) if inside else None
        if row:
            assert recipe is not None, f"{name_of(page)}: a table of settings without a recipe before it"
            rows.append((recipe, row[1], row[2].strip(), row[3].strip()))
        elif inside:
            assert line.startswith(("| setting |", "| --- |")), f"{name_of(page)}: no row of settings: {line}"
    return rows


def written(text: str) -> Any:
    """The value that a table's cell spells: as TOML, else the text itself."""
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return text


def at(table: dict[str, Any], path: str) -> Any:
    value: Any = table
    for name in path.split("."):
        value = value[name]
    return list(value) if isinstance(value, tuple) else value


def anchors(page: Path) -> set[str]:
    """The fragments that lead to a page's headings."""
    titles = [line.lstrip("#").strip() for line in page.read_text().splitlines() if line.startswith("#")]
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


def test_there_are_pages() -> None:
    assert {"README.md", "diagnostics.md", "methods/gradient-projection.md"} <= {name_of(page) for page in PAGES}


@pytest.mark.parametrize("recipe", RECIPES)
def test_every_recipe_is_on_a_page_of_the_methods_and_in_the_index(recipe: str) -> None:
    base = recipe.removesuffix("-gp")
    assert any(f"`{base}`" in page.read_text() for page in METHOD_PAGES)
    assert re.search(rf"^\|.*`{recipe}`.*\|$", (DOCS / "README.md").read_text(), re.MULTILINE)


@pytest.mark.parametrize("recipe", [name for name in RECIPES if f"{name}-gp" in RECIPES])
def test_the_twin_with_projection_differs_from_its_recipe_in_nothing_else(recipe: str) -> None:
    plain, twin = RECIPES[recipe], RECIPES[f"{recipe}-gp"]
    assert replace(twin, name=plain.name, summary=plain.summary, projection=None) == plain


@pytest.mark.parametrize("page", METHOD_PAGES, ids=name_of)
def test_every_page_of_a_method_has_its_sections_its_commands_and_its_table(page: Path) -> None:
    text = page.read_text()
    for part in ("## What it does", "## Parts", "## Run it", "## What it can't be combined with", "## Deviations"):
        assert part in text, part
    assert any(words[0] == "run" for words in commands(page))
    assert any(words[:2] == ["recipes", "cite"] for words in commands(page))
    assert default_rows(page)


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_every_command_is_one_that_the_command_line_takes(page: Path) -> None:
    for words in commands(page):
        context, command, rest = None, get_command(app), list(words)
        while hasattr(command, "commands"):
            context = command.make_context(rest[0], [], parent=context, resilient_parsing=True)
            assert rest[0] in command.commands, words
            command = command.commands[rest.pop(0)]
        command.make_context(words[0], rest, parent=context)


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_every_recipe_and_every_set_of_a_command_resolves(page: Path) -> None:
    for words in commands(page):
        if words[0] == "explore":
            resolve_explored(words)
            continue
        recipe = recipe_in(words)
        if recipe.endswith(".toml"):
            continue
        preset = (values_of(words, "--preset") or [None])[0]
        resolve(recipe, preset=preset, sets=values_of(words, "--set"))


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_every_set_stands_in_a_command_or_names_a_setting(page: Path) -> None:
    in_commands = sum(len(values_of(words, "--set")) for words in commands(page))
    inline = re.findall(r"`--set ([^`]+)`", page.read_text())
    for text in inline:
        resolve(DEFAULT_RECIPE, sets=[text])
    assert len(re.findall(r"--set [a-z_]+[.=]", page.read_text())) == in_commands + len(inline)


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_every_default_in_a_table_of_settings_is_that_of_the_recipe(page: Path) -> None:
    for recipe, path, value, source in default_rows(page):
        assert at(dump(RECIPES[recipe]), path) == written(value), f"{recipe}: {path}"
        assert source


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_every_relative_link_leads_somewhere(page: Path) -> None:
    for link in LINK.findall(page.read_text()):
        if "://" in link:
            continue
        path, _, fragment = link.partition("#")
        target = page.parent / path if path else page
        assert target.exists(), link
        assert not fragment or fragment in anchors(target), link
