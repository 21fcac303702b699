"""Packages that add recipes, parts, spaces, strategies, scores and the like to edgewise's tables.

A plug-in is a module that registers things while it is imported: a file that the user names (`--plugin FILE.py`),
a module (`--plugin NAME`), or an entry point of the group `edgewise` of an installed package. Nothing that stands
in a run folder ever loads one: a run folder says which plug-ins it needs, and the user gives them.
"""

from __future__ import annotations

import importlib
import json
import logging
import os
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgewise.errors import ConfigError, EdgewiseError, RunError
from edgewise.registry import Registry

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

GROUP = "edgewise"
ENVIRONMENT = "EDGEWISE_PLUGINS"
"""Names of files and modules, parted as in PATH: what worker processes load as their parent did."""


@dataclass(frozen=True)
class Plugin:
    """A plug-in that is loaded.

    Args:
        name: of the file without .py, of the module, or of the installed package.
        version: the package's, the module's `__version__`, or the beginning of the file's SHA-256.
        given: how it came: the text after `--plugin`, or "installed".
        adds: the kind and the name of each thing that it has registered.
    """

    name: str
    version: str
    given: str
    adds: tuple[tuple[str, str], ...]


_loaded: dict[str, Plugin] = {}


def loaded_plugins() -> tuple[Plugin, ...]:
    """All plug-ins that are loaded, in order."""
    return tuple(_loaded.values())


def load_plugin(given: str | Path) -> Plugin:
    """Loads a plug-in, once.

    Args:
        given: a Python file (it ends with .py), or the name of a module.

    Raises:
        ConfigError: there is none, its code fails, or a name that it registers is taken.
    """
    text = str(given)
    is_file = text.endswith(".py")
    path = Path(text).expanduser().resolve()
    key = str(path) if is_file else text
    if key not in _loaded:
        if is_file and not path.is_file():
            raise ConfigError(f"--plugin {text}: there is no such file")
        _loaded[key] = _load(lambda: _run_file(path) if is_file else importlib.import_module(text), text)
        known = [one for one in os.environ.get(ENVIRONMENT, "").split(os.pathsep) if one]
        if key not in known:
            os.environ[ENVIRONMENT] = os.pathsep.join([*known, key])
    return _loaded[key]


def load_installed() -> tuple[Plugin, ...]:
    """Loads the entry points of the group `edgewise` of installed packages, and what the environment names.

    Raises:
        ConfigError: one of them fails; says which package it is.
    """
    for entry in _entry_points():
        if entry.value not in _loaded:
            plugin = _load(entry.load, f"{entry.name} = {entry.value}")
            package = entry.dist
            name, version = (package.name, package.version) if package else (plugin.name, plugin.version)
            _loaded[entry.value] = Plugin(name, version, "installed", plugin.adds)
    for key in os.environ.get(ENVIRONMENT, "").split(os.pathsep):
        if key:
            load_plugin(key)
    return loaded_plugins()


@cache
def _entry_points() -> tuple[EntryPoint, ...]:
    from importlib import metadata  # slow to load, as help is not to be

    return tuple(sorted(metadata.entry_points(group=GROUP), key=lambda entry: entry.name))


def _load(load: Any, given: str) -> Plugin:
    # What edgewise itself registers must stand in the tables first, or it would count as the plug-in's.
    importlib.import_module("edgewise.pipeline")
    before = {id(table): set(table) for table in Registry.tables}
    try:
        module = load()
    except EdgewiseError as error:
        raise ConfigError(f"plug-in {given}: {error}") from error
    except Exception as error:
        raise ConfigError(f"plug-in {given} can't be loaded: {type(error).__name__}: {error}") from error
    adds = tuple(
        (table.kind, name) for table in Registry.tables for name in table if name not in before.get(id(table), ())
    )
    name = getattr(module, "__name__", type(module).__name__)
    return Plugin(name.removeprefix(_PREFIX), _version(module), given, adds)


_PREFIX = "edgewise_plugin_"


def _run_file(path: Path) -> Any:
    import importlib.util

    name = f"{_PREFIX}{path.stem}"
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[name]
        raise
    return module


def _version(module: Any) -> str:
    import hashlib
    from importlib import metadata

    version = getattr(module, "__version__", None)
    if isinstance(version, str):
        return version
    package = getattr(module, "__name__", "").partition(".")[0]
    for distribution in metadata.packages_distributions().get(package, []):
        return metadata.version(distribution)
    file = getattr(module, "__file__", None)
    return hashlib.sha256(Path(file).read_bytes()).hexdigest()[:12] if file else "unknown"


def plugins_of(*settings: Any) -> list[dict[str, str]]:
    """The plug-ins of which something stands in settings, as a run folder notes them.

    Args:
        settings: plain tables and values; each text in them may be the name of something registered.
    """
    names = {name for table in settings for text in _texts(table) for name in (text, text.partition(":")[0])}
    return [
        {"name": plugin.name, "version": plugin.version, "given": plugin.given}
        for plugin in loaded_plugins()
        if any(name in names for _, name in plugin.adds)
    ]


def _texts(value: Any) -> Iterable[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for key, inner in value.items():
            yield str(key)
            yield from _texts(inner)
    elif isinstance(value, Sequence):
        for inner in value:
            yield from _texts(inner)


def require_plugins(noted: Any, where: str) -> None:
    """Raises RunError where a plug-in that a run folder notes is not loaded: says which, and how to give it.

    Args:
        noted: what `plugins_of` gave when the run began.
        where: the run folder.
    """
    notes = [one for one in noted if isinstance(one, Mapping)] if isinstance(noted, list) else []
    if not notes:
        return
    there = {_plain(plugin.name): plugin for plugin in load_installed()}
    missing = [one for one in notes if _plain(one.get("name")) not in there]
    for one in notes:
        loaded = there.get(_plain(one.get("name")))
        if loaded is not None and loaded.version != one.get("version"):
            _say_once(
                f"note: {where} began with version {one.get('version')} of plug-in {loaded.name}, and version "
                f"{loaded.version} is loaded: numbers may differ"
            )
    if missing:
        one = missing[0]
        way = f"install {one.get('name')} {one.get('version')}"
        if one.get("given") != "installed":
            way = f"add --plugin {one.get('given')} (in Python: edgewise.load_plugin)"
        others = f", and {len(missing) - 1} more" if len(missing) > 1 else ""
        raise RunError(
            f"{where} needs the plug-in {one.get('name')}, version {one.get('version')}{others}, which is not "
            f"loaded: {way}"
        )


def _plain(name: object) -> str:
    """A name by which a package and its module are the same."""
    return str(name).lower().replace("-", "_")


@cache
def _say_once(text: str) -> None:
    logging.getLogger(__name__).warning(text)


def require_plugins_of(folder: Path) -> None:
    """As `require_plugins`, for what a folder's run.json notes; a folder without one needs none.

    Args:
        folder: perhaps a run folder.
    """
    try:
        run = json.loads((folder / "run.json").read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return
    if isinstance(run, dict):
        require_plugins(run.get("plugins", ()), str(folder))
