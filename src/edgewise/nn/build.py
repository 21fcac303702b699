"""From a space to the modules of its skeleton."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from torch import nn

from edgewise.errors import ConfigError
from edgewise.nn.edges import Kept
from edgewise.nn.hand_made import hand_made
from edgewise.nn.nb201 import NB201Network, NB201Supernet
from edgewise.nn.network import AnyNetwork, Network, NetworkSpec
from edgewise.nn.supernet import AnySupernet, Supernet, SupernetSpec
from edgewise.registry import Registry
from edgewise.spaces.genotype import Genotype, validate
from edgewise.spaces.space import CellSpace, space

STAGES = 3
"""Of a hand-made network."""


@dataclass(frozen=True)
class Skeleton:
    """The network around the cells of a space.

    Args:
        network: makes a network from a genotype and a `NetworkSpec`.
        supernet: makes the supernet from a space, a `SupernetSpec` and what is kept; None where nothing is
            searched.
        auxiliary: whether its networks can have an auxiliary head.
    """

    network: Callable[[Genotype, NetworkSpec], AnyNetwork]
    supernet: Callable[[CellSpace, SupernetSpec, Mapping[str, Kept] | None], AnySupernet] | None
    auxiliary: bool = False


SKELETONS: Registry[Skeleton] = Registry("skeleton")
"""Every skeleton by the name that spaces give."""

SKELETONS.register("darts", Skeleton(Network, Supernet, auxiliary=True))
SKELETONS.register("nb201", Skeleton(NB201Network, NB201Supernet))


def build_network(genotype: Genotype, spec: NetworkSpec) -> AnyNetwork:
    """The derived network of a genotype, in the skeleton of its space.

    Args:
        genotype: the cells.
        spec: the size.

    Raises:
        GenotypeError: the genotype does not fit its space.
        ConfigError: the skeleton has no auxiliary head, and the spec asks for one.
    """
    return SKELETONS.find(space(validate(genotype).space).skeleton).network(genotype, spec)


def build_design(design: Genotype | str, spec: NetworkSpec) -> nn.Module:
    """The derived network of a genotype, or the hand-made network of a name, at the size of a spec.

    Args:
        design: the cells, or one of `HAND_MADE`.
        spec: see `spec_of_design`.

    Raises:
        GenotypeError: the genotype does not fit its space.
        ConfigError: no hand-made network has that name, or the skeleton has no auxiliary head.
    """
    if isinstance(design, Genotype):
        return build_network(design, spec)
    return hand_made(design).build(spec.channels, spec.layers // STAGES, spec)


def spec_of_design(design: Genotype | str, channels: int, layers: int, like: NetworkSpec) -> NetworkSpec:
    """The spec of a design at a size.

    Args:
        design: the cells, or one of `HAND_MADE`.
        channels: C, or the width of a hand-made network.
        layers: cells, or blocks in each of the three stages of a hand-made network: the spec counts them all.
        like: classes, channels of images, stem, and for cells the auxiliary head.
    """
    if isinstance(design, Genotype):
        return replace(like, channels=channels, layers=layers)
    return replace(like, channels=channels, layers=STAGES * layers, auxiliary=False)


def build_supernet(space: CellSpace, spec: SupernetSpec, kept: Mapping[str, Kept] | None = None) -> AnySupernet:
    """The supernet of a space, in the space's skeleton.

    Args:
        space: the space.
        spec: the size.
        kept: per cell type, [edges][primitives], which operations exist; None for all that the space allows.

    Raises:
        ConfigError: the space can't be searched.
    """
    skeleton = SKELETONS.find(space.skeleton)
    if not space.searchable or skeleton.supernet is None:
        raise ConfigError(f"space {space.name} has no supernet: choose another (`edgewise spaces ls`)")
    return skeleton.supernet(space, spec, kept)
