"""NASNet's controller as a strategy: an LSTM that learns from the scores of what it drew."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated, Any, ClassVar, Literal

import torch
from annotated_types import Ge, Gt, Lt

from edgewise.config.limits import Times
from edgewise.runtime.random import Streams
from edgewise.spaces import CellSpace, Genotype
from edgewise.spaces.decisions import genotype_of
from edgewise.strategies.policy import Policy, ppo_loss, reinforce_loss
from edgewise.strategies.strategy import Asked, Strategy, StrategySettings, register_strategy


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
        return Controller(self, space, seed)


class Controller:
    """See `ReinforceSettings` and `NasnetSettings`.

    The baseline is the moving average of the means of batches, as it was before the batch; the first batch's is
    its own mean.

    Args:
        settings: the controller and how it is trained.
        space: what is searched.
        seed: the run's seed.
    """

    def __init__(self, settings: ReinforceSettings | NasnetSettings, space: CellSpace, seed: int) -> None:
        self.settings = settings
        self.space = space
        streams = Streams(seed)
        self._generator = streams.generator("strategy.controller")
        self.policy = Policy(space, settings.policy.hidden, streams.generator("strategy.controller.weights"))
        self.optimizer = torch.optim.Adam(self.policy.parameters(), settings.policy.lr)
        self.baseline: float | None = None
        self._told: list[tuple[tuple[int, ...], float]] = []
        source = f"edgewise {settings.kind} controller"
        self._asked = Asked(lambda choices: genotype_of(space, choices, source=source))

    @property
    def width(self) -> int:
        """What is left of the batch."""
        return max(self.settings.policy.batch - len(self._told) - len(self._asked), 1)

    def ask(self) -> Genotype:
        """A genotype that the controller draws."""
        return self._asked.add(self.policy.sample(self._generator))

    def tell(self, genotype: Genotype, score: float) -> None:
        """Takes a reward; the last one of a batch trains the controller. Raises as `Strategy.tell`."""
        self._told.append((tuple(self._asked.take(genotype, score)), score))
        if len(self._told) == self.settings.policy.batch:
            self._update()
            self._told = []

    def _update(self) -> None:
        settings = self.settings.policy
        choices = [made_from for made_from, _ in self._told]
        rewards = torch.tensor([score for _, score in self._told], dtype=self.policy.start.dtype)
        mean = float(rewards.mean())
        baseline = mean if self.baseline is None else self.baseline
        advantage = rewards - baseline
        if isinstance(self.settings, ReinforceSettings):
            log_prob, entropy = self.policy(choices)
            self._step(reinforce_loss(log_prob, advantage) - settings.entropy * entropy.mean())
        else:
            with torch.no_grad():
                before, _ = self.policy(choices)
            for _ in range(self.settings.passes):
                log_prob, entropy = self.policy(choices)
                loss = ppo_loss(log_prob, before, advantage, self.settings.clip)
                self._step(loss - settings.entropy * entropy.mean())
        self.baseline = settings.baseline_decay * baseline + (1 - settings.baseline_decay) * mean

    def _step(self, loss: torch.Tensor) -> None:
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()

    def state_dict(self) -> dict[str, Any]:
        """Weights, optimiser, stream, baseline, and the batch so far."""
        return {
            "policy": self.policy.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "generator": self._generator.get_state(),
            "baseline": self.baseline,
            "told": list(self._told),
            "asked": self._asked.state(),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restores `state_dict`."""
        self.policy.load_state_dict(state["policy"])
        self.optimizer.load_state_dict(state["optimizer"])
        self._generator.set_state(state["generator"])
        self.baseline = state["baseline"]
        self._told = [(tuple(choices), score) for choices, score in state["told"]]
        self._asked.load(state["asked"])
