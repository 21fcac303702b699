"""The stop rule at work: eigenvalues so far, cells to fall back to, and what a roll-back needs."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from edgewise.methods import Recipe


@dataclass
class EarlyStopping:
    """Follows the largest eigenvalue over a search and decides when it has risen too far.

    Epochs are those of the method's schedule; after a roll-back they lie `shift` behind the epochs that were run.

    Args:
        recipe: says the rule, and whether to stop or to roll back.
        shift: how many epochs were run twice.
        eigenvalues: of the evaluations so far.
        genotypes: the cells at each evaluation, as plain data.
        snapshots: the search's state at those evaluations that a roll-back may still go to.
        stopped: the decision that ended the search, or None.
    """

    recipe: Recipe
    shift: int = 0
    eigenvalues: list[float] = field(default_factory=list)
    genotypes: dict[int, Any] = field(default_factory=dict)
    snapshots: dict[int, Any] = field(default_factory=dict)
    stopped: dict[str, Any] | None = None

    def due(self, epoch: int) -> bool:
        """Whether the rule wants an eigenvalue at the end of an epoch."""
        stop = self.recipe.stop
        return stop is not None and stop.due(epoch, self.recipe.search.epochs)

    def decide(
        self,
        epoch: int,
        eigenvalue: float,
        genotype: dict[str, Any],
        *,
        state: Callable[[], dict[str, Any]],
        at_limit: bool,
    ) -> dict[str, Any] | None:
        """Takes an evaluation in.

        Args:
            epoch: of the schedule.
            eigenvalue: the largest one.
            genotype: the cells now.
            state: gives the search's state, for a later roll-back.
            at_limit: whether the weight decay can't be raised any more, so that nothing is decided.

        Returns:
            None to go on; else "action" ("stop" or "roll back"), "detected" and "epoch", the epoch that is taken.
        """
        rule = self.recipe.stop
        assert rule is not None
        self.eigenvalues.append(eigenvalue)
        self.genotypes[epoch] = genotype
        rolls_back = self.recipe.adaptation is not None
        if rolls_back and not at_limit and epoch >= rule.start:
            self.snapshots[epoch] = copy.deepcopy(state())
        oldest = epoch - rule.every * (rule.window // 2 + rule.delta)
        for old in [e for e in self.snapshots if e < oldest]:
            del self.snapshots[old]
        target = None if at_limit else rule.stop_epoch(self.eigenvalues, epoch, self.recipe.search.epochs)
        if target is None:
            return None
        if rolls_back:
            # What lies before the epoch that was gone back to is forgotten: that epoch serves again.
            return {"action": "roll back", "detected": epoch, "epoch": max(target, min(self.snapshots))}
        decision = {"action": "stop", "detected": epoch, "epoch": target}
        self.stopped = decision | {"genotype": self.genotypes[target]}
        return decision

    def roll_back(self, detected: int, target: int) -> dict[str, Any]:
        """Forgets what came after an epoch; returns the search's state at its end."""
        state = copy.deepcopy(self.snapshots[target])
        kept = sorted(epoch for epoch in self.genotypes if epoch <= target)
        self.eigenvalues = self.eigenvalues[: len(kept)]
        self.genotypes = {epoch: self.genotypes[epoch] for epoch in kept}
        self.snapshots = {target: self.snapshots[target]}
        self.shift += detected - target
        return state

    def state_dict(self) -> dict[str, Any]:
        """Everything but the recipe."""
        return {
            "shift": self.shift,
            "eigenvalues": list(self.eigenvalues),
            "genotypes": dict(self.genotypes),
            "snapshots": dict(self.snapshots),
            "stopped": self.stopped,
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restores `state_dict`."""
        self.shift = state["shift"]
        self.eigenvalues = list(state["eigenvalues"])
        self.genotypes = dict(state["genotypes"])
        self.snapshots = dict(state["snapshots"])
        self.stopped = state["stopped"]
