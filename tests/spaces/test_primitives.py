"""Every primitive of every space is in the table, as what it is, and has a module."""

from __future__ import annotations

import pytest
from torch import nn

from edgewise.errors import ConfigError
from edgewise.nn import OPERATIONS, operation
from edgewise.spaces import SPACES
from edgewise.spaces.primitives import PRIMITIVES, kind_of


@pytest.mark.parametrize("space", SPACES)
def test_the_primitives_of_a_space_are_in_the_table(space: str) -> None:
    assert set(SPACES[space].primitives) <= set(PRIMITIVES)


def test_every_primitive_has_a_module_and_every_module_is_of_a_primitive() -> None:
    assert set(PRIMITIVES) == set(OPERATIONS)


@pytest.mark.parametrize("name", PRIMITIVES)
def test_what_has_weights_is_told_by_the_table(name: str) -> None:
    module = operation(name, 4, stride=1, affine=True)
    assert any(True for _ in module.parameters()) == (kind_of(name) == "parametrised")
    pools = [part for part in module.modules() if isinstance(part, nn.MaxPool2d) or "Pool" in type(part).__name__]
    assert bool(pools) == (kind_of(name) == "pool")


def test_a_primitive_that_nobody_knows_is_refused_with_those_that_there_are() -> None:
    with pytest.raises(ConfigError, match="unknown primitive 'pool_9x9': choose one of none, "):
        kind_of("pool_9x9")
