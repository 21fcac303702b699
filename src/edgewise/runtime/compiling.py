"""torch.compile around a forward pass: where it can be had, and what happens where it can't."""

from __future__ import annotations

import importlib.util
import logging
import os
import shutil
from collections.abc import Callable
from typing import TYPE_CHECKING, Generic, ParamSpec, TypeVar

if TYPE_CHECKING:
    import torch

LOG = logging.getLogger(__name__)
BACKEND = "inductor"
P = ParamSpec("P")
R = TypeVar("R")


def compile_fault(device: torch.device) -> str | None:
    """Why nothing can be compiled for a device here; None where it can."""
    if device.type == "cpu":
        named = os.environ.get("CXX")
        found = shutil.which(named) if named else shutil.which("g++") or shutil.which("clang++")
        return None if found else "there is no C++ compiler here (g++ or clang++ on the PATH, or named by CXX)"
    if device.type == "cuda":
        return None if importlib.util.find_spec("triton") else "the package triton is not installed"
    return f"torch.compile is not used on {device.type}"


class Compiled(Generic[P, R]):
    """A function that is compiled at its first call, with CUDA graphs on CUDA; if that fails, it runs as it is.

    Modules are compiled by their bound methods, so that no name of a weight changes. It is the whole function or
    nothing: one that was compiled in parts and failed in the middle would have recorded statistics once already.

    Args:
        function: from tensors to tensors.
        device: where they lie.
    """

    def __init__(self, function: Callable[P, R], device: torch.device) -> None:
        import torch

        # Each network has a few compiled forms, and torch gives up on a function that has more than eight.
        torch.compiler.reset()
        self._graphs = device.type == "cuda"
        mode = "reduce-overhead" if self._graphs else None
        self._plain = function
        self._fast: Callable[P, R] | None = torch.compile(
            function, mode=mode, dynamic=False, fullgraph=True, backend=BACKEND
        )

    @property
    def failed(self) -> bool:
        """Whether compiling failed, so that the function runs as it is."""
        return self._fast is None

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        """The function's result."""
        import torch
        from torch._dynamo.exc import TorchDynamoException

        if self._fast is None:
            return self._plain(*args, **kwargs)
        if self._graphs:
            torch.compiler.cudagraph_mark_step_begin()
        try:
            return self._fast(*args, **kwargs)
        except TorchDynamoException as error:
            self._fast = None
            LOG.warning("--compile: compiling failed (%s); going on without", _reason(error))
        return self._plain(*args, **kwargs)


def _reason(error: Exception) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return " ".join(lines[:2]) or type(error).__name__
