"""Mixed cells in few operator calls, with PyTorch's own operators: any device, any precision, any derivative."""

from edgewise.nn.grouped.cell import GroupedCell
from edgewise.nn.grouped.pays import pays

__all__ = ["GroupedCell", "pays"]
