"""What each primitive is: the one table that says what counts as a skip connection and what as a pool."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from edgewise.registry import Registry

PrimitiveKind = Literal["skip", "pool", "none", "parametrised"]
"""`none`: an edge that carries nothing but zeros or noise. `parametrised`: an operation with weights."""


@dataclass(frozen=True)
class Primitive:
    """An operation that edges may carry, by its name; `edgewise.nn` makes the module.

    Args:
        name: as genotypes spell it.
        kind: what it counts as in diagnostics, derivations and pictures.
    """

    name: str
    kind: PrimitiveKind


PRIMITIVES: Registry[Primitive] = Registry("primitive")

_KINDS: dict[PrimitiveKind, str] = {
    "none": "none noise",
    "skip": "skip_connect",
    "pool": "max_pool_3x3 avg_pool_3x3 max_pool_5x5 max_pool_7x7",
    "parametrised": "sep_conv_3x3 sep_conv_5x5 sep_conv_7x7 dil_conv_3x3 dil_conv_5x5 conv_1x1 conv_3x3 "
    "conv_1x3_3x1 conv_7x1_1x7 conv_1x7_7x1 nor_conv_1x1 nor_conv_3x3",
}

for _kind, _names in _KINDS.items():
    for _name in _names.split():
        PRIMITIVES.register(_name, Primitive(_name, _kind))


def kind_of(primitive: str) -> PrimitiveKind:
    """Whether a primitive is a skip connection, a pool, nothing, or an operation with weights.

    Args:
        primitive: its name.

    Raises:
        ConfigError: it is in no table.
    """
    return PRIMITIVES.find(primitive).kind
