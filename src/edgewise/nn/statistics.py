"""Forward passes that leave no trace in a network: running statistics, and the count of noise that was drawn."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from torch import nn

from edgewise.nn.noise import Noise


@contextmanager
def frozen_statistics(module: nn.Module) -> Iterator[None]:
    """Within it, batch norms in training mode use the batch's statistics and do not record them.

    The primitive `noise` is put back to where it was, so that what comes after draws as if nothing had been.

    Args:
        module: the network; its mode is left as it is.
    """
    norms = [
        child
        for child in module.modules()
        if isinstance(child, nn.modules.batchnorm._BatchNorm) and child.track_running_stats and child.training
    ]
    noises = [(child, child.calls) for child in module.modules() if isinstance(child, Noise)]
    for norm in norms:
        norm.track_running_stats = False
    try:
        yield
    finally:
        for norm in norms:
            norm.track_running_stats = True
        for noise, calls in noises:
            noise.calls = calls


@contextmanager
def frozen_weights(module: nn.Module) -> Iterator[None]:
    """Within it, weights ask for no gradient, so that passes neither keep nor compute what only they need.

    Args:
        module: the network; which weights asked for a gradient is put back at the end.
    """
    asking = [parameter for parameter in module.parameters() if parameter.requires_grad]
    for parameter in asking:
        parameter.requires_grad = False
    try:
        yield
    finally:
        for parameter in asking:
            parameter.requires_grad = True


@contextmanager
def evaluation_mode(module: nn.Module) -> Iterator[None]:
    """Within it, the module is in evaluation mode: batch norms use their running statistics.

    Args:
        module: the network; its mode is put back at the end.
    """
    training = module.training
    module.eval()
    try:
        yield
    finally:
        module.train(training)
