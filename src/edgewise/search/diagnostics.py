"""What a search measures about itself: the architecture Hessian, the mixture's shares, the discretisation gap."""

from __future__ import annotations

from collections.abc import Iterable
from typing import get_args

import torch
from torch import Tensor

from edgewise.data import Batch
from edgewise.methods import hessian_product, largest_eigenvalue
from edgewise.nn import Mixture, frozen_statistics
from edgewise.search.bilevel import BilevelSearch
from edgewise.search.losses import cross_entropy
from edgewise.spaces import Genotype
from edgewise.spaces.primitives import PrimitiveKind, kind_of


def hessian_eigenvalue(search: BilevelSearch, batch: Batch, generator: torch.Generator) -> dict[str, float]:
    """The largest eigenvalue of the Hessian of the arch loss on one batch, with respect to all alpha.

    The arch weight decay is added, as it stands on the Hessian's diagonal. Batch norms use the batch's statistics
    and record nothing; noise, dropout and drop-path are off; a relaxation that samples is replaced by its
    expectation.

    Args:
        search: the search.
        batch: of the arch split.
        generator: draws the start vector, on the CPU.

    Returns:
        "eigenvalue", "residual" (an eigenvalue lies within this distance) and "products" (with the Hessian).

    Source: RobustDARTS §4; analyze.py of the authors' code, which builds the whole Hessian.
    """
    alphas = list(search.arch.alpha.values())
    mixtures = {
        name: Mixture(weights) for name, weights in search.arch.strengths(search.recipe.relaxation).items()
    }
    edge_weights = search.arch.edge_weights()
    if edge_weights is not None:
        edge_weights = {name: weights.detach() for name, weights in edge_weights.items()}
    with frozen_statistics(search.supernet), search.supernet.differentiable_twice():
        logits = search.supernet(batch.x, mixtures, edge_weights)
        loss = cross_entropy(logits, batch.y)
    size = sum(alpha.numel() for alpha in alphas)
    start = torch.randn(size, generator=generator, dtype=torch.float64).to(loss.device, loss.dtype)
    found = largest_eigenvalue(hessian_product(loss, alphas), start)
    return {
        "eigenvalue": found.value + search.recipe.arch.weight_decay,
        "residual": found.residual,
        "products": found.products,
    }


@torch.no_grad()
def mixture_shares(strengths: dict[str, Tensor], primitives: tuple[str, ...]) -> dict[str, dict[str, float]]:
    """How much of the mixture is skip, pool, none and the rest: means over the edges of each cell type.

    Args:
        strengths: [edges, primitives] for each cell type.
        primitives: the names of the columns.
    """
    kinds = [kind_of(primitive) for primitive in primitives]
    shares = {}
    for name, values in strengths.items():
        means = values.double().mean(0).tolist()
        shares[name] = {
            kind: sum(mean for mean, own in zip(means, kinds, strict=True) if own == kind)
            for kind in get_args(PrimitiveKind)
        }
    return shares


@torch.no_grad()
def discretisation_gap(search: BilevelSearch, batches: Iterable[Batch], genotype: Genotype) -> dict[str, float]:
    """Accuracy of the supernet with its mixture, and with the derived choice alone.

    In the second, every chosen edge carries its primitive with weight 1 and every other edge nothing, as in the
    derived network. Both use the batches' statistics in their batch norms, which record nothing, and none of the
    recipe's noise.

    Args:
        search: the search.
        batches: images of the arch split.
        genotype: the derived choice.

    Returns:
        "mixture" and "derived" (accuracies, 0 to 1), "gap" (their difference) and "images".
    """
    mixed = {name: Mixture(weights) for name, weights in search.arch.strengths(search.recipe.relaxation).items()}
    derived = one_hot_mixture(search, genotype)
    right, images = torch.zeros(2, dtype=torch.int64, device=search.compute.device), 0
    with frozen_statistics(search.supernet):
        for batch in batches:
            for i, (mixture, edge_weights) in enumerate(((mixed, search.arch.edge_weights()), (derived, None))):
                logits = search.supernet(batch.x, mixture, edge_weights)
                right[i] += (logits.argmax(1) == batch.y).sum()
            images += len(batch)
    shares = (right / images).tolist()
    return {"mixture": shares[0], "derived": shares[1], "gap": shares[0] - shares[1], "images": images}


def one_hot_mixture(search: BilevelSearch, genotype: Genotype) -> dict[str, Mixture]:
    """The mixture in which a genotype's edges carry their primitive and the others nothing."""
    space = search.supernet.space
    mixtures = {}
    for name, alpha in search.arch.alpha.items():
        weights = torch.zeros_like(alpha)
        for edge in genotype.cells[name].edges:
            row = space.topology.edges.index((edge.source, edge.target))
            weights[row, space.primitives.index(edge.primitive)] = 1.0
        mixtures[name] = Mixture(weights, (weights > 0).cpu())
    return mixtures
