"""From the text in `data.source` to a source."""

from __future__ import annotations

import difflib
import glob
import os
import re
from collections.abc import Callable
from pathlib import Path
from urllib.parse import unquote_to_bytes

from edgewise.data.digits import digits_source
from edgewise.data.folder import folder_source
from edgewise.data.hub import SHORT_NAMES, hub_source
from edgewise.data.parquet import parquet_source
from edgewise.data.settings import DataSettings
from edgewise.data.source import Source
from edgewise.errors import DataError
from edgewise.registry import Registry
from edgewise.text import readable

_HUB_NAME = re.compile(r"^\w[\w.-]*/\w[\w.-]*(:[\w.-]+)?$")
_URI = "file://"

SOURCES: Registry[Callable[[DataSettings], Source]] = Registry("source")
"""What opens `data.source` where that is the name of a source, or `NAME:REST`."""

SOURCES.register("digits", lambda settings: digits_source())


def _opener(source: str) -> Callable[[DataSettings], Source] | None:
    return SOURCES.get(source.partition(":")[0])


def absolute_path(source: str) -> str | None:
    """The absolute path or pattern that a source means; None where it is none, or nothing is there.

    Args:
        source: what stands in `data.source`.
    """
    if _opener(source) is not None:
        return None
    path = path_of(source)
    there = path.exists() or (glob.has_magic(source) and any(glob.iglob(str(path), recursive=True)))
    return os.path.abspath(path) if there else None


def path_of(source: str) -> Path:
    """The path that a source means if it is one; file:// stands before names that are no text in UTF-8."""
    if source.startswith(_URI):
        return Path(os.fsdecode(unquote_to_bytes(source.removeprefix(_URI))))
    return Path(source).expanduser()


def as_text(source: str) -> str:
    """A source as a recipe can hold it: a path with bytes that are no UTF-8 becomes a file:// address.

    Args:
        source: as the command line or Python gives it.
    """
    return source if readable(source) == source else Path(os.path.abspath(path_of(source))).as_uri()


def open_source(settings: DataSettings) -> Source:
    """Finds out what `settings.source` is, and lists its images; none is read yet.

    Raises:
        DataError: it is nothing, or nothing that holds labelled images.
    """
    name = settings.source
    opener = _opener(name)
    if opener is not None:
        return opener(settings)
    path = path_of(name)
    if path.is_dir():
        files = [*path.glob("*.parquet"), *path.glob("*/*.parquet")]
        return parquet_source(settings, files) if files else folder_source(path, name)
    if path.is_file():
        return parquet_source(settings, [_parquet(path)])
    if glob.has_magic(name):
        files = [Path(found) for found in sorted(glob.glob(str(path), recursive=True))]
        if not files:
            raise DataError(f"no file matches {name!r} in {Path.cwd()}: check the path and the pattern")
        return parquet_source(settings, [_parquet(file) for file in files])
    if name in SHORT_NAMES or (_HUB_NAME.match(name) and not Path(name).parent.is_dir()):
        return hub_source(settings)
    raise DataError(_nothing_there(name, path))


def _parquet(path: Path) -> Path:
    if path.suffix.lower() != ".parquet":
        raise DataError(
            f"{path} is not an image data set: expected a parquet file, a folder of parquet files, or a folder of "
            f"images with a folder for each class"
        )
    return path


def _nothing_there(name: str, path: Path) -> str:
    """The message for a path that does not exist, with the nearest one that does."""
    known = (*SOURCES, *SHORT_NAMES)
    missing = path
    while not missing.parent.exists():
        missing = missing.parent
    siblings = [child.name for child in missing.parent.iterdir()] if missing.parent.is_dir() else []
    near = [str(missing.parent / one) for one in difflib.get_close_matches(missing.name, siblings, n=1)]
    near = difflib.get_close_matches(name, known, n=1) or near
    hint = f"; did you mean {near[0]}?" if near else ""
    return (
        f"there is no folder or file {name!r} (looked in {missing.parent.absolute()}){hint} Expected a path, one "
        f"of {', '.join(known)}, or owner/name on the Hugging Face hub"
    )
