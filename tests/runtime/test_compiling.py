"""Compiled functions: same results, names of weights untouched, and what happens where compiling can't be done."""

from __future__ import annotations

import logging
import shutil
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from edgewise.runtime import compiling
from edgewise.runtime.compiling import Compiled, compile_fault
from edgewise.runtime.compute import Compute
from tests.backend import Backend, use_backend

CPU = torch.device("cpu")


@pytest.fixture
def counting(monkeypatch: pytest.MonkeyPatch) -> Backend:
    return use_backend(monkeypatch)


def test_a_compiled_function_gives_what_the_function_gives_and_is_compiled_once(counting: Backend) -> None:
    module = nn.Linear(3, 2)
    compiled = Compiled(module.forward, CPU)
    x = torch.arange(6.0).reshape(2, 3)
    assert torch.equal(compiled(x), module(x))
    assert torch.equal(compiled(x + 1), module(x + 1))
    assert (counting.graphs, compiled.failed) == (1, False)
    assert list(module.state_dict()) == ["weight", "bias"]


def test_where_compiling_fails_the_function_runs_as_it_is_and_it_is_said_once(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(graph: Any, inputs: list[Tensor]) -> Any:
        raise RuntimeError("no such compiler")

    monkeypatch.setattr(compiling, "BACKEND", broken)
    compiled = Compiled(lambda x: x * 2 + 1, CPU)
    with caplog.at_level(logging.WARNING, logger=compiling.__name__):
        assert [compiled(torch.tensor(3.0)).item() for _ in range(2)] == [7.0, 7.0]
    assert compiled.failed
    assert len(caplog.records) == 1
    assert "no such compiler" in caplog.text


def test_an_error_of_the_function_itself_is_not_taken_for_one_of_compiling(counting: Backend) -> None:
    compiled = Compiled(lambda x: x @ torch.zeros(5, 5), CPU)
    with pytest.raises(RuntimeError, match=r"shape|size"):
        compiled(torch.zeros(2, 3))


def test_without_a_compiler_nothing_is_compiled_on_a_cpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CXX", raising=False)
    monkeypatch.setattr(shutil, "which", lambda name: None)
    assert "no C++ compiler" in (compile_fault(CPU) or "")
    assert not Compute("cpu", compile=True).compiles


def test_with_a_compiler_trainings_are_compiled_on_a_cpu_and_searches_are_not(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(shutil, "which", lambda name: f"/usr/bin/{name}")
    compute = Compute("cpu", compile=True)
    assert (compute.compiles, compute.compiles_searches) == (True, False)
    assert not Compute("cpu").compiles


@pytest.mark.parametrize(("triton", "compiles"), [(None, False), (object(), True)])
def test_on_cuda_compiling_takes_triton(monkeypatch: pytest.MonkeyPatch, triton: object, compiles: bool) -> None:
    monkeypatch.setattr(compiling.importlib.util, "find_spec", lambda name: triton)
    assert (compile_fault(torch.device("cuda")) is None) == compiles


def test_on_mps_nothing_is_compiled() -> None:
    assert "mps" in (compile_fault(torch.device("mps")) or "")
