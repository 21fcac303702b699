"""The studies that come with edgewise: the tables of the thesis."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import resources
from pathlib import Path
from typing import Any

from edgewise.config.schema import nearest
from edgewise.config.toml import from_toml
from edgewise.errors import ConfigError
from edgewise.study.spec import StudySpec, read_spec, spec_from_table


def shipped_names() -> list[str]:
    """The names of the shipped studies."""
    return sorted(
        entry.name.removesuffix(".toml") for entry in _folder().iterdir() if entry.name.endswith(".toml")
    )


def shipped_text(name: str) -> str:
    """A shipped study's TOML.

    Raises:
        ConfigError: there is no such study.
    """
    if name not in shipped_names():
        raise ConfigError(f"unknown study {name!r}: {nearest(name, shipped_names())}; or name a TOML file")
    return (_folder() / f"{name}.toml").read_text(encoding="utf-8")


def find_spec(
    name_or_file: str,
    *,
    data: str | None = None,
    scale: str | None = None,
    changes: Mapping[str, Any] | None = None,
) -> StudySpec:
    """Reads a shipped study or a file.

    Args:
        name_or_file: a shipped study's name, or a TOML file.
        data: the source of images; a folder that holds one named like the study's data stands for that one.
        scale: "tiny", "small" or "paper", where the study has scales; tiny for a shipped study if left out.
        changes: see `read_spec`.

    Raises:
        ConfigError: see `read_spec`; or there is no such study.
    """
    more = dict(changes or {})
    if name_or_file.endswith(".toml") or Path(name_or_file).is_file():
        path = Path(name_or_file)
        table = from_toml(path)
        return read_spec(path, more | _data(table, data) | ({"scale": scale} if scale else {}))
    table = from_toml(shipped_text(name_or_file))
    return spec_from_table(table, Path.cwd(), more | _data(table, data) | {"scale": scale or "tiny"})


def _data(table: Mapping[str, Any], data: str | None) -> dict[str, Any]:
    if data is None:
        return {}
    named = table.get("data", [])
    inside = [str(Path(data) / name) for name in named if isinstance(name, str) and (Path(data) / name).is_dir()]
    if named and len(inside) == len(named):
        return {"data": inside}
    if isinstance(named, list) and len(named) > 1:
        raise ConfigError(
            f"--data {data} stands for one source, but the study has {len(named)} "
            f"({', '.join(map(str, named))}): name a "
            "folder that holds one folder for each, or write the sources into the study's `data`"
        )
    return {"data": [data]}


def _folder() -> Any:
    return resources.files("edgewise.study") / "shipped"
