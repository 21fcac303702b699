"""Copies to a device are waited for only where they have to be."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from edgewise.runtime.transfer import to_device


class Noting(torch.Tensor):
    """Notes how it was asked to go to a device that is not there."""

    def to(self, *args: Any, **kwargs: Any) -> Any:  # type: ignore[override]
        return args, kwargs


@pytest.mark.parametrize(("device", "waits"), [("cuda", False), ("cuda:1", False), ("xpu", False), ("mps", True)])
def test_the_host_waits_for_metal_alone_which_reads_memory_after_it_was_freed(device: str, waits: bool) -> None:
    there = torch.device(device)
    tensor = torch.zeros(2).as_subclass(Noting)
    assert to_device(tensor, there) == ((there, torch.float32), {"non_blocking": not waits})
    assert to_device(tensor, there, torch.int64) == ((there, torch.int64), {"non_blocking": not waits})


def test_what_is_there_already_comes_back_as_it_is() -> None:
    tensor = torch.arange(3)
    assert to_device(tensor, torch.device("cpu")) is tensor
    assert to_device(tensor, torch.device("cpu"), torch.float64).dtype == torch.float64
