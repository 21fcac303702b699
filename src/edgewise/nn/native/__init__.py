"""Kernels of our own for the CPU: compiled on first use where there is a compiler, and optional."""

from edgewise.nn.native.build import Build, build_once, library
from edgewise.nn.native.engine import can_run, knows, run_cell

__all__ = ["Build", "build_once", "can_run", "knows", "library", "run_cell"]
