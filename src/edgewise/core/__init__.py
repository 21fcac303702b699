"""Errors, progress, random streams, citations, settings and run folders; imports nothing of ours."""

from edgewise.core.errors import (
    ConfigError,
    DataError,
    EdgewiseError,
    ExportError,
    GenotypeError,
    NonFiniteError,
    RunError,
)
from edgewise.core.folder import RunFolder
from edgewise.core.settings import build, dump, merge
from edgewise.core.settings_sets import apply_sets
from edgewise.core.settings_toml import from_toml, to_toml
from edgewise.core.streams import Streams

__all__ = [
    "ConfigError",
    "DataError",
    "EdgewiseError",
    "ExportError",
    "GenotypeError",
    "NonFiniteError",
    "RunError",
    "RunFolder",
    "Streams",
    "apply_sets",
    "build",
    "dump",
    "from_toml",
    "merge",
    "to_toml",
]
