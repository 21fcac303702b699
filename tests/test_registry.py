"""A registry knows things by their names, and refuses two of one name."""

from __future__ import annotations

import pytest

from edgewise.errors import ConfigError
from edgewise.registry import Registry


def test_what_is_registered_is_found_in_its_order() -> None:
    registry: Registry[int] = Registry("number")
    assert registry.register("two", 2) == 2
    registry.register("one", 1)
    assert (list(registry), registry.find("one")) == (["two", "one"], 1)


def test_an_unknown_name_is_refused_with_those_that_there_are() -> None:
    registry: Registry[int] = Registry("number", ", or count")
    registry.register("two", 2)
    registry.register("one", 1)
    with pytest.raises(ConfigError, match=r"unknown number .three.: choose one of two, one, or count$"):
        registry.find("three")


def test_the_same_thing_may_come_again_and_another_one_of_its_name_may_not() -> None:
    registry: Registry[list[int]] = Registry("number")
    registry.register("one", [1])
    registry.register("one", [1])
    with pytest.raises(ConfigError, match="number 'one': there is one of that name already"):
        registry.register("one", [2])
    assert dict(registry) == {"one": [1]}


@pytest.mark.parametrize("name", ["", "-x", "a b", "a/b", "ä", "x\n"])
def test_a_name_that_no_command_line_takes_is_refused(name: str) -> None:
    registry: Registry[int] = Registry("number")
    with pytest.raises(ConfigError, match="a name consists of letters"):
        registry.register(name, 1)
    assert not registry
