"""The test: accuracy, loss, per-class accuracy and confusion on images that nothing was trained or chosen on."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from sklearn.metrics import confusion_matrix

from edgewise.data import Images, Normalisation, in_order
from edgewise.runtime.compute import Compute

EVALUATION_BATCH = 256


@dataclass(frozen=True)
class TestResult:
    """What a network reaches.

    Args:
        images: how many were classified.
        top1: share that was right, 0 to 1.
        loss: mean cross-entropy, in nats.
        per_class: share of each class that was right; None for a class without images.
        confusion: counts, rows are true classes, columns predicted ones.
    """

    __test__ = False

    images: int
    top1: float
    loss: float
    per_class: tuple[float | None, ...]
    confusion: tuple[tuple[int, ...], ...]


@torch.no_grad()
def evaluate(
    network: torch.nn.Module, images: Images, normalisation: Normalisation, *, classes: int, compute: Compute
) -> TestResult:
    """Classifies images in their order, without augmentation, in evaluation mode.

    Several processes take turns, a batch each: in evaluation mode, batches know nothing of each other.

    Args:
        network: maps [B, C, H, W] to logits [B, classes].
        images: the images and labels.
        normalisation: the training images'.
        classes: number of classes.
        compute: device and precision.
    """
    network = network.to(compute.device).eval()
    processes = compute.processes
    found: dict[int, tuple[float, list[int], list[int]]] = {}
    for turn, batch in enumerate(in_order(images, EVALUATION_BATCH, normalisation, compute.device)):
        if turn % processes.world != processes.rank:
            continue
        with compute.autocast():
            logits = network(batch.x)
        loss = F.cross_entropy(logits.float(), batch.y, reduction="sum").item()
        found[turn] = loss, logits.argmax(1).tolist(), batch.y.tolist()
    every = {turn: batch for part in processes.gather(found) for turn, batch in part.items()}
    losses, predicted, true = zip(*(every[turn] for turn in sorted(every)), strict=True)
    loss = sum(losses)
    labels, guesses = np.concatenate(true), np.concatenate(predicted)
    confusion = confusion_matrix(labels, guesses, labels=list(range(classes)))
    right, total = confusion.diagonal(), confusion.sum(axis=1)
    return TestResult(
        images=len(labels),
        top1=float((labels == guesses).mean()),
        loss=loss / len(labels),
        per_class=tuple(float(r / n) if n else None for r, n in zip(right, total, strict=True)),
        confusion=tuple(tuple(int(count) for count in row) for row in confusion),
    )
