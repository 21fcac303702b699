"""A recipe: a search method as a frozen set of orthogonal parts, with its constants."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import TypeVar

from edgewise.errors import ConfigError
from edgewise.methods.derivation import Derivation, TopEdges
from edgewise.methods.diagnostics import Diagnostics
from edgewise.methods.gradient import FirstOrder, GradientEstimator
from edgewise.methods.hessian_stop import Adaptation, HessianStop
from edgewise.methods.part import PARTS, Part, Parts
from edgewise.methods.pc_darts import EdgeNormalisation, PartialChannels, WarmUp
from edgewise.methods.relaxation import Relaxation, Softmax
from edgewise.methods.roles import AlphaGradientChange, MixturePerturbation, OutputChange, WeightDecayRule
from edgewise.methods.schedule import SchedulePosition
from edgewise.methods.settings import ArchSettings, SearchSettings, TrainSettings, WeightsSettings
from edgewise.methods.skips import OperationNoise, SearchDropPath, SkipDropout, WeightDecayRamp
from edgewise.methods.stages import Stages
from edgewise.nn import SKELETONS
from edgewise.spaces.space import SPACES

P = TypeVar("P")


@dataclass(frozen=True)
class Recipe:
    """A search method. Parts that are None are absent.

    Args:
        name: what the command line calls it.
        summary: one line.
        space: the name of the space that is searched.
        relaxation: from alpha to a mixture.
        channels: partial channels.
        edge_normalisation: edge weights beta.
        gradient: how alpha's gradient is made.
        projection: what is done with conflicting alpha gradients.
        perturbation: the mixture that the weights learn under, where it is not alpha's.
        noise: noise on skip connections.
        skip_dropout: dropout on skip connections.
        drop_path: drop-path in the supernet.
        weight_decay_ramp: a weight decay that changes during the search.
        stop: stops when the architecture Hessian's largest eigenvalue rises.
        adaptation: what is done instead of stopping.
        stages: a supernet that grows while edges lose primitives.
        warm_up: how long alpha and beta stay frozen.
        derivation: from alpha and beta to cells.
        diagnostics: what the search measures about itself.
        parts: what comes on top, by kind; packages outside add such parts.
        search: the size of the search.
        weights: the optimiser of the weights.
        arch: the optimiser of alpha and beta.
        train: the training of the derived network.
        sources: citation keys of the method, besides those that follow from its parts.

    Raises:
        ConfigError: the parts can't be combined; says which, why, and what to drop.
    """

    name: str
    summary: str = ""
    space: str = "darts"
    relaxation: Relaxation = field(default_factory=Softmax)
    channels: PartialChannels | None = None
    edge_normalisation: EdgeNormalisation | None = None
    gradient: GradientEstimator = field(default_factory=FirstOrder)
    projection: AlphaGradientChange | None = None
    perturbation: MixturePerturbation | None = None
    noise: OperationNoise | None = None
    skip_dropout: SkipDropout | None = None
    drop_path: SearchDropPath | None = None
    weight_decay_ramp: WeightDecayRamp | None = None
    stop: HessianStop | None = None
    adaptation: Adaptation | None = None
    stages: Stages | None = None
    warm_up: WarmUp | None = None
    derivation: Derivation = field(default_factory=TopEdges)
    diagnostics: Diagnostics = field(default_factory=Diagnostics)
    parts: Parts = field(default_factory=Parts)
    search: SearchSettings = field(default_factory=SearchSettings)
    weights: WeightsSettings = field(default_factory=WeightsSettings)
    arch: ArchSettings = field(default_factory=ArchSettings)
    train: TrainSettings = field(default_factory=TrainSettings)
    sources: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        faults = self._faults()
        if len(faults) == 1:
            raise ConfigError(f"recipe {self.name}: {faults[0]}")
        if faults:
            raise ConfigError(f"recipe {self.name}: {len(faults)} problems:" + "".join(f"\n  {f}" for f in faults))

    @property
    def k(self) -> int:
        """K of the partial channels; 1 without."""
        return 1 if self.channels is None else self.channels.k

    def all_parts(self) -> tuple[Part, ...]:
        """Every part that is there, in the order of the fields, those that come on top last."""
        values = [getattr(self, each.name) for each in fields(self)]
        return (*(value for value in values if isinstance(value, Part)), *self.parts)

    def parts_of(self, role: type[P]) -> tuple[P, ...]:
        """The parts that derive from a class."""
        return tuple(part for part in self.all_parts() if isinstance(part, role))

    @property
    def draws_in_passes(self) -> bool:
        """Whether forward passes draw by chance which operations they evaluate, or what they do to outputs."""
        return self.relaxation.draws or bool(self.parts_of(OutputChange))

    @property
    def frozen_epochs(self) -> int:
        """How many epochs of the search, or of each of its stages, alpha and beta stay frozen."""
        return 0 if self.warm_up is None else self.warm_up.epochs

    def locate(self, epoch: int) -> tuple[int, SchedulePosition]:
        """The stage of an epoch, and how far that stage has come; one stage where there are none."""
        epochs = self.search.epochs
        return (0, SchedulePosition(epoch, epochs)) if self.stages is None else self.stages.locate(epoch, epochs)

    def weight_decay(self, epoch: int, factor: float = 1.0) -> float:
        """The weights' weight decay in an epoch of the whole search.

        Args:
            epoch: counted from 0.
            factor: what roll-backs have multiplied it with.
        """
        base = self.weights.weight_decay
        for rule in self.parts_of(WeightDecayRule):
            return rule.weight_decay(base, SchedulePosition(epoch, self.search.epochs), factor)
        return base

    def _faults(self) -> list[str]:
        """Everything that keeps the parts from working together, a sentence each."""
        faults = []
        if self.space not in SPACES or not SPACES[self.space].searchable:
            known = ", ".join(name for name, space in SPACES.items() if space.searchable)
            faults.append(f"space {self.space!r} can't be searched: choose one of {known}")
        for part in self.all_parts():
            if type(part) not in PARTS.values():
                name = type(part).__name__
                faults.append(
                    f"part {name} has no place in the table of parts: edgewise.methods.register_part({name})"
                )
            faults += part.refusals(self)
        faults += _size_faults(self)
        for name in ("weights", "train"):
            section = getattr(self, name)
            if section.lr_min > section.lr:
                faults.append(
                    f"{name}.lr_min = {section.lr_min} is above {name}.lr = {section.lr}, where the cosine "
                    f"starts: lower {name}.lr_min or raise {name}.lr"
                )
        return faults


def _size_faults(recipe: Recipe) -> list[str]:
    faults = []
    channels, k = recipe.search.channels, recipe.k
    if k < 1:
        faults.append(f"channels.k = {k}: K is at least 1; 1 sends all channels through, as DARTS does")
    elif k > 1 and (channels % k or (channels // k) % 2):
        # Without partial channels, the number itself has to be even.
        way = ", or drop the partial channels (channels=none)" if channels % 2 == 0 else ""
        faults.append(
            f"search.channels = {channels} does not go with channels.k = {k}: a mixed operation needs an even "
            f"number of channels / K; try search.channels = {2 * k * max(1, channels // (2 * k))}{way}"
        )
    if k == 1 and channels % 2:
        near = " or ".join(str(even) for even in (channels - 1, channels + 1) if even > 0)
        faults.append(
            f"search.channels = {channels} is odd, and a factorised reduction halves it: set search.channels to "
            f"{near}"
        )
    if recipe.train.channels < 2:
        faults.append(
            f"train.channels = {recipe.train.channels}: a factorised reduction needs at least 2: set "
            "train.channels to 2 or more"
        )
    space, auxiliary = SPACES.get(recipe.space), recipe.train.auxiliary
    skeleton = None if space is None else SKELETONS.get(space.skeleton)
    if skeleton is not None and not skeleton.auxiliary and auxiliary > 0:
        faults.append(
            f"train.auxiliary = {auxiliary}: networks of space {recipe.space} have no auxiliary head, as there is "
            "no reduction cell to carry it: set train.auxiliary=0"
        )
    return faults
