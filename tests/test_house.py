"""What CONTRIBUTING says of the house is what the house is."""

from __future__ import annotations

import ast
import re
import tomllib
from pathlib import Path

import edgewise

ROOT = Path(__file__).parents[1]
PACKAGE = Path(edgewise.__file__ or "").parent
MODULES = {
    ".".join(file.relative_to(PACKAGE.parent).with_suffix("").parts).removesuffix(".__init__"): file
    for file in PACKAGE.rglob("*.py")
}


def rooms_of_contributing() -> list[set[str]]:
    """The rooms of each line of the table, from the top down."""
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    table = text.partition("| room | what is in it |\n| --- | --- |\n")[2].partition("\n\n")[0]
    return [set(re.findall(r"`([\w]+)/?`", line.split("|")[1])) for line in table.splitlines()]


def rooms_of_contract() -> list[set[str]]:
    """The rooms of each layer that import-linter checks, from the top down."""
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    layers = settings["tool"]["importlinter"]["contracts"][0]["layers"]
    return [{name.strip().removeprefix("edgewise.") for name in layer.split("|")} for layer in layers]


def test_the_table_names_every_room_and_every_file_beside_them_once() -> None:
    named = [room for line in rooms_of_contributing() for room in line]
    folders = {path.parent.name for path in PACKAGE.glob("*/*.py")}
    files = {path.stem for path in PACKAGE.glob("*.py")} - {"__init__", "__main__"}
    assert len(named) == len(set(named))
    assert set(named) == folders | files


def test_imports_are_checked_between_the_lines_of_the_table() -> None:
    assert rooms_of_contributing() == rooms_of_contract()


def test_no_two_files_import_each_other() -> None:
    imports = {name: imported_by(file) for name, file in MODULES.items()}
    assert [
        (one, other) for one in imports for other in imports[one] if one < other and one in imports[other]
    ] == []


def imported_by(file: Path) -> set[str]:
    """The modules of edgewise that a file imports, within functions too."""
    found = set()
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module:
            names = {f"{node.module}.{alias.name}" for alias in node.names}
            # What is no module is a name in the one that is named.
            found |= names if names <= set(MODULES) else {node.module, *names}
        elif isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
    return found & set(MODULES)
