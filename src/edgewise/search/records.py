"""What the trace keeps of an epoch and, where that is asked for, of a step of a search; plain JSON values."""

from __future__ import annotations

from typing import Any

import torch

from edgewise.methods import Projection
from edgewise.search.bilevel import BilevelSearch
from edgewise.search.diagnostics import mixture_shares
from edgewise.search.step import EpochSums, StepReport
from edgewise.spaces import Genotype


def epoch_record(search: BilevelSearch, sums: EpochSums, last: StepReport, genotype: Genotype) -> dict[str, Any]:
    """Losses, architecture and conflicts of an epoch.

    Args:
        search: at the epoch's end.
        sums: of the epoch's steps.
        last: the epoch's last step.
        genotype: what alpha and beta stand for.
    """
    loss, accuracy, grad_norm = sums.weights_means()
    arch_loss, arch_accuracy, alpha_norm, beta_norm = sums.arch_means()
    losses = {
        "steps": sums.steps,
        "arch_steps": sums.arch_steps,
        "weights_loss": loss,
        "weights_accuracy": accuracy,
        "arch_loss": arch_loss,
        "arch_accuracy": arch_accuracy,
        "lr": last.lr,
        "arch_lr": last.arch_lr,
        "weights_grad_norm": grad_norm,
        "alpha_grad_norm": alpha_norm,
        "beta_grad_norm": beta_norm if len(search.arch.beta) else None,
    }
    return losses | _architecture(search, genotype) | {"conflicts": _conflicts(search, sums)}


def _architecture(search: BilevelSearch, genotype: Genotype) -> dict[str, Any]:
    arch = search.arch
    with torch.no_grad():
        strengths = arch.strengths(search.recipe.relaxation)
    return {
        "alpha": {name: alpha.tolist() for name, alpha in arch.alpha.items()},
        "mixture": {name: values.tolist() for name, values in strengths.items()},
        "beta": {name: beta.tolist() for name, beta in arch.beta.items()} if len(arch.beta) else None,
        "genotype": genotype.to_dict(),
        "skips": {name: cell.skips for name, cell in genotype.cells.items()},
        "pools": {name: cell.pools for name, cell in genotype.cells.items()},
        "depth": {name: cell.depth for name, cell in genotype.cells.items()},
        "width": {name: cell.width for name, cell in genotype.cells.items()},
        "shares": mixture_shares(strengths, search.supernet.space.primitives),
    }


def _conflicts(search: BilevelSearch, sums: EpochSums) -> dict[str, Any] | None:
    if not sums.arch_steps:
        return None
    before, after = sums.conflict_means()
    cosines = sums.cosine_means()
    groups = [
        {
            "cell": cell_type,
            "node": node,
            "edges": len(edges),
            "steps": sums.arch_steps,
            "conflict_rate_before": before[c][g][0],
            "conflict_rate_after": after[c][g][0],
            "cosine_before": before[c][g][1],
            "cosine_after": after[c][g][1],
            "cosines": [[cosines[c][e][f] for f in edges] for e in edges],
        }
        for c, cell_type in enumerate(search.arch.alpha)
        for g, (node, edges) in enumerate(search.meter.groups)
    ]
    projection = search.recipe.projection
    return {
        "direction": search.meter.direction,
        "projected": projection is not None,
        "order": projection.order if isinstance(projection, Projection) else None,
        "groups": groups,
    }


def step_record(report: StepReport, epoch: int, step: int) -> dict[str, Any]:
    """One step, for `search.trace_steps`; waits for the device."""
    record: dict[str, Any] = {
        "phase": "search-step",
        "epoch": epoch,
        "step": step,
        "weights_loss": report.loss.item(),
        "weights_accuracy": report.accuracy.item(),
        "weights_grad_norm": report.grad_norm.item(),
    }
    if report.arch is not None:
        record |= {
            "arch_loss": report.arch.loss.item(),
            "arch_accuracy": report.arch.accuracy.item(),
            "alpha_grad_norm": report.arch.alpha_norm.item(),
            "conflicts_before": report.arch.before.tolist(),
            "conflicts_after": report.arch.after.tolist(),
        }
    return record
