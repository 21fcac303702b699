"""Chooses one of several networks by training them a little: successive halving."""

from edgewise.selection.halving import Halving, Rung
from edgewise.selection.task import Entrant, SelectionTask

__all__ = ["Entrant", "Halving", "Rung", "SelectionTask"]
