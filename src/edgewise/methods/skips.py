"""Parts that act on outputs in training: dropout and noise on skip connections, drop-path on edges."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal

import torch
from annotated_types import Ge, Gt, Lt
from torch import Tensor

from edgewise.config.limits import Few
from edgewise.methods.part import Combination, setting_of
from edgewise.methods.roles import OutputChange, TrainingPass, WeightDecayRule
from edgewise.methods.schedule import SchedulePosition
from edgewise.methods.stages import Stages
from edgewise.nn import DropPath, Hooks, OperationHook, spread
from edgewise.nn.hooks import Change, DrawnHook
from edgewise.runtime.distributed import ALONE, Processes
from edgewise.spaces.primitives import PRIMITIVES
from edgewise.spaces.space import SPACES


@dataclass(frozen=True)
class SkipDropout(OutputChange):
    """Dropout of single values behind `skip_connect`, strong at the start of a stage and fading.

    Only skips that are the identity (stride 1) are dropped, as in the authors' code. While alpha is frozen the
    rate is p * (epochs - epoch - 1) / epochs, afterwards p * exp(-decay * (epoch - frozen epochs)), with epochs
    counted within the stage.

    Args:
        rates: p of each stage; one entry for a search without stages.
        decay: of the exponential.

    Source: P-DARTS §3.3.1, train_search.py of the authors' code: 0, .4, .7 on CIFAR-10, .1, .2, .3 on CIFAR-100.
    """

    rates: Annotated[tuple[Annotated[float, Ge(0), Lt(1)], ...], Few] = (0.0, 0.4, 0.7)
    decay: Annotated[float, Ge(0)] = 0.2
    kind: Literal["skip_dropout"] = "skip_dropout"
    setting: ClassVar[str] = "skip_dropout"
    sources: ClassVar[tuple[str, ...]] = ("p-darts",)

    def refusals(self, recipe: Combination) -> list[str]:
        """There must be skips to drop, and a rate for each stage."""
        faults = _without_skips(recipe, "skip_dropout")
        stages = next((len(part.add_layers) for part in recipe.parts_of(Stages)), 1)
        if len(self.rates) != stages:
            faults.append(
                f"skip_dropout.rates has {len(self.rates)} entries for {stages} "
                f"{'stage' if stages == 1 else 'stages'}: give one rate a stage, or drop it (skip_dropout=none)"
            )
        return faults

    def hooks(self, run: TrainingPass) -> Hooks:
        """See `OutputChange.hooks`."""
        generator = run.streams.generator("skip dropout", run.device)
        rate = self.rate(run.stage, run.position, run.frozen_epochs)
        return Hooks(self.hook(rate, generator, run.processes), None, (generator,))

    def rate(self, stage: int, position: SchedulePosition, frozen: int) -> float:
        """The dropout rate of an epoch.

        Args:
            stage: counted from 0.
            position: how far the stage has come.
            frozen: the epochs of the stage in which alpha is frozen.
        """
        start = self.rates[stage]
        if position.epoch < frozen:
            return start * (position.epochs - position.epoch - 1) / position.epochs
        return start * math.exp(-self.decay * (position.epoch - frozen))

    def hook(self, rate: float, generator: torch.Generator, processes: Processes = ALONE) -> OperationHook | None:
        """Dropout for one forward pass of the processes' batch; None where the rate is 0."""
        if rate <= 0.0:
            return None

        def draw(_: str, stride: int, shape: Sequence[int]) -> Change | None:
            if stride != 1:
                return None
            kept = processes.drawn(_uniform(generator), shape) >= rate
            return lambda out: out * kept.to(out.dtype) / (1.0 - rate)

        return DrawnHook(_skips(), draw)


@dataclass(frozen=True)
class OperationNoise(OutputChange):
    """Noise on the output of `skip_connect`, in training only.

    Args:
        mode: "additive": x + N(0, factor * std(x)), std over the whole batch; "multiplicative": x * N(1, factor);
            "uniform": x + U(-a, a) with a = sqrt(3 * factor), whose variance is `factor`.
        factor: the noise's size.
        cosine_decay: whether the noise fades to 0 over the search, on half a cosine. Multiplicative noise fades to
            a factor of 1; in the authors' code its whole product fades to 0.

    Source: NoisyDARTS §3.2 and §4; model_search.py of the authors' code (factor 0.2, additive).
    """

    mode: Literal["additive", "multiplicative", "uniform"] = "additive"
    factor: Annotated[float, Ge(0)] = 0.2
    cosine_decay: bool = False
    kind: Literal["operation_noise"] = "operation_noise"
    setting: ClassVar[str] = "noise"
    sources: ClassVar[tuple[str, ...]] = ("noisy-darts",)

    def refusals(self, recipe: Combination) -> list[str]:
        """There must be skips to disturb."""
        return _without_skips(recipe, "noise")

    def hooks(self, run: TrainingPass) -> Hooks:
        """See `OutputChange.hooks`."""
        generator = run.streams.generator("noise", run.device)
        return Hooks(self.hook(run.position, generator, run.processes), None, (generator,))

    def scale(self, position: SchedulePosition) -> float:
        """What the noise is multiplied with in an epoch."""
        return 0.5 * (1.0 + math.cos(math.pi * position.epoch / position.epochs)) if self.cosine_decay else 1.0

    def hook(
        self, position: SchedulePosition, generator: torch.Generator, processes: Processes = ALONE
    ) -> OperationHook | None:
        """Noise for one forward pass of the processes' batch; None where the factor is 0."""
        scale = self.scale(position)
        if self.factor == 0.0 or scale == 0.0:
            return None

        def draw(_: str, stride: int, shape: Sequence[int]) -> Change:
            if self.mode == "uniform":
                drawn = 2 * processes.drawn(_uniform(generator), shape) - 1
            else:
                drawn = processes.drawn(_normal(generator), shape)

            def disturb(out: Tensor) -> Tensor:
                noise = drawn.to(out.dtype)
                if self.mode == "uniform":
                    return out + (scale * math.sqrt(3 * self.factor)) * noise
                if self.mode == "multiplicative":
                    return out * (1 + (scale * self.factor) * noise)
                return out + (scale * self.factor) * spread(out.detach(), processes) * noise

            return disturb

        return DrawnHook(_skips(), draw)


def _uniform(generator: torch.Generator) -> Callable[[Sequence[int]], Tensor]:
    return lambda shape: torch.rand(shape, generator=generator, device=generator.device)


def _normal(generator: torch.Generator) -> Callable[[Sequence[int]], Tensor]:
    return lambda shape: torch.randn(shape, generator=generator, device=generator.device)


@dataclass(frozen=True)
class SearchDropPath(OutputChange):
    """Drop-path on the edges of the supernet, rising on a line from 0 to `probability` in the last epoch.

    Source: RobustDARTS §5.1, train_search.py of the authors' code; its cutout, whose probability rises with it, is
    the setting `augment.cutout` here and constant.
    """

    probability: Annotated[float, Gt(0), Lt(1)] = 0.2
    kind: Literal["search_drop_path"] = "search_drop_path"
    setting: ClassVar[str] = "drop_path"
    sources: ClassVar[tuple[str, ...]] = ("robust-darts", "fractalnet")

    def hooks(self, run: TrainingPass) -> Hooks:
        """See `OutputChange.hooks`."""
        generator = run.streams.generator("search drop-path")
        return Hooks(None, DropPath(self.rate(run.position), generator, run.processes), (generator,))

    def rate(self, position: SchedulePosition) -> float:
        """The probability of an epoch."""
        return self.probability * position.epoch / max(1, position.epochs - 1)


@dataclass(frozen=True)
class WeightDecayRamp(WeightDecayRule):
    """The weights' weight decay, on a line from `weights.weight_decay` in the first epoch to `end` in the last.

    Source: RobustDARTS §5.2 raises the regularisation during the search; the line is edgewise's own.
    """

    end: Annotated[float, Ge(0)] = 0.03
    kind: Literal["weight_decay_ramp"] = "weight_decay_ramp"
    setting: ClassVar[str] = "weight_decay_ramp"
    sources: ClassVar[tuple[str, ...]] = ("robust-darts",)

    def refusals(self, recipe: Combination) -> list[str]:
        """One part at most sets the weight decay."""
        return [
            f"{name} and weight_decay_ramp: both set the weight decay; drop one of them "
            f"({name}=none or weight_decay_ramp=none)"
            for part in recipe.parts_of(WeightDecayRule)
            if (name := setting_of(part)) != self.setting
        ]

    def weight_decay(self, base: float, position: SchedulePosition, factor: float = 1.0) -> float:
        """See `WeightDecayRule.weight_decay`."""
        del factor
        return base + (self.end - base) * position.epoch / max(1, position.epochs - 1)


def _skips() -> frozenset[str]:
    return frozenset(name for name, primitive in PRIMITIVES.items() if primitive.kind == "skip")


def _without_skips(recipe: Combination, name: str) -> list[str]:
    space = SPACES.get(recipe.space)
    if space is None or any(primitive in _skips() for primitive in space.primitives):
        return []
    return [
        f"{name} acts on skip_connect, and space {recipe.space} has none: drop it ({name}=none), or take another "
        "space"
    ]
