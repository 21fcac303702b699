"""Mixed cells in few operator calls, with PyTorch's own operators: any device, any precision, any derivative."""

from edgewise.nn.grouped.cell import GroupedCell

__all__ = ["GroupedCell"]
