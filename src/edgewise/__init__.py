"""edgewise: neural architecture search that learns which operation belongs on which edge of a cell."""

__all__ = ["__version__"]

__version__ = "0.1.0"
