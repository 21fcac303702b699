"""What a test sees of a search from outside: forward passes, hooks, statistics of batch norms."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from edgewise.nn import Hooks, Mixture, Supernet
from edgewise.nn.hooks import NO_HOOKS
from edgewise.search import BilevelSearch


@dataclass
class Pass:
    """One forward pass of a supernet.

    Args:
        x: the images.
        mixtures: the weights of each cell type.
        active: which operations were to be evaluated.
        hooks: changes of outputs.
        training: the mode.
        records: whether batch norms recorded their statistics.
    """

    x: Tensor
    mixtures: dict[str, Tensor]
    active: dict[str, Tensor | None]
    hooks: Hooks
    training: bool
    records: bool


@dataclass
class Passes:
    """All forward passes of a supernet, in order."""

    seen: list[Pass] = field(default_factory=list)

    def of(self, x: Tensor) -> list[Pass]:
        """The passes of these images."""
        return [one for one in self.seen if torch.equal(one.x, x)]


def watch_passes(search: BilevelSearch, patch: pytest.MonkeyPatch) -> Passes:
    """Notes every forward pass of the search's supernet from now on."""
    passes, plain = Passes(), Supernet.forward
    norm = next(m for m in search.supernet.modules() if isinstance(m, nn.BatchNorm2d))

    def forward(
        self: Supernet,
        x: Tensor,
        mixture: dict[str, Mixture],
        edge_weights: Any = None,
        hooks: Hooks = NO_HOOKS,
    ) -> Tensor:
        passes.seen.append(
            Pass(
                x,
                {name: m.weights.detach().clone() for name, m in mixture.items()},
                {name: m.active for name, m in mixture.items()},
                hooks,
                self.training,
                norm.track_running_stats and norm.training,
            )
        )
        return plain(self, x, mixture, edge_weights, hooks)

    patch.setattr(Supernet, "forward", forward)
    return passes


def count_operations(search: BilevelSearch, each: Callable[[int, int, int], None]) -> None:
    """Calls back with (cell, edge, primitive) whenever an operation of the supernet is evaluated."""
    for c, cell in enumerate(search.supernet.cells):
        for e, edge in enumerate(cell.edges):  # type: ignore[arg-type]
            for name, module in edge.mixed.operations.items():  # type: ignore[union-attr]
                module.register_forward_hook(lambda *_, place=(c, e, int(name)): each(*place))


def statistics(module: nn.Module) -> dict[str, Tensor]:
    """Copies of the running statistics of all batch norms."""
    return {name: value.clone() for name, value in module.named_buffers()}
