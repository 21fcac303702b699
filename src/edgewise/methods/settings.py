"""The sizes and optimisers of a method."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from annotated_types import Ge, Gt, Lt

from edgewise.config.limits import BatchSize, Channels, Epochs, Layers
from edgewise.nn import EngineName, Memory, NetworkEngine

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
    engine: EngineName = "auto"
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
