"""How large a network may be: limits, how they are written, and the devices that set them."""

from edgewise.budget.amounts import (
    Bytes,
    Count,
    Milliseconds,
    read_bytes,
    read_count,
    read_milliseconds,
    show_bytes,
    show_count,
    show_figure,
)
from edgewise.budget.budget import EXACT, FIGURES, MEASURED, Budget, for_device, within_device
from edgewise.budget.devices import Device, devices, find_device

__all__ = [
    "EXACT",
    "FIGURES",
    "MEASURED",
    "Budget",
    "Bytes",
    "Count",
    "Device",
    "Milliseconds",
    "devices",
    "find_device",
    "for_device",
    "read_bytes",
    "read_count",
    "read_milliseconds",
    "show_bytes",
    "show_count",
    "show_figure",
    "within_device",
]
