"""Latencies are measured on a warm copy, in inference mode, with the device's work done."""

from __future__ import annotations

import time

import pytest
import torch
from torch import Tensor, nn

from edgewise.errors import ConfigError
from edgewise.export import Classifier, latency

SEEN: list[Tensor] = []


class Slow(nn.Module):
    """Takes the seconds that it is told, others in its first five passes."""

    def __init__(self, seconds: float = 0.0, first: float = 0.0) -> None:
        super().__init__()
        self.seconds = seconds
        self.first = first

    def forward(self, images: Tensor) -> Tensor:
        assert torch.is_inference_mode_enabled()
        assert not self.training
        SEEN.append(images)
        time.sleep(self.seconds if len(SEEN) > 5 else self.first)
        return images


@pytest.fixture(autouse=True)
def _fresh() -> None:
    SEEN.clear()


def test_the_median_is_the_time_of_a_pass_in_milliseconds() -> None:
    found = latency(Slow(0.005, first=0.005), image_size=4, in_channels=1, batch=2, device="cpu", runs=30)
    assert 5.0 <= found.p10 <= found.median_ms <= found.p90
    assert found.median_ms < 50


def test_the_first_passes_are_not_timed() -> None:
    found = latency(Slow(0.0, first=0.1), image_size=4, in_channels=1, batch=2, device="cpu", runs=30)
    assert len(SEEN) == 35
    assert found.n == 30
    assert found.p90 < 100


def test_images_are_as_large_as_asked() -> None:
    latency(Slow(), image_size=5, in_channels=3, batch=7, device="cpu")
    assert {tuple(images.shape) for images in SEEN} == {(7, 3, 5, 5)}
    assert all(images.dtype == torch.float32 and images.min() >= 0 and images.max() <= 1 for images in SEEN)


def test_the_module_is_left_as_it_was() -> None:
    module = Slow().train()
    latency(module, image_size=4, in_channels=1, batch=1, device="cpu")
    assert module.training


def test_a_classifier_is_timed_on_bytes_its_normalisation_included(made, monkeypatch) -> None:
    network, facts = made
    whole = Classifier.logits
    monkeypatch.setattr(Classifier, "logits", lambda self, images: (SEEN.append(images), whole(self, images))[1])
    monkeypatch.setattr(Classifier, "_check", lambda self, images: SEEN.append(images))
    latency(Classifier(network, facts), image_size=16, in_channels=3, batch=1, device="cpu", runs=30)
    assert [images.dtype for images in SEEN] == [torch.uint8, torch.float32] * 35


def test_every_pass_waits_for_the_device_before_and_after(monkeypatch) -> None:
    waits: list[int] = []
    monkeypatch.setattr(torch.accelerator, "synchronize", lambda device: waits.append(len(SEEN)))
    latency(Slow(), image_size=4, in_channels=1, batch=1, device="meta", runs=30)
    assert waits == [count for run in range(35) for count in (run, run + 1)]


@pytest.mark.parametrize(("runs", "batch"), [(29, 1), (30, 0)])
def test_too_few_runs_or_images_are_refused(runs: int, batch: int) -> None:
    with pytest.raises(ConfigError, match=f"runs is {runs} and batch is {batch}"):
        latency(Slow(), image_size=4, in_channels=1, batch=batch, device="cpu", runs=runs)
