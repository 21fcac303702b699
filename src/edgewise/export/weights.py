"""From a network to its weights and back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import torch
from torch import Tensor, nn

from edgewise.errors import ExportError
from edgewise.export.facts import NetworkFacts
from edgewise.nn.build import build_design
from edgewise.nn.network import AnyNetwork, NetworkSpec

_SHOWN = 3
AUXILIARY = "auxiliary."


def inference_weights(network: nn.Module, facts: NetworkFacts) -> dict[str, Tensor]:
    """The weights and statistics of a network on the CPU, without those of the auxiliary head.

    Args:
        network: the network; left as it is.
        facts: what is said about it.

    Raises:
        ExportError: the facts are another network's.
    """
    # Compared as values: some stems differ in a stride alone, and weights don't show that.
    # A network made by hand says nothing of itself; its weights have to fit.
    if isinstance(network, AnyNetwork) and (
        network.genotype != facts.genotype or _plain(network.spec) != _plain(facts.spec)
    ):
        genotypes = "agree" if network.genotype == facts.genotype else "differ"
        raise ExportError(
            "the facts are another network's: pass network.genotype and network.spec (the network: "
            f"{network.spec}, the facts: {facts.spec}; the genotypes {genotypes})"
        )
    state = network.state_dict()
    weights = {
        name: tensor.detach().cpu().contiguous()
        for name, tensor in state.items()
        if not name.startswith(AUXILIARY)
    }
    faults = misfits(empty_network(facts), weights)
    if faults:
        raise ExportError(
            f"the weights can't be saved: {'; '.join(faults)}; pass the network as it was built, in float32"
        )
    return weights


def _plain(spec: NetworkSpec) -> NetworkSpec:
    return replace(spec, auxiliary=False)


def empty_network(facts: NetworkFacts) -> nn.Module:
    """The network without its auxiliary head, its weights not yet there (on the meta device).

    Nothing is drawn: loading a network leaves every random stream where it was.
    """
    with torch.device("meta"):
        return build_design(facts.genotype or facts.hand_made, _plain(facts.spec)).float()


def misfits(network: nn.Module, weights: Mapping[str, Tensor]) -> list[str]:
    """In what `weights` differ from the weights that the network needs; empty if they fit."""
    wanted = network.state_dict()
    faults = []
    for what, names in (("missing", wanted.keys() - weights.keys()), ("unknown", weights.keys() - wanted.keys())):
        if names:
            faults.append(f"{len(names)} {what} ({_some(names)})")
    for name in sorted(wanted.keys() & weights.keys()):
        want, found = wanted[name], weights[name]
        if want.shape != found.shape:
            faults.append(f"{name} is {list(found.shape)}, expected {list(want.shape)}")
        elif want.dtype != found.dtype:
            faults.append(f"{name} is {found.dtype}, expected {want.dtype}")
    return faults[: _SHOWN + 1] + (["..."] if len(faults) > _SHOWN + 1 else [])


def fill(network: nn.Module, weights: Mapping[str, Tensor]) -> nn.Module:
    """The `empty_network` with its weights, ready for inference; the tensors are taken over, not copied."""
    network.load_state_dict(weights, assign=True)
    return network.eval()


def _some(names: set[str]) -> str:
    return ", ".join(sorted(names)[:_SHOWN]) + (", ..." if len(names) > _SHOWN else "")
