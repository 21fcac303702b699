"""Errors, progress, random streams, citations, settings and run folders; imports nothing of ours."""

from edgewise.core.citations import CITATIONS, Citation
from edgewise.core.errors import (
    ConfigError,
    DataError,
    EdgewiseError,
    ExportError,
    GenotypeError,
    NonFiniteError,
    RunError,
    ShortOfMemoryError,
)
from edgewise.core.folder import RunFolder
from edgewise.core.progress import Phase, PlainProgress, Progress, SilentProgress, make_progress
from edgewise.core.provenance import device_name, git_state, peak_memory_bytes, reset_peak_memory, versions
from edgewise.core.settings import build, dump, merge, to_toml
from edgewise.core.settings_sets import apply_sets
from edgewise.core.settings_toml import from_toml
from edgewise.core.streams import Streams

__all__ = [
    "CITATIONS",
    "Citation",
    "ConfigError",
    "DataError",
    "EdgewiseError",
    "ExportError",
    "GenotypeError",
    "NonFiniteError",
    "Phase",
    "PlainProgress",
    "Progress",
    "RunError",
    "RunFolder",
    "ShortOfMemoryError",
    "SilentProgress",
    "Streams",
    "apply_sets",
    "build",
    "device_name",
    "dump",
    "from_toml",
    "git_state",
    "make_progress",
    "merge",
    "peak_memory_bytes",
    "reset_peak_memory",
    "to_toml",
    "versions",
]
