"""Damaged and hostile input ends with edgewise's own errors: no traceback, no crash, no hang."""

from __future__ import annotations

import os
import random
import time
from pathlib import Path

import pytest

from benchmarks.fuzz.mutate import damage_bytes, damage_text
from benchmarks.fuzz.targets import TARGETS
from benchmarks.fuzz.watch import fuzz
from edgewise.errors import ConfigError

# A few thousand in all; `python -m benchmarks.fuzz` tries more.
CASES = {
    **{"genotypes": 800, "recipes": 500, "settings": 700, "tables": 250, "studies": 350},
    **{"parquet": 200, "images": 200, "networks": 100, "checkpoints": 100, "run-folders": 40},
}


def test_every_target_has_cases() -> None:
    assert set(CASES) == set(TARGETS)
    assert sum(CASES.values()) > 3_000


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("name", TARGETS)
def test_no_case_ends_in_another_way_than_accepted_or_refused(name: str) -> None:
    counts = fuzz(name, TARGETS[name], range(10_000, 10_000 + CASES[name]))
    print(counts)
    assert counts.failures == []
    assert counts.cases == CASES[name]
    assert counts.refused > 0


def planted(rng: random.Random, folder: Path) -> None:
    """Ends in every way there is."""
    way = rng.randrange(5)
    if way == 0:
        raise ConfigError("refused")
    if way == 1:
        raise KeyError("a traceback")
    if way == 2:
        os.abort()
    if way == 3:
        time.sleep(60)


@pytest.mark.slow
def test_a_traceback_a_crash_and_a_hang_are_found_and_the_rest_goes_on() -> None:
    seeds = {random.Random(seed).randrange(5): seed for seed in range(40)}
    counts = fuzz("planted", planted, [seeds[way] for way in (1, 2, 0, 3, 4)], seconds=5)
    assert (counts.accepted, counts.refused) == (1, 1)
    assert [seed for seed, _ in counts.failures] == [seeds[1], seeds[2], seeds[3]]
    said = [text for _, text in counts.failures]
    assert "KeyError" in said[0]
    assert said[1] == "crash: the process ended with -6"
    assert said[2].startswith("hang")


def test_damage_follows_from_the_seed_and_changes_something() -> None:
    content = bytes(range(200))
    assert damage_bytes(content, random.Random(3)) == damage_bytes(content, random.Random(3))
    assert sum(damage_bytes(content, random.Random(seed)) != content for seed in range(100)) > 90
    text = "epochs = 50\nlr = 0.1\n"
    assert sum(damage_text(text, random.Random(seed)) != text for seed in range(100)) > 90
