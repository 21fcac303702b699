"""Kernels of our own for the CPU: compiled on first use where there is a compiler, and optional."""

from edgewise.nn.native.build import library
from edgewise.nn.native.engine import can_run, run_cell

__all__ = ["can_run", "library", "run_cell"]
