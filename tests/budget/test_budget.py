from __future__ import annotations

from pathlib import Path

import pytest

from edgewise.budget import FIGURES, Budget, devices, find_device, for_device
from edgewise.config.build import build, dump, to_toml
from edgewise.config.toml import from_toml
from edgewise.errors import ConfigError

BOARD = """
[mine]
title = "My board"
ram = "32KiB"
flash = "256KiB"
reserve_ram = "2KiB"
reserve_flash = "56KiB"
source = "its data sheet"
"""


def test_only_stated_limits_are_limits_and_a_value_has_four_bytes_or_one() -> None:
    assert Budget().limits == {}
    assert Budget(params=5, latency_ms=0.5).limits == {"params": 5, "latency_ms": 0.5}
    assert (Budget().element_bytes, Budget(int8=True).element_bytes) == (4, 1)


def test_a_budget_survives_the_way_through_a_recipe_file() -> None:
    budget = Budget(params=5, ram=7, latency_ms=0.5, int8=True)
    assert build(Budget, from_toml(to_toml(budget))) == budget


@pytest.mark.parametrize("name", list(devices()))
def test_a_device_sets_ram_size_and_multiply_adds_below_what_its_maker_states(name: str) -> None:
    device, budget = devices()[name], for_device(name)
    assert budget.ram == device.ram - device.reserve_ram < device.ram
    assert budget.size == device.flash - device.reserve_flash < device.flash
    assert budget.macs == device.macs
    assert budget.device == name
    assert "data sheet" in device.source or "specification" in device.source


def test_the_boards_have_the_memory_of_their_data_sheets() -> None:
    memory = {name: (device.ram // 1024, device.flash // 1024) for name, device in devices().items()}
    assert memory == {
        "stm32l010rb": (20, 128),
        "stm32l412kb": (40, 128),
        "nano33ble": (256, 1024),
        "pico": (264, 2048),
        "stm32h743zi": (1024, 2048),
    }


def test_a_limit_may_tighten_a_device_and_not_widen_it() -> None:
    tight = for_device("pico", ram=1000, params=7, int8=True)
    assert (tight.ram, tight.params, tight.int8) == (1000, 7, True)
    with pytest.raises(
        ConfigError, match=r"ram may be 1,000.00 MB by the stated limit and 229.4 kB on Raspberry Pi"
    ):
        for_device("pico", ram=10**9)


def test_an_unknown_device_names_the_nearest_and_an_unknown_limit_all() -> None:
    with pytest.raises(ConfigError, match="nearest: pico"):
        find_device("pica")
    with pytest.raises(ConfigError, match="memory: no such limit; there are params, macs, size, ram, latency_ms"):
        for_device("pico", memory=3)


def test_a_device_without_its_limits_is_refused() -> None:
    with pytest.raises(ConfigError, match="without its limits"):
        Budget(device="pico")


def test_a_file_of_devices_adds_to_the_table(tmp_path: Path) -> None:
    file = tmp_path / "boards.toml"
    file.write_text(BOARD)
    budget = for_device(f"{file}:mine")
    assert (budget.ram, budget.size, budget.macs, budget.device) == (30 * 1024, 200 * 1024, None, "mine")
    assert next(iter(devices(file))) == "mine"
    assert set(devices()) < set(devices(file))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (BOARD.replace('"32KiB"', '"32Kib"'), "device mine: ram: has the unknown suffix 'Kib'"),
        (BOARD.replace('reserve_ram = "2KiB"', 'reserve_ram = "32KiB"'), "nothing is left for a network"),
        (BOARD.replace("flash =", "flsh ="), "flash: is missing"),
        ("mine = 3", "mine must be a table"),
        ("[mine", "line 1"),
    ],
)
def test_a_mistake_in_a_file_of_devices_is_told_with_file_and_device(tmp_path: Path, text: str, said: str) -> None:
    file = tmp_path / "boards.toml"
    file.write_text(text)
    with pytest.raises(ConfigError) as caught:
        find_device(f"{file}:mine")
    assert said in str(caught.value)
    assert "boards.toml" in str(caught.value)


def test_a_file_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"boards\.toml: can't be read"):
        find_device(f"{tmp_path}/boards.toml:mine")


def test_the_sentence_names_every_limit_and_how_values_count() -> None:
    sentence = for_device("pico", params=10, latency_ms=2.0, int8=True).sentence()
    for part in (
        "parameters 10",
        "multiply-adds 3.00 M",
        "size 1.84 MB",
        "RAM 229.4 kB",
        "latency 2 ms",
        "int8",
        "pico",
    ):
        assert part in sentence


def test_every_limit_is_a_setting() -> None:
    assert set(FIGURES) < set(dump(Budget()))
