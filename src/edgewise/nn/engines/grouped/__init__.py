"""Mixed cells in few operator calls, with PyTorch's own operators: any device, any precision, any derivative."""

from edgewise.nn.engines.grouped.cell import GroupedEngine

__all__ = ["GroupedEngine"]
