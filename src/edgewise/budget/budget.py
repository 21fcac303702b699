"""Limits on a network, stated by hand or by a device."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import Any

from edgewise.budget.amounts import Bytes, Count, Milliseconds, show_figure, show_limits
from edgewise.budget.devices import Device, find_device
from edgewise.errors import ConfigError

EXACT = ("params", "macs", "ram")
"""Figures that follow from a network without running it."""
MEASURED = ("size", "latency_ms")
"""Figures of a real export."""
FIGURES = ("params", "macs", "size", "ram", "latency_ms")


@dataclass(frozen=True)
class Budget:
    """What a network may need at most, for one image. A limit that is None is none.

    Args:
        params: weights, without an auxiliary head.
        macs: multiply-adds of convolutions and linear layers.
        size: bytes of the exported file (ONNX).
        ram: bytes of activations that are alive at once, weights not counted.
        latency_ms: milliseconds for one image, by onnxruntime with one thread on this machine.
        int8: whether size and RAM count one byte a value, as after quantisation, instead of four.
        fit_layers: whether the number of cells is fitted as well as the channels.
        device: the device that size, RAM and multiply-adds come from.

    Raises:
        ConfigError: a device is named and nothing is limited.
    """

    params: Count | None = None
    macs: Count | None = None
    size: Bytes | None = None
    ram: Bytes | None = None
    latency_ms: Milliseconds | None = None
    int8: bool = False
    fit_layers: bool = True
    device: str | None = None

    def __post_init__(self) -> None:
        if self.device is not None and not self.limits:
            raise ConfigError(
                f"device {self.device!r} stands without its limits: state it by --for, or in Python by "
                "edgewise.budget.for_device"
            )

    @property
    def limits(self) -> dict[str, float]:
        """The limits that there are, by the names of `FIGURES`."""
        return {name: value for name in FIGURES if (value := getattr(self, name)) is not None}

    @property
    def element_bytes(self) -> int:
        """Bytes of a value."""
        return 1 if self.int8 else 4

    def sentence(self) -> str:
        """The limits in words."""
        counted = "one byte a value (int8)" if self.int8 else "four bytes a value (float32)"
        return f"at most {show_limits(self.limits)}; {counted}" + (
            f"; device {self.device}" if self.device else ""
        )


def for_device(name: str, **limits: Any) -> Budget:
    """The budget of a device.

    Args:
        name: see `find_device`.
        limits: further fields of `Budget`; a limit that the device sets too may only be lower.

    Raises:
        ConfigError: the device or a field is unknown, or a limit is above the device's.
    """
    unknown = [key for key in limits if key not in {field.name for field in fields(Budget)}]
    if unknown:
        raise ConfigError(f"{', '.join(unknown)}: no such limit; there are {', '.join(FIGURES)}")
    return within_device(replace(Budget(**limits), device=None), find_device(name))


def within_device(budget: Budget, device: Device) -> Budget:
    """A budget with the limits of a device.

    Raises:
        ConfigError: the budget states a limit above the device's.
    """
    limits = device.limits
    for name, most in limits.items():
        stated = getattr(budget, name)
        if stated is not None and stated > most:
            raise ConfigError(
                f"{name} may be {show_figure(name, stated)} by the stated limit and {show_figure(name, most)} on "
                f"{device.title} ({device.reserve_sentence}): lower the limit, or leave the device out"
            )
    free = {name: most for name, most in limits.items() if getattr(budget, name) is None}
    return replace(budget, device=device.name, **free)
