"""Where the files of a run are, wherever it is gone on with: paths are remembered, and never asked of a hub."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from edgewise.data import DataSettings, absolute_path
from edgewise.errors import RunError

_HUB = "Hugging Face hub"


def path_facts(named: Mapping[str, str | None], folder: Path) -> dict[str, dict[str, str]]:
    """What run.json keeps of the paths that a run was begun with.

    Args:
        named: for each use ("data", "truth", "table") what the user named; what is no path there is left out.
        folder: the run folder.
    """
    paths = {what: absolute_path(text) for what, text in named.items() if text is not None}
    return {
        what: {"path": path, "path_from_run": os.path.relpath(path, folder.absolute())}
        for what, path in paths.items()
        if path is not None
    }


def seen_from(settings: DataSettings, folder: str) -> DataSettings:
    """The settings of images whose source may be relative to another folder than the working one.

    Args:
        settings: of the images.
        folder: that folder; empty for the working folder.
    """
    there = absolute_path(os.path.join(folder, settings.source)) if folder else None
    return settings if there in (None, absolute_path(settings.source)) else replace(settings, source=there)


def source_of_run(settings: DataSettings, run: Mapping[str, Any], folder: Path) -> DataSettings:
    """The settings of a run's images, with the source as it is found from here.

    Args:
        settings: the run's own, whose source may be relative to the folder where the run began.
        run: the content of run.json.
        folder: the run folder.

    Raises:
        RunError: the source was a path, and nothing is there any more.
    """
    # Version 0.1 kept no paths, but a note where images came from a hub.
    on_hub = any(_HUB in note for note in run.get("data", {}).get("notes", []))
    if settings.source == "digits" or on_hub:
        return settings
    source = path_of_run("data", settings.source, run, folder)
    if absolute_path(source) is None:
        looked = dict.fromkeys(_candidates("data", settings.source, run, folder))
        raise RunError(
            f"{folder}: {settings.source}, which the run began with, is not there any more (looked for "
            f"{', '.join(looked)}): restore it, or put a link there"
        )
    return replace(settings, source=source)


def path_of_run(what: str, named: str, run: Mapping[str, Any], folder: Path) -> str:
    """A path that a run was begun with, as it is found from here; as it was named where nothing is found.

    Args:
        what: its use, a key of `path_facts`.
        named: as the user named it, maybe relative to the folder where the run began.
        run: the content of run.json.
        folder: the run folder.
    """
    facts = run.get("paths", {}).get(what)
    if facts is not None and absolute_path(named) == facts["path"]:
        return named
    found = (path for path in _candidates(what, named, run, folder) if absolute_path(path) is not None)
    return next(found, named)


def _candidates(what: str, named: str, run: Mapping[str, Any], folder: Path) -> Iterator[str]:
    facts = run.get("paths", {}).get(what)
    if facts is not None:
        yield facts["path"]
        yield os.path.normpath(folder.absolute() / facts["path_from_run"])
        return
    yield named
    for parent in folder.absolute().parents:
        yield str(parent / named)
