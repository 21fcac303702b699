"""A recipe: a search method as a frozen set of orthogonal parts, with its constants."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated

from annotated_types import Ge, Gt, Lt

from edgewise.config.limits import BatchSize, Channels, Epochs, Layers
from edgewise.errors import ConfigError
from edgewise.methods.compatibility import recipe_faults
from edgewise.methods.derivation import SkipLimit, TopEdges
from edgewise.methods.gradient import FirstOrder
from edgewise.methods.gumbel import GumbelHard
from edgewise.methods.hessian_stop import Adaptation, HessianStop
from edgewise.methods.parts import Diagnostics, EdgeNormalisation, PartialChannels, WarmUp
from edgewise.methods.perturbation import Adversarial, RandomSmoothing
from edgewise.methods.projection import Projection
from edgewise.methods.relaxation import Softmax
from edgewise.methods.schedule import SchedulePosition
from edgewise.methods.second_order import ExactHypergradient, FiniteDifference
from edgewise.methods.skips import OperationNoise, SearchDropPath, SkipDropout, WeightDecayRamp
from edgewise.methods.stages import Stages
from edgewise.nn import Engine, Memory, NetworkEngine

Positive = Annotated[float, Gt(0)]
NotNegative = Annotated[float, Ge(0)]
Share = Annotated[float, Ge(0), Lt(1)]


@dataclass(frozen=True)
class SearchSettings:
    """The size of a search.

    Args:
        epochs: passes over the weights split.
        batch_size: images in a weights batch and in an arch batch.
        channels: C of the supernet.
        layers: its cells, reduction cells included; in space nb201 the cells of its three stages together.
        arch_fraction: the share of the training images that trains alpha and beta.
        trace_steps: whether the trace also keeps a line for each step.
        engine: "auto" runs mixed cells on kernels of their own where there are any (the CPU, with a compiler, in
            the spaces of DARTS' operations), else "grouped": one operator call for all that leaves a node and is
            of a kind, on any device and in any space. "plain" runs one module after the other. Same numbers,
            rounding aside. What changes outputs within a cell (noise, dropout, drop-path) runs plain.
        memory: "low" computes the supernet's cells once more in the backward pass instead of keeping what is in
            them: less memory, more time, the same numbers.
    """

    epochs: Epochs = 50
    batch_size: BatchSize = 256
    channels: Channels = 16
    layers: Layers = 8
    arch_fraction: Annotated[float, Gt(0), Lt(1)] = 0.5
    trace_steps: bool = False
    engine: Engine = "auto"
    memory: Memory = "normal"


@dataclass(frozen=True)
class WeightsSettings:
    """SGD of the supernet's weights: cosine from `lr` to `lr_min`, an epoch a step; gradient norm clipped."""

    lr: Positive = 0.1
    lr_min: NotNegative = 0.0
    momentum: Share = 0.9
    weight_decay: NotNegative = 3e-4
    clip: Positive = 5.0


@dataclass(frozen=True)
class ArchSettings:
    """Adam of alpha and beta; `clip` is the largest norm of their gradient together, None for no clipping."""

    lr: Positive = 6e-4
    betas: tuple[Share, Share] = (0.5, 0.999)
    weight_decay: NotNegative = 1e-3
    clip: Positive | None = None


@dataclass(frozen=True)
class TrainSettings:
    """The training of a derived network.

    Args:
        epochs: passes over all training images.
        batch_size: images a batch.
        channels: C of the network.
        layers: its cells; see `SearchSettings`.
        lr: SGD's learning rate at the start; cosine to `lr_min`, an epoch a step.
        lr_min: see `lr`.
        momentum: SGD's.
        weight_decay: SGD's.
        clip: largest gradient norm.
        auxiliary: weight of the auxiliary head's loss; 0 for no head, as space nb201 needs it.
        drop_path: probability at the end; rises linearly from 0.
        engine: "auto" trains separable and dilated convolutions on kernels of their own where there are any (the
            CPU, with a compiler, uncompiled, one process); "plain" on PyTorch's operations. Same numbers, rounding
            aside.

    Source: thesis, appendix B; PC-DARTS, train.py of the authors' code.
    """

    epochs: Epochs = 600
    batch_size: BatchSize = 96
    channels: Channels = 36
    layers: Layers = 20
    lr: Positive = 0.025
    lr_min: NotNegative = 0.0
    momentum: Share = 0.9
    weight_decay: NotNegative = 3e-4
    clip: Positive = 5.0
    auxiliary: NotNegative = 0.4
    drop_path: Share = 0.3
    engine: NetworkEngine = "auto"


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
    relaxation: Softmax | GumbelHard = field(default_factory=Softmax)
    channels: PartialChannels | None = None
    edge_normalisation: EdgeNormalisation | None = None
    gradient: FirstOrder | ExactHypergradient | FiniteDifference = field(default_factory=FirstOrder)
    projection: Projection | None = None
    perturbation: RandomSmoothing | Adversarial | None = None
    noise: OperationNoise | None = None
    skip_dropout: SkipDropout | None = None
    drop_path: SearchDropPath | None = None
    weight_decay_ramp: WeightDecayRamp | None = None
    stop: HessianStop | None = None
    adaptation: Adaptation | None = None
    stages: Stages | None = None
    warm_up: WarmUp | None = None
    derivation: TopEdges | SkipLimit = field(default_factory=TopEdges)
    diagnostics: Diagnostics = field(default_factory=Diagnostics)
    search: SearchSettings = field(default_factory=SearchSettings)
    weights: WeightsSettings = field(default_factory=WeightsSettings)
    arch: ArchSettings = field(default_factory=ArchSettings)
    train: TrainSettings = field(default_factory=TrainSettings)
    sources: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        faults = recipe_faults(self)
        if len(faults) == 1:
            raise ConfigError(f"recipe {self.name}: {faults[0]}")
        if faults:
            raise ConfigError(f"recipe {self.name}: {len(faults)} problems:" + "".join(f"\n  {f}" for f in faults))

    @property
    def k(self) -> int:
        """K of the partial channels; 1 without."""
        return 1 if self.channels is None else self.channels.k

    @property
    def draws_in_passes(self) -> bool:
        """Whether forward passes draw by chance which operations they evaluate, or what they do to outputs."""
        drawn = (self.noise, self.skip_dropout, self.drop_path)
        return self.relaxation.draws or any(part is not None for part in drawn)

    @property
    def frozen_epochs(self) -> int:
        """How many epochs of the search, or of each of its stages, alpha and beta stay frozen."""
        return 0 if self.warm_up is None else self.warm_up.epochs

    def locate(self, epoch: int) -> tuple[int, SchedulePosition]:
        """The stage of an epoch, and how far that stage has come; one stage where there are none."""
        epochs = self.search.epochs
        return (0, SchedulePosition(epoch, epochs)) if self.stages is None else self.stages.locate(epoch, epochs)
