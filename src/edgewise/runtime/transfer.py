"""From the host's memory to the device."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch
    from torch import Tensor


def to_device(tensor: Tensor, device: torch.device, dtype: torch.dtype | None = None) -> Tensor:
    """The tensor on a device; the host does not wait for the copy, where that is safe.

    On CUDA, ordinary memory is staged before the call returns, so that the tensor may be changed or freed at once.
    Metal reads it later, and may find other numbers: there the host waits.

    Args:
        tensor: in the host's memory, not pinned; one that is on the device already comes back as it is.
        device: where to.
        dtype: of the result; the tensor's own unless given.

    Source: CUDA, API synchronisation behaviour; PyTorch issues 139550 and 189690 (Metal).
    """
    return tensor.to(device, dtype or tensor.dtype, non_blocking=device.type != "mps")
