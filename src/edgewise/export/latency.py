"""How long a network takes for a batch, measured."""

from __future__ import annotations

import copy
import time
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from edgewise.errors import ConfigError
from edgewise.export.classifier import Classifier

WARM_UP = 5
LEAST_RUNS = 30


@dataclass(frozen=True)
class Latency:
    """Milliseconds for a batch.

    Args:
        median_ms: the median of all runs.
        p10: the tenth percentile.
        p90: the ninetieth percentile.
        n: number of runs.
    """

    median_ms: float
    p10: float
    p90: float
    n: int


def latency(
    module: nn.Module,
    *,
    image_size: int,
    in_channels: int,
    batch: int,
    device: torch.device | str,
    runs: int = 50,
) -> Latency:
    """Measures the forward pass of a copy of a module, its images already on the device.

    Args:
        module: a `Classifier` (timed on uint8 images, normalisation included) or a network (on float32 images).
        image_size: side of the images in pixels.
        in_channels: 3 for RGB, 1 for grey.
        batch: images in a batch.
        device: where to measure.
        runs: how many passes are timed, after five that are not; at least 30.

    Raises:
        ConfigError: fewer than 30 runs, or an empty batch.
    """
    if runs < LEAST_RUNS or batch < 1:
        raise ConfigError(
            f"runs is {runs} and batch is {batch}: a latency needs {LEAST_RUNS} runs or more, of 1 image or more"
        )
    device = torch.device(device)
    subject = copy.deepcopy(module).to(device).eval()
    images = torch.randint(0, 256, (batch, in_channels, image_size, image_size), dtype=torch.uint8)
    if not isinstance(module, Classifier):
        images = images.float() / 255
    with torch.inference_mode():
        times = [_timed(subject, images.to(device)) for _ in range(WARM_UP + runs)][WARM_UP:]
    return percentiles(times)


def percentiles(seconds: list[float]) -> Latency:
    """Milliseconds of measured seconds."""
    shares = torch.tensor([0.1, 0.5, 0.9], dtype=torch.float64)
    p10, median, p90 = torch.tensor(seconds, dtype=torch.float64).mul(1e3).quantile(shares).tolist()
    return Latency(median, p10, p90, len(seconds))


def _timed(module: nn.Module, images: Tensor) -> float:
    _wait(images.device)
    start = time.perf_counter()
    module(images)
    _wait(images.device)
    return time.perf_counter() - start


def _wait(device: torch.device) -> None:
    """Waits until the device has done all that it was told to; a GPU works on after a call returns."""
    if device.type != "cpu":
        torch.accelerator.synchronize(device)
