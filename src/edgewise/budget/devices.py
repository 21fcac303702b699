"""Devices by name: what memory they have, and what of it a network may use."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from pathlib import Path

from edgewise.budget.amounts import Bytes, Count, show_bytes
from edgewise.config.build import build
from edgewise.config.schema import nearest
from edgewise.config.toml import from_toml
from edgewise.errors import ConfigError


@dataclass(frozen=True)
class Device:
    """A device that runs networks.

    Args:
        title: what its maker calls it.
        ram: bytes of its RAM.
        flash: bytes of its flash memory.
        reserve_ram: bytes of RAM that stay with program and stack.
        reserve_flash: bytes of flash that stay with the program.
        source: where these figures come from.
        macs: multiply-adds that are affordable for an image; None for no limit.
        name: what `--for` calls it.

    Raises:
        ConfigError: a reserve leaves nothing.
    """

    title: str
    ram: Bytes
    flash: Bytes
    reserve_ram: Bytes
    reserve_flash: Bytes
    source: str
    macs: Count | None = None
    name: str = ""

    def __post_init__(self) -> None:
        for kind, whole, kept in (
            ("ram", self.ram, self.reserve_ram),
            ("flash", self.flash, self.reserve_flash),
        ):
            if kept >= whole:
                raise ConfigError(
                    f"reserve_{kind} is {show_bytes(kept)} and {kind} {show_bytes(whole)}: nothing is left for a "
                    "network; lower the reserve"
                )

    @property
    def limits(self) -> dict[str, int]:
        """What a network may need, by the names of a budget."""
        free = {"ram": self.ram - self.reserve_ram, "size": self.flash - self.reserve_flash}
        return free if self.macs is None else {**free, "macs": self.macs}

    @property
    def reserve_sentence(self) -> str:
        """What is kept back, in words."""
        return (
            f"of {show_bytes(self.ram)} RAM and {show_bytes(self.flash)} flash {show_bytes(self.reserve_ram)} and "
            f"{show_bytes(self.reserve_flash)} stay with program and stack"
        )


def devices(file: Path | None = None) -> dict[str, Device]:
    """The devices that are known by name.

    Args:
        file: a TOML file with a table a device, as the shipped one has; its devices come first.

    Raises:
        ConfigError: the file can't be read, or a device has a fault.
    """
    return {**({} if file is None else _read(file)), **_shipped()}


def find_device(name: str) -> Device:
    """A device by its name, or FILE.toml:NAME for one of a file of the user's.

    Raises:
        ConfigError: there is no such device; names the nearest.
    """
    file, colon, inner = name.rpartition(":")
    known, wanted = (_read(Path(file)), inner) if colon and file.endswith(".toml") else (_shipped(), name)
    if wanted not in known:
        raise ConfigError(
            f"--for {name!r}: no such device; {nearest(wanted, known)}; one of your own is FILE.toml:NAME "
            "(see `edgewise devices ls`)"
        )
    return known[wanted]


@cache
def _shipped() -> dict[str, Device]:
    return _devices_of(files("edgewise.budget").joinpath("devices.toml").read_text("utf-8"), "devices.toml")


def _read(file: Path) -> dict[str, Device]:
    from_toml(file)  # for errors that name the file
    return _devices_of(file.read_text("utf-8-sig"), str(file))


def _devices_of(text: str, where: str) -> dict[str, Device]:
    found = {}
    for name, table in from_toml(text).items():
        if not isinstance(table, dict):
            raise ConfigError(f"{where}: {name} must be a table, [{name}], with the figures of a device")
        try:
            found[name] = build(Device, {**table, "name": name})
        except ConfigError as error:
            raise ConfigError(f"{where}, device {name}: {error}") from error
    return found
