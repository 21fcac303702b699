"""A compiler that compiles nothing: what dynamo finds is run as it is, and counted."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from torch import Tensor

from edgewise.runtime import compiling


class Backend:
    """Runs graphs as they are, and counts them."""

    def __init__(self) -> None:
        self.graphs = 0

    def __call__(self, graph: Any, inputs: list[Tensor]) -> Callable[..., Any]:
        self.graphs += 1
        return graph.forward


def use_backend(monkeypatch: pytest.MonkeyPatch) -> Backend:
    """Puts it in the place of the compiler."""
    backend = Backend()
    monkeypatch.setattr(compiling, "BACKEND", backend)
    return backend
