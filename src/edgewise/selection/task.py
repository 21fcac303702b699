"""The selection as a task of the loop: each of its epochs is an epoch of one candidate's training."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from torch import nn

from edgewise.data import Augment, Splits
from edgewise.errors import DivergedError
from edgewise.methods import TrainSettings
from edgewise.runtime.compute import Compute
from edgewise.selection.halving import Halving
from edgewise.train import TrainTask, evaluate


@dataclass(frozen=True)
class Entrant:
    """A network that takes part.

    Args:
        name: unlike those of all others.
        network: the module, with its start weights.
        macs: multiply-adds for an image; of two that rank alike, the one with fewer goes on.
    """

    name: str
    network: nn.Module
    macs: int


class SelectionTask:
    """Trains candidates on the weights split, rung by rung, and puts the weaker ones out.

    Those that stay go on from their weights, their optimiser's state and their place among the images; all see
    the same images in the same order. One whose training diverges is put out with its reason. Test images are not
    read.

    Args:
        entrants: the candidates, at least one.
        halving: the rungs.
        settings: of the training; `halving.epochs` replaces its number of epochs.
        splits: the images; the test split is not opened.
        augment: what is done to training images.
        seed: the seed of every random stream of the trainings.
        compute: device and precision.
        phase: its name in the run folder.
        title: what lines call it.
        say: hears a sentence at the end of every rung.
    """

    def __init__(
        self,
        entrants: Sequence[Entrant],
        halving: Halving,
        settings: TrainSettings,
        splits: Splits,
        augment: Augment | None,
        *,
        seed: int,
        compute: Compute,
        phase: str = "select",
        title: str = "selection",
        say: Callable[[str], None] = lambda text: None,
    ) -> None:
        self.phase = phase
        self.title = title
        self.device = str(compute.device)
        self._compute = compute
        self._splits = splits
        self._halving = halving
        self._rungs = halving.plan()
        self._say = say
        self._macs = {entrant.name: entrant.macs for entrant in entrants}
        shortened = replace(settings, epochs=halving.epochs)
        self._tasks = {
            entrant.name: TrainTask(
                entrant.network,
                entrant.name,
                shortened,
                splits,
                augment,
                seed=seed,
                compute=compute,
                title=f"training of candidate {entrant.name}",
                images=splits.weights,
            )
            for entrant in entrants
        }
        self._rung = 0
        self._standing = [entrant.name for entrant in entrants]
        """Those that train in this rung, in their order."""
        self._turn = 0
        """Whose turn it is."""
        self._done = 0
        """Epochs of the loop that are done."""
        self._trained = dict.fromkeys(self._macs, 0)
        self._figures: dict[str, dict[str, float]] = {}
        self._reason = ""
        """Why the candidate whose turn it is can't go on."""
        self.out: dict[str, dict[str, Any]] = {}
        """Of those that were put out: "rung" (from 0), "place" in it (from 1; None without one) and "reason"."""
        self.order = list(self._standing) if len(self._standing) == 1 else []
        """The last ranking, the best first; empty before the end."""

    @property
    def winner(self) -> str:
        """The best of the last ranking."""
        return self.order[0]

    @property
    def trained(self) -> dict[str, int]:
        """How many epochs each candidate was trained."""
        return dict(self._trained)

    @property
    def figures_at_the_end(self) -> dict[str, dict[str, float]]:
        """What each candidate was last ranked by: its "loss" and, where a rung asked for it, its "accuracy"."""
        return {name: dict(values) for name, values in self._figures.items()}

    @property
    def epochs(self) -> int:
        """Epochs of all candidates together: those done, and those to come if nobody diverges."""
        if self.order:
            return self._done
        waiting = self._standing[self._turn :]
        to_come = sum(self._rungs[self._rung].epochs - self._trained[name] for name in waiting)
        before, left = self._rungs[self._rung].epochs, len([n for n in self._standing if n not in self.out])
        for rung in self._rungs[self._rung + 1 :]:
            left = self._halving.going_on(left)
            if left == 1:
                break
            to_come += left * (rung.epochs - before)
            before = rung.epochs
        return self._done + to_come

    @property
    def steps(self) -> int:
        """Steps of an epoch: the same for all candidates."""
        return next(iter(self._tasks.values())).steps

    @property
    def _name(self) -> str:
        return self._standing[self._turn]

    @property
    def _task(self) -> TrainTask:
        return self._tasks[self._name]

    def step(self, epoch: int, step: int) -> None:
        """Trains the candidate whose turn it is on one batch."""
        if not self._reason:
            self._task.step(self._trained[self._name], step)

    def figures(self) -> dict[str, float]:
        """Mean loss and accuracy so far of the candidate's epoch."""
        return {} if self._reason or self.order else self._task.figures()

    def check_finite(self, epoch: int) -> None:
        """Puts the candidate out if its training diverged."""
        if not self._reason:
            try:
                self._task.check_finite(self._trained[self._name])
            except DivergedError as error:
                self._reason = str(error)

    def finish_epoch(self, epoch: int) -> dict[str, Any]:
        """The record of the candidate's epoch; at the end of a rung, who goes on."""
        name, rung = self._name, self._rungs[self._rung]
        record = {"phase": self.phase, "network": name, "rung": self._rung, "epoch": self._trained[name]}
        if self._reason:
            record["diverged"] = self._reason
            self._put_out(name, self._reason)
            self._turn += 1
        else:
            own = self._task.finish_epoch(self._trained[name])
            record |= {key: own[key] for key in ("loss", "accuracy", "lr", "grad_norm")}
            self._trained[name] += 1
            if self._trained[name] == rung.epochs:
                record |= self._ranked_by(name, record["loss"])
                self._turn += 1
        self._reason = ""
        self._done += 1
        if self._turn == len(self._standing):
            record["order"] = self._end_rung()
        return record

    def _ranked_by(self, name: str, loss: float) -> dict[str, Any]:
        """Notes what the rung ranks by; a candidate whose figure is not finite is put out."""
        self._figures[name] = {"loss": loss}
        if self._rungs[self._rung].by == "loss":
            return {}
        result = evaluate(
            self._task.network,
            self._splits.arch,
            self._splits.normalisation,
            classes=self._splits.classes,
            compute=self._compute,
        )
        if not math.isfinite(result.loss):
            said = f"its loss on the arch split is {result.loss}: lower train.lr"
            self._put_out(name, said)
            return {"diverged": said}
        self._figures[name]["accuracy"] = result.top1
        return {"arch_accuracy": result.top1, "arch_loss": result.loss}

    def _put_out(self, name: str, reason: str, place: int | None = None) -> None:
        self.out[name] = {"rung": self._rung, "place": place, "reason": reason}
        self._tasks.pop(name) if len(self._tasks) > 1 else None
        if len(self.out) == len(self._macs):
            raise DivergedError(
                f"the training of every candidate diverged, the last one's thus: {reason}: lower train.lr"
            )

    def _end_rung(self) -> list[str]:
        """Ranks those that stand, puts the weaker ones out, and begins the next rung."""
        by = self._rungs[self._rung].by
        sign = 1 if by == "loss" else -1
        order = sorted(
            (name for name in self._standing if name not in self.out),
            key=lambda name: (sign * self._figures[name][by], self._macs[name]),
        )
        stay = 1 if self._rung + 1 == len(self._rungs) else self._halving.going_on(len(order))
        what = "training loss" if by == "loss" else "accuracy on the arch split"
        for place, name in enumerate(order[stay:], stay + 1):
            self._put_out(name, f"place {place} of {len(order)} by {what}", place)
        gone = len(self._standing) - len(order)
        diverged = f", {gone} diverged" if gone else ""
        ending = f"{order[0]} wins" if stay == 1 else f"{stay} of {len(order)} go on, {order[0]} leads"
        self._say(f"{self.title}, rung {self._rung + 1} of {len(self._rungs)}: {ending}{diverged}")
        if stay == 1:
            self.order = order
        self._rung, self._standing, self._turn = self._rung + 1, order[:stay], 0
        return order

    def state_dict(self) -> dict[str, Any]:
        """The state of every training that may go on, and how far the selection is."""
        return {
            "tasks": {} if self.order else {name: task.state_dict() for name, task in self._tasks.items()},
            "rung": self._rung,
            "standing": list(self._standing),
            "turn": self._turn,
            "done": self._done,
            "trained": dict(self._trained),
            "figures": {name: dict(values) for name, values in self._figures.items()},
            "reason": self._reason,
            "out": {name: dict(values) for name, values in self.out.items()},
            "order": list(self.order),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restores `state_dict`."""
        self._rung, self._turn, self._done = state["rung"], state["turn"], state["done"]
        self._standing, self._trained = list(state["standing"]), dict(state["trained"])
        self._figures, self._reason = dict(state["figures"]), state["reason"]
        self.out, self.order = dict(state["out"]), list(state["order"])
        if state["tasks"]:
            self._tasks = {name: self._tasks[name] for name in state["tasks"]}
        for name, own in state["tasks"].items():
            self._tasks[name].load_state_dict(own)
