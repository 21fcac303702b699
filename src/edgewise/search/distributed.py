"""What several processes make of one step: each has a part of the batch, all get the whole one's numbers."""

from __future__ import annotations

import logging
from dataclasses import replace

from torch import Tensor

from edgewise.methods import Recipe
from edgewise.methods.gradient import ArchGradient
from edgewise.runtime.distributed import Processes
from edgewise.search.problem import SupernetProblem

NEWS = logging.getLogger(__name__)


def shared_gradient(
    gradient: ArchGradient, problem: SupernetProblem, processes: Processes
) -> tuple[ArchGradient, Tensor, Tensor]:
    """The gradient of the whole arch batch, before anything is done with it, and the batch's loss and accuracy.

    A projection is not linear: the mean of projected gradients is another one than the projected mean, and an edge
    that conflicts in one process need not in the next. So what is projected is the mean.

    Args:
        gradient: of this process's part of the batch.
        problem: has that part's loss and accuracy.
        processes: who shares the batch.
    """
    assert problem.last_loss is not None
    assert problem.last_accuracy is not None
    alpha, beta = gradient.alpha, gradient.beta
    means = processes.average([*alpha.values(), *beta.values(), problem.last_loss, problem.last_accuracy])
    count = len(alpha)
    whole = ArchGradient(
        alpha=dict(zip(alpha, means[:count], strict=True)),
        beta=dict(zip(beta, means[count:-2], strict=True)),
    )
    return whole, means[-2], means[-1]


def without_kernels(recipe: Recipe, processes: Processes) -> Recipe:
    """The recipe with the engine that several processes need: the kernels' batch norms know one process's images.

    Args:
        recipe: the method.
        processes: who shares a batch.
    """
    if not processes.several or recipe.search.engine != "auto":
        return recipe
    if processes.main:
        NEWS.info("%d processes: cells run grouped, not on kernels; batch norms are synchronised", processes.world)
    return replace(recipe, search=replace(recipe.search, engine="grouped"))
