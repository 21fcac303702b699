"""What size and latency are expected of an export, learned from the few that were made."""

from __future__ import annotations

from dataclasses import dataclass
from weakref import WeakKeyDictionary

from torch import nn

from edgewise.export.measured import Measured
from edgewise.nn.cost import measure_cost
from edgewise.nn.fit import count_inference_params

# A first guess, before anything was exported: bytes of a module besides its weights, milliseconds of a module and
# of a million multiply-adds.
_BYTES, _MS, _MS_PER_MILLION = 120.0, 0.003, 0.025


def stored_values(network: nn.Module) -> int:
    """Numbers in the file: batch norms are folded into convolutions and leave one number a channel there."""
    norms = (module for module in _inference_modules(network) if isinstance(module, nn.BatchNorm2d))
    return count_inference_params(network) - sum(norm.num_features for norm in norms)


def file_size(measured: Measured, network: nn.Module, value_bytes: int) -> int:
    """Bytes of the exported file, were a weight of so many bytes; what else is in it stays as it is.

    Args:
        measured: the float32 file.
        network: what was exported.
        value_bytes: 4, or 1 for int8.
    """
    return measured.size - (4 - value_bytes) * stored_values(network)


@dataclass(frozen=True)
class _Export:
    modules: int
    values: int
    rest: float
    latency_ratio: float


class Expected:
    """Expects sizes and latencies.

    Networks of equal numbers of modules have graphs of the same operations: what their files hold besides weights
    is nearly the same, and their latencies go with multiply-adds. Of an exported network nothing is guessed.

    Args:
        value_bytes: of a weight in the file: 4, or 1 for int8.
        image_size: side of the images in pixels.
        in_channels: 3 for RGB, 1 for grey.
    """

    def __init__(self, *, value_bytes: int, image_size: int, in_channels: int) -> None:
        self._value_bytes = value_bytes
        self._shape = {"image_size": image_size, "in_channels": in_channels}
        self._exports: list[_Export] = []
        self._guesses: WeakKeyDictionary[nn.Module, float] = WeakKeyDictionary()

    def learn(self, network: nn.Module, measured: Measured) -> None:
        """Notes an export."""
        modules, values = _modules(network), stored_values(network)
        ratio = measured.latency_ms / self._guess(network)
        self._exports.append(_Export(modules, values, measured.size - 4 * values, ratio))

    def size(self, network: nn.Module) -> float:
        """Bytes of the file."""
        modules, export = _modules(network), self._like(network)
        rest = _BYTES * modules if export is None else export.rest * modules / export.modules
        return self._value_bytes * stored_values(network) + rest

    def latency(self, network: nn.Module) -> float:
        """Milliseconds for an image."""
        export = self._like(network)
        return self._guess(network) * (1.0 if export is None else export.latency_ratio)

    def _like(self, network: nn.Module) -> _Export | None:
        """The export that is most like a network, the latest of equal ones."""
        modules, values = _modules(network), stored_values(network)
        return min(
            reversed(self._exports),
            key=lambda export: (abs(export.modules - modules), abs(export.values - values)),
            default=None,
        )

    def _guess(self, network: nn.Module) -> float:
        if network not in self._guesses:
            macs = measure_cost(network, **self._shape).macs
            self._guesses[network] = _MS * _modules(network) + _MS_PER_MILLION * macs / 1e6
        return self._guesses[network]


def _modules(network: nn.Module) -> int:
    return len(_inference_modules(network))


def _inference_modules(network: nn.Module) -> list[nn.Module]:
    return [module for name, module in network.named_modules() if not name.startswith("auxiliary")]
