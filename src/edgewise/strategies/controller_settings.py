"""The settings of NASNet's controller; no torch."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated, ClassVar, Literal

from annotated_types import Ge, Gt, Lt

from edgewise.config.limits import Times
from edgewise.spaces import CellSpace
from edgewise.strategies.strategy import Strategy, StrategySettings, register_strategy


@dataclass(frozen=True)
class PolicySettings:
    """The controller and its optimiser, Adam.

    Args:
        hidden: units of the one-layer LSTM.
        lr: Adam's.
        baseline_decay: of the moving average of rewards.
        entropy: weight of the entropy bonus.
        batch: children that are scored between two updates.

    Source: Zoph et al. 2018, appendix A: 100 units, lr 3.5e-4, moving average .95, entropy 1e-5, 20 children.
    """

    hidden: Times = 100
    lr: Annotated[float, Gt(0)] = 3.5e-4
    baseline_decay: Annotated[float, Ge(0), Lt(1)] = 0.95
    entropy: Annotated[float, Ge(0)] = 1e-5
    batch: Times = 20


@register_strategy
@dataclass(frozen=True)
class ReinforceSettings(StrategySettings):
    """NASNet's controller, trained by REINFORCE: one step of Adam for each batch of children.

    Args:
        kind: "reinforce".
        policy: the controller.

    Source: Zoph and Le 2017; Williams 1992.
    """

    kind: Literal["reinforce"] = "reinforce"
    sources: ClassVar[tuple[str, ...]] = ("nasnet",)
    policy: PolicySettings = field(default_factory=PolicySettings)

    def make(self, space: CellSpace, *, seed: int) -> Strategy:
        """See `StrategySettings.make`."""
        from edgewise.strategies.controller import Controller  # needs torch

        return Controller(self, space, seed)


@register_strategy
@dataclass(frozen=True)
class NasnetSettings(StrategySettings):
    """NASNet's controller, trained by proximal policy optimisation.

    Args:
        kind: "nasnet".
        policy: the controller.
        clip: how far the ratio of probabilities may leave 1.
        passes: steps of Adam on each batch of children.

    Source: Zoph et al. 2018, appendix A. It does not give `clip`, here .2 as in Schulman et al. 2017, nor
    `passes`, here 10 as in their table of Mujoco settings.
    """

    kind: Literal["nasnet"] = "nasnet"
    sources: ClassVar[tuple[str, ...]] = ("nasnet",)
    policy: PolicySettings = field(default_factory=PolicySettings)
    clip: Annotated[float, Gt(0), Lt(1)] = 0.2
    passes: Times = 10

    def make(self, space: CellSpace, *, seed: int) -> Strategy:
        """See `StrategySettings.make`."""
        from edgewise.strategies.controller import Controller  # needs torch

        return Controller(self, space, seed)
