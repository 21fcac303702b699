"""Where and how precisely numbers are computed: device, mixed precision, through accelerate."""

from __future__ import annotations

import os
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any, Literal

from edgewise.errors import ConfigError
from edgewise.runtime.compiling import compile_fault
from edgewise.runtime.launcher import handlers, joined, launched, own_device

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    import torch
    from torch import Tensor

Precision = Literal["fp32", "bf16", "fp16"]
PRECISIONS: tuple[Precision, ...] = ("fp32", "bf16", "fp16")


class Compute:
    """A device and a precision, and the processes that a launcher started.

    Args:
        device: "auto" (an accelerator if there is one), "cpu", "cuda", "cuda:1", "mps", ...; of several processes
            each takes its own.
        precision: "fp32", or autocast to "bf16" or "fp16" (with a loss scaler).
        compile: whether forward passes are compiled, where that can be done (see `compile_fault`); not with
            several processes, whose batch norms talk to each other within the pass.

    Raises:
        ConfigError: the device does not exist here, or can't do the precision.
    """

    def __init__(self, device: str = "auto", precision: Precision = "fp32", *, compile: bool = False) -> None:
        if precision not in PRECISIONS:
            raise ConfigError(f"--precision {precision!r} is unknown: choose one of {', '.join(PRECISIONS)}")
        self.device: torch.device = _find_device(device)
        if precision == "fp16" and self.device.type == "cpu":
            raise ConfigError("--precision fp16 needs an accelerator, and the device is cpu: use fp32 or bf16")
        self.precision: Precision = precision
        self._accelerator = _accelerator(self.device, precision)
        self.processes = joined(self._accelerator)
        self.compiles = compile and not self.processes.several and compile_fault(self.device) is None

    @property
    def compiles_searches(self) -> bool:
        """Whether supernets are compiled too: not on a CPU: minutes a cell, to be slower than before."""
        return self.compiles and self.device.type != "cpu"

    @property
    def channels_last(self) -> bool:
        """Whether images lie channels-last in trainings: under autocast on CUDA, for the tensor cores."""
        return self.device.type == "cuda" and self.precision != "fp32"

    def autocast(self) -> AbstractContextManager[None]:
        """The context in which forward passes run."""
        return self._accelerator.autocast()

    def prepare_optimizer(self, optimizer: torch.optim.Optimizer) -> torch.optim.Optimizer:
        """The optimiser with the loss scaler around it, where there is one."""
        return self._accelerator.prepare_optimizer(optimizer, device_placement=False)

    def backward(self, loss: Tensor) -> None:
        """Fills the weights' gradients, scaled where there is a loss scaler."""
        self._accelerator.backward(loss)

    def gradients(
        self, loss: Tensor, inputs: Sequence[Tensor], *, create_graph: bool = False
    ) -> tuple[Tensor, ...]:
        """d loss / d inputs, unscaled, without touching any other gradient.

        Args:
            loss: a scalar.
            inputs: what it is differentiated by.
            create_graph: whether the gradients can be differentiated again.
        """
        import torch

        scaler = self._accelerator.scaler
        if scaler is None:
            return torch.autograd.grad(loss, list(inputs), create_graph=create_graph)
        scale = scaler.scale(torch.ones_like(loss))
        scaled = torch.autograd.grad(loss * scale, list(inputs), create_graph=create_graph)
        return tuple(gradient / scale for gradient in scaled)

    def overflowed(self, gradients: Iterable[Tensor]) -> bool:
        """Whether a gradient overflowed under the loss scaler, so that the step is to be skipped.

        The host waits for that, once, where there is a loss scaler.
        """
        if self._accelerator.scaler is None:
            return False
        import torch

        return not bool(torch.stack([gradient.isfinite().all() for gradient in gradients]).all())

    def clip(self, parameters: Iterable[Tensor], limit: float) -> Tensor:
        """Clips the norm of all gradients together to `limit`.

        Returns:
            The norm before. Under a loss scaler, 0 for gradients that overflowed: the optimiser skips that step.
        """
        from edgewise.runtime.optimiser import can_clip_together, clip_together

        weights = list(parameters)
        learning = [weight for weight in weights if weight.grad is not None]
        gradients = [weight.grad for weight in learning if weight.grad is not None]
        if self._accelerator.scaler is None and can_clip_together(gradients):
            return clip_together(learning, limit)
        norm = self._accelerator.clip_grad_norm_(weights, limit)
        assert norm is not None
        return norm if self._accelerator.scaler is None else norm.nan_to_num(0.0, 0.0, 0.0)

    def scaler_state(self) -> dict[str, float]:
        """The loss scaler's state; empty without one."""
        scaler = self._accelerator.scaler
        return {} if scaler is None else scaler.state_dict()

    def load_scaler_state(self, state: dict[str, float]) -> None:
        """Restores `scaler_state`."""
        scaler = self._accelerator.scaler
        if scaler is not None and state:
            scaler.load_state_dict(state)


def restore_optimizer(optimizer: torch.optim.Optimizer, state: dict[str, Any]) -> None:
    """Loads momentum and the like from a checkpoint, but keeps the optimiser's own learning rate and decay.

    They are the same unless a run is resumed with other settings, and then the new ones are meant.
    """
    own = [{key: value for key, value in group.items() if key != "params"} for group in optimizer.param_groups]
    optimizer.load_state_dict(state)
    for group, settings in zip(optimizer.param_groups, own, strict=True):
        group.update(settings)


def _find_device(name: str) -> torch.device:
    import torch

    if launched()[1] > 1:
        return own_device(name)
    if name == "auto":
        accelerator = torch.accelerator.current_accelerator(check_available=True)
        return accelerator if accelerator is not None else torch.device("cpu")
    try:
        device = torch.device(name)
        torch.empty(1, device=device)
    except (RuntimeError, AssertionError) as error:
        reason = str(error).splitlines()[0]
        raise ConfigError(
            f"--device {name!r} can't be used here ({reason}); use --device auto or --device cpu"
        ) from None
    return device


def _accelerator(device: torch.device, precision: Precision):
    from accelerate import Accelerator
    from accelerate.state import AcceleratorState, PartialState

    # accelerate keeps one state a process and refuses another precision or device; runs follow each other here.
    wanted = {"fp32": "no"}.get(precision, precision)
    if AcceleratorState._shared_state:
        AcceleratorState._reset_state(reset_partial_state=True)
    elif PartialState._shared_state:
        PartialState._reset_state()
    if device.index is not None and launched()[1] == 1:
        os.environ["ACCELERATE_TORCH_DEVICE"] = str(device)
    else:
        os.environ.pop("ACCELERATE_TORCH_DEVICE", None)
    return Accelerator(cpu=device.type == "cpu", mixed_precision=wanted, kwargs_handlers=handlers())
