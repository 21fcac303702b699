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
from edgewise.core.streams import Streams

__all__ = [
    "ConfigError",
    "DataError",
    "EdgewiseError",
    "ExportError",
    "GenotypeError",
    "NonFiniteError",
    "RunError",
    "Streams",
]
