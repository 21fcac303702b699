"""What only an exported file shows: its bytes, and how long onnxruntime takes for an image."""

from __future__ import annotations

import copy
import time
from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import nn

from edgewise.budget import show_bytes, show_count
from edgewise.errors import ConfigError
from edgewise.export.latency import Latency, percentiles
from edgewise.export.onnx_file import convert, label, session_of
from edgewise.nn.fit import measure_figures

WARM_UP = 10
RUNS = 100
# A noisy machine is waited for no longer than this.
MOST_SECONDS = 2.0


@dataclass(frozen=True)
class Measured:
    """The figures of an exported file.

    Args:
        size: its bytes.
        latency: milliseconds for one image.
        threads: of onnxruntime.
    """

    size: int
    latency: Latency
    threads: int = 1

    @property
    def latency_ms(self) -> float:
        """The median."""
        return self.latency.median_ms


def check_measurable() -> None:
    """Raises ConfigError if size and latency can't be measured here."""
    try:
        import onnx  # noqa: F401
        import onnxruntime  # noqa: F401
    except ImportError as error:
        raise ConfigError(
            f"size and latency are measured by onnx and onnxruntime, and {error.name} can't be imported here: "
            "install it, or leave --max-size, --max-latency and --for away"
        ) from error


def measure_export(
    network: nn.Module, *, image_size: int, in_channels: int, metadata: Mapping[str, str] | None = None
) -> Measured:
    """Exports a network with drawn weights, and measures the file.

    Weights that nobody has trained are alike (biases of zero, scales of one), and the converter keeps what is
    alike once: a file of them would be smaller than the trained network's.

    Args:
        network: maps normalised images to logits, as `Classifier` calls it; left as it is.
        image_size: side of the image in pixels.
        in_channels: 3 for RGB, 1 for grey.
        metadata: what the file carries with it, which counts as well.

    Raises:
        ExportError: PyTorch can't convert the network.
    """
    drawn = _Normalised(_drawn(network), in_channels)
    model = convert(drawn, image_size=image_size, in_channels=in_channels)
    label(model, metadata or {})
    return measure_file(model.SerializeToString(), image_size=image_size, in_channels=in_channels)


def _drawn(network: nn.Module) -> nn.Module:
    """A copy for inference, on the CPU, no two of whose tensors are alike."""
    copied = copy.deepcopy(network).cpu().eval()
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for tensor in (*copied.parameters(), *copied.buffers()):
            if tensor.is_floating_point():
                tensor.uniform_(0.5, 1.5, generator=generator)
    return copied


def measure_file(content: bytes, *, image_size: int, in_channels: int) -> Measured:
    """Measures an ONNX file: its bytes, and one image after the other on one thread.

    Args:
        content: the file.
        image_size: side of the image in pixels.
        in_channels: 3 for RGB, 1 for grey.
    """
    session = session_of(content, threads=1)
    generator = torch.Generator().manual_seed(0)
    image = torch.rand(1, in_channels, image_size, image_size, generator=generator).numpy()
    times: list[float] = []
    began = time.perf_counter()
    while len(times) < WARM_UP + RUNS:
        start = time.perf_counter()
        session.run(["logits"], {"images": image})
        times.append(time.perf_counter() - start)
        if time.perf_counter() - began > MOST_SECONDS and len(times) > 2 * WARM_UP:
            break
    return Measured(len(content), percentiles(times[WARM_UP:]))


def describe_export(network: nn.Module, content: bytes, *, image_size: int, in_channels: int) -> str:
    """What an exported network needs, in a sentence.

    Args:
        network: what was exported.
        content: the ONNX file.
        image_size: side of the image in pixels.
        in_channels: 3 for RGB, 1 for grey.
    """
    measured = measure_file(content, image_size=image_size, in_channels=in_channels)
    figures = measure_figures(network, image_size=image_size, in_channels=in_channels, element_bytes=4)
    latency = measured.latency
    return (
        f"{show_count(figures.params)} parameters, {show_count(figures.macs)} multiply-adds, "
        f"{show_bytes(measured.size)}, RAM {show_bytes(figures.ram)} for the activations of one image (float32), "
        f"latency {latency.median_ms:.3g} ms (median of {latency.n} runs, one image, {measured.threads} thread)"
    )


class _Normalised(nn.Module):
    """A network behind a normalisation, as every exported one is."""

    mean: torch.Tensor
    std: torch.Tensor

    def __init__(self, network: nn.Module, channels: int) -> None:
        super().__init__()
        self.network = network
        self.register_buffer("mean", torch.full((channels, 1, 1), 0.5))
        self.register_buffer("std", torch.full((channels, 1, 1), 0.25))

    def logits(self, images: torch.Tensor) -> torch.Tensor:
        """Maps images in 0..1 to logits."""
        return self.network((images - self.mean) / self.std)
