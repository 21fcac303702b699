"""The errors that edgewise raises on purpose: each says what, where, the value found, and what to do."""

from __future__ import annotations

from edgewise.text import printable


class EdgewiseError(Exception):
    """Something that the user can put right; the command line prints it without a traceback.

    Args:
        message: what, where, the value found, what to do; control characters in it are escaped, and what has no
            end is cut.
    """

    def __init__(self, message: str) -> None:
        super().__init__(printable(message))


class ConfigError(EdgewiseError):
    """A setting, recipe or flag is unknown, malformed or can't be combined with another."""


class DataError(EdgewiseError):
    """Images or labels are missing, unreadable or too few."""


class GenotypeError(EdgewiseError):
    """A genotype does not fit its space."""


class RunError(EdgewiseError):
    """A run folder is missing, foreign, damaged or can't be written."""


class NoFitError(RunError):
    """No network of what a run has found fits the budget."""


class NonFiniteError(RunError):
    """A loss, gradient or architecture parameter became infinite or NaN."""


class DivergedError(NonFiniteError):
    """A training's loss left all bounds: the network can't be used."""


class ShortOfMemoryError(RunError):
    """There was not enough memory.

    Args:
        message: what, where, what to do.
        resume_with: options that a stopped run can be resumed with and needs less; empty for none.
    """

    def __init__(self, message: str, *, resume_with: str = "") -> None:
        super().__init__(message)
        self.resume_with = resume_with


class ExportError(EdgewiseError):
    """A network could not be written or does not agree with its exported copy."""
