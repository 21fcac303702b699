"""How large a network may be: limits, how they are written, and the devices that set them."""

from edgewise.budget.amounts import (
    TITLES,
    Bytes,
    Count,
    Milliseconds,
    figures_of,
    read_bytes,
    read_count,
    read_milliseconds,
    show_bytes,
    show_count,
    show_figure,
    show_limits,
    show_used,
    write_amount,
)
from edgewise.budget.budget import EXACT, FIGURES, MEASURED, Budget, for_device, within_device
from edgewise.budget.devices import Device, devices, find_device

__all__ = [
    "EXACT",
    "FIGURES",
    "MEASURED",
    "TITLES",
    "Budget",
    "Bytes",
    "Count",
    "Device",
    "Milliseconds",
    "devices",
    "figures_of",
    "find_device",
    "for_device",
    "read_bytes",
    "read_count",
    "read_milliseconds",
    "show_bytes",
    "show_count",
    "show_figure",
    "show_limits",
    "show_used",
    "within_device",
    "write_amount",
]
