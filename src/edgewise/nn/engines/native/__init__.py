"""Kernels of our own for the CPU: compiled on first use where there is a compiler, and optional."""

from edgewise.nn.engines.native.build import Build, build_once, library
from edgewise.nn.engines.native.engine import NativeEngine, knows

__all__ = ["Build", "NativeEngine", "build_once", "knows", "library"]
