"""`edgewise fit`, `edgewise devices ls`, and limits of other commands."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from edgewise.budget import devices
from tests.cli.conftest import Call


def rows(out: str) -> dict[str, list[str]]:
    """The table's rows by name."""
    lines = out.splitlines()
    start = next(i for i, line in enumerate(lines) if line.startswith("---"))
    cells = [re.split(r"\s{2,}", line.strip()) for line in lines[start + 1 :] if "  " in line]
    return {line[0]: line[1:] for line in cells}


def test_fit_prints_the_largest_size_of_each_network_with_its_shares(call: Call) -> None:
    outcome = call(
        "fit", "NB201_ResNet", "resnet8", "hand", "--max-params", "78666", "--max-macs", "12.51M", "--layers", "5"
    )
    assert outcome.code == 0
    assert "images 32x32x3 of 10 classes: at most parameters 78,666, multiply-adds 12.51 M" in outcome.out
    found = rows(outcome.out)
    assert found["ResNet-8"][:3] == ["16 x 1 a stage", "78,186 (99.4%)", "12.50 M (99.9%)"]
    assert found["NB201_ResNet"][:2] == ["10 x 5", "76,220 (96.9%)"]
    assert set(found) == {"NB201_ResNet", "ResNet-8", "residual network"}


def test_fit_takes_the_images_of_a_run_folder_and_of_options(call: Call, whole) -> None:
    assert "images 8x8x1 of 10 classes" in call("fit", str(whole.folder), "--max-params", "20k").out
    out = call(
        "fit", "resnet8", "--max-params", "20k", "--image-size", "96", "--classes", "2", "--channels", "1"
    ).out
    assert "images 96x96x1 of 2 classes" in out


def test_fit_says_which_networks_fit_at_no_size_and_fails_if_none_does(call: Call) -> None:
    some = call("fit", "DARTS_V2", "resnet8", "--max-ram", "30kB")
    assert some.code == 0
    assert rows(some.out)["DARTS_V2"][0] == "does not fit"
    assert "DARTS_V2 fits the budget at no size: the smallest, 2 channels and 3 cells" in some.out
    none = call("fit", "resnet8", "--max-ram", "1")
    assert (none.code, none.err) == (1, "error: none of these networks fits the budget\n")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["DARTS_V2"], "no limit is stated: give --max-params"),
        (["DARTS_V2", "--max-params", "0"], "--max-params: must be greater than or equal to 1"),
        (["DARTS_V2", "--max-ram", "-5"], "--max-ram: must be greater than or equal to 1"),
        (["DARTS_V2", "--max-macs", "5kB"], "--max-macs: has the unknown suffix 'kB'"),
        (["DARTS_V2", "--max-latency", "soon"], "--max-latency: is no amount"),
        (["DARTS_V2", "--for", "pica"], "nearest: pico"),
        (["DARTS_V2", "--for", "pico", "--max-ram", "1GB"], "on Raspberry Pi Pico"),
        (["nothing", "--max-params", "5k"], "unknown genotype 'nothing'"),
    ],
)
def test_fit_refuses_what_is_no_limit_or_no_network(call: Call, words: list[str], said: str) -> None:
    outcome = call("fit", *words)
    assert outcome.code == 1
    assert said in outcome.err


def test_devices_are_listed_with_what_a_network_may_need_and_where_that_comes_from(call: Call) -> None:
    out = call("devices", "ls").out
    assert [line.partition(":")[0] for line in out.splitlines()] == list(devices())
    assert "stm32l412kb: STM32L412KB; RAM 32.8 kB, size 81.9 kB, 3.20 M multiply-adds" in out
    assert "DS12469" in out


def test_a_file_of_devices_is_listed_first_and_its_mistakes_are_told(call: Call, tmp_path: Path) -> None:
    file = tmp_path / "boards.toml"
    text = (
        '[mine]\ntitle = "Mine\\u202e"\nram = "8KiB"\nflash = "64KiB"\nreserve_ram = "1KiB"\n'
        'reserve_flash = "1KiB"\nsource = "me"\n'
    )
    file.write_text(text)
    out = call("devices", "ls", str(file)).out
    assert out.startswith("mine: Mine")
    assert "\u202e" not in out
    file.write_text(text.replace("ram = ", "rom = ", 1))
    err = call("devices", "ls", str(file)).err
    assert "boards.toml, device mine" in err
    assert "rom: unknown setting" in err


@pytest.mark.parametrize("command", [["run"], ["train", "DARTS_V2"], ["explore", "--score", "train:1"]])
def test_limits_of_other_commands_are_read_before_anything_begins(call: Call, command: list[str]) -> None:
    outcome = call(*command, "--max-params", "many", "--out", "run")
    assert outcome.err.startswith("error: --max-params: is no amount")
    both = call(*command, "--max-params", "5k", "--set", "budget.params=6k", "--out", "run")
    assert "--max-params and --set budget.params=... say the same thing" in both.err


def test_derive_with_limits_says_what_fits_and_prints_the_cells_alone(call: Call, whole) -> None:
    plain, limited = call("derive", str(whole.folder)), call("derive", str(whole.folder), "--max-params", "20k")
    assert limited.out == plain.out
    assert re.search(
        r"at most parameters 20,000; .*: \d+ channels, \d cells; parameters 1\d,\d{3} \(\d\d", limited.err
    )
