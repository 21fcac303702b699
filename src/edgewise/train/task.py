"""The training of a network as a task of the loop."""

from __future__ import annotations

import math
from typing import Any

import torch
import torch.nn.functional as F

from edgewise.data import Augment, Batches, Images, Splits
from edgewise.errors import DivergedError
from edgewise.methods import TrainSettings
from edgewise.methods.schedule import cosine
from edgewise.nn import DropPath, synchronise, use_engine
from edgewise.runtime.compute import Compute, restore_optimizer
from edgewise.runtime.memory import explaining_memory
from edgewise.runtime.optimiser import sgd
from edgewise.runtime.random import Streams
from edgewise.train.forward import TrainingPass

# A mean cross-entropy, in nats, that no training of use passes through: the right class at a chance of e**-50.
LARGEST_LOSS = 50.0


class TrainTask:
    """Trains one network; the last weights are the result.

    Networks that are trained with the same seed see the same images in the same order.

    Args:
        network: a module that is `Trainable`.
        name: which network it is, such as "found".
        settings: epochs, optimiser, auxiliary head, drop-path.
        splits: the images; the test split is not opened.
        augment: what is done to training images.
        seed: the seed of every random stream of the training.
        compute: device and precision.
        title: what lines and errors call the training; by default it says the network's name.
        images: what it is trained on; all training images unless given.

    Source: thesis, appendix B; PC-DARTS, train.py of the authors' code.
    """

    def __init__(
        self,
        network: torch.nn.Module,
        name: str,
        settings: TrainSettings,
        splits: Splits,
        augment: Augment | None,
        *,
        seed: int,
        compute: Compute,
        title: str = "",
        images: Images | None = None,
    ) -> None:
        self.name = name
        self.phase = f"train:{name}"
        self.title = title or f"training ({name})"
        self.settings = settings
        self.compute = compute
        self.device = str(compute.device)
        self.streams = Streams(seed)
        self.network = synchronise(network.to(compute.device), compute.processes)
        use_engine(self.network, "plain" if compute.compiles else settings.engine)
        images = splits.train if images is None else images
        batch_size = min(settings.batch_size, len(images))
        self._forward = TrainingPass(self.network, compute, batch_size=batch_size, drops=settings.drop_path > 0)
        self.batches = Batches(
            images,
            batch_size=batch_size,
            generator=self.streams.generator("train.batches"),
            normalisation=splits.normalisation,
            augment=augment,
            drop_last=False,
            device=compute.device,
            processes=compute.processes,
        )
        self._classes = splits.classes
        self._weights = list(self.network.parameters())
        self.optimizer = compute.prepare_optimizer(
            sgd(
                self._weights,
                settings.lr,
                momentum=settings.momentum,
                weight_decay=settings.weight_decay,
            )
        )
        exact = torch.float32 if compute.device.type == "mps" else torch.float64
        self._sums = torch.zeros(4, dtype=exact, device=compute.device)

    @property
    def epochs(self) -> int:
        """Epochs of the training."""
        return self.settings.epochs

    @property
    def steps(self) -> int:
        """Steps of an epoch."""
        return len(self.batches)

    def learning_rate(self, epoch: int) -> float:
        """The learning rate of an epoch."""
        return cosine(epoch, self.settings.epochs, lr=self.settings.lr, lr_min=self.settings.lr_min)

    def drop_path_probability(self, epoch: int) -> float:
        """Rises linearly from 0 towards `drop_path`, reached at the end of the last epoch."""
        return self.settings.drop_path * epoch / self.settings.epochs

    def step(self, epoch: int, step: int) -> None:
        """Trains on one batch."""
        sizes = self.settings
        with explaining_memory(
            f"the {self.title}",
            f"batch {sizes.batch_size}, C {sizes.channels}, {sizes.layers} layers",
            f"start with a smaller train.batch_size (it is {sizes.batch_size}), train.channels or train.layers",
        ):
            self._step(epoch)

    def _step(self, epoch: int) -> None:
        batch = self.batches.next()
        self.network.train()
        for group in self.optimizer.param_groups:
            group["lr"] = self.learning_rate(epoch)
        processes = self.compute.processes
        # Each process's loss counts as much as it has images, so that their mean is the whole batch's.
        count, weight = len(batch), len(batch) * processes.world / batch.total
        stream = self.streams.generator("train.drop_path")
        drop_path = DropPath(self.drop_path_probability(epoch), stream, processes)
        with self.compute.autocast(), processes.sharing(batch.total):
            logits, auxiliary = self._forward(batch.x, drop_path)
            loss = F.cross_entropy(logits, batch.y)
            total = loss
            if auxiliary is not None:
                total = loss + self.settings.auxiliary * F.cross_entropy(auxiliary, batch.y)
        self.optimizer.zero_grad()
        self.compute.backward(total * weight)
        right = (logits.detach().argmax(1) == batch.y).sum()
        figures = processes.average_gradients(self._weights, loss.detach() * count, right.to(loss.dtype))
        norm = self.compute.clip(self._weights, self.settings.clip)
        self.optimizer.step()
        loss_sum, right = (figure * processes.world for figure in figures)
        sums = torch.stack([loss_sum, right, norm * batch.total, norm.new_full((), batch.total)])
        self._sums += sums.to(self._sums.dtype)

    def _means(self) -> list[float]:
        return (self._sums[:3] / self._sums[3].clamp(min=1)).tolist()

    def figures(self) -> dict[str, float]:
        """Mean loss and accuracy so far this epoch."""
        loss, accuracy, _ = self._means()
        return {"loss": loss, "accuracy": accuracy}

    def check_finite(self, epoch: int) -> None:
        """Raises DivergedError if a loss or gradient norm is not finite, or the loss beyond all use."""
        loss, _, norm = self._means()
        for name, value, most in (("loss", loss, LARGEST_LOSS), ("gradient norm", norm, math.inf)):
            if not abs(value) < most:
                raise DivergedError(
                    f"the {self.title} diverged: its {name} is {value:.4g} in epoch {epoch + 1} (a network that "
                    f"guesses has a loss of {math.log(self._classes):.2g}): lower train.lr (it is "
                    f"{self.settings.lr:g})"
                )

    def finish_epoch(self, epoch: int) -> dict[str, Any]:
        """The epoch's record for the trace."""
        parts = {"weights": self.network.parameters()}
        self.compute.processes.check_same(parts, f"at the end of epoch {epoch + 1} of the {self.title}")
        loss, accuracy, norm = self._means()
        self._sums.zero_()
        return {
            "phase": "train",
            "network": self.name,
            "epoch": epoch,
            "loss": loss,
            "accuracy": accuracy,
            "lr": self.learning_rate(epoch),
            "drop_path": self.drop_path_probability(epoch),
            "grad_norm": norm,
        }

    def state_dict(self) -> dict[str, Any]:
        """Weights, optimiser, streams, position among the images, sums of the epoch."""
        return {
            "network": self.network.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "scaler": self.compute.scaler_state(),
            "streams": self.streams.state_dict(),
            "batches": self.batches.state_dict(),
            "sums": self._sums.clone(),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restores `state_dict`."""
        self.network.load_state_dict(state["network"])
        restore_optimizer(self.optimizer, state["optimizer"])
        self.compute.load_scaler_state(state["scaler"])
        self.streams.load_state_dict(state["streams"])
        self.batches.load_state_dict(state["batches"])
        self._sums.copy_(state["sums"])
