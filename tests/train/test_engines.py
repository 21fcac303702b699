"""A training on the kernels and on PyTorch's operations: the same trace, and a setting between them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from edgewise.config.build import build
from edgewise.errors import ConfigError
from edgewise.methods import TrainSettings
from edgewise.nn import DropPath, SeparableConv
from edgewise.nn.engines.native import library
from edgewise.runtime.compute import Compute
from edgewise.train import TrainTask
from tests.search.problem import make_splits
from tests.train.test_task import SETTINGS, make_task, network, run_epoch


class Double(nn.Module):
    """A network in float64, so that rounding has no time to grow in a few epochs."""

    def __init__(self) -> None:
        super().__init__()
        self.inner = network(auxiliary=True).double()

    def training_forward(self, x: Tensor, drop_path: DropPath | None) -> tuple[Tensor, Tensor | None]:
        return self.inner.training_forward(x.double(), drop_path)


def train(engine: str, module: nn.Module) -> tuple[list[dict[str, Any]], dict[str, Tensor]]:
    """The records of all epochs, and the last state."""
    settings = replace(SETTINGS, engine=engine, auxiliary=0.4)
    task = make_task(module, settings)
    records = [run_epoch(task, epoch) for epoch in range(settings.epochs)]
    return records, task.network.state_dict()


def engines(module: nn.Module) -> set[str]:
    """Those of a network's separable convolutions."""
    return {child.engine for child in module.modules() if isinstance(child, SeparableConv)}


@pytest.mark.skipif(library() is None, reason="no C++ compiler: there are no kernels")
def test_a_whole_training_has_the_same_trace_and_ends_with_the_same_network_on_both_engines() -> None:
    (plain, before), (ours, after) = train("plain", Double()), train("auto", Double())
    assert [record["epoch"] for record in ours] == [0, 1, 2, 3]
    for one, other in zip(plain, ours, strict=True):
        assert one.keys() == other.keys()
        for key in ("loss", "accuracy", "grad_norm", "lr", "drop_path"):
            assert other[key] == pytest.approx(one[key], rel=1e-8), key
    assert plain != ours
    assert before.keys() == after.keys()
    for name, value in before.items():
        torch.testing.assert_close(after[name], value, rtol=1e-7, atol=1e-9, msg=name)


@pytest.mark.skipif(library() is None, reason="no C++ compiler: there are no kernels")
def test_in_float32_the_first_epochs_losses_agree_to_rounding() -> None:
    (plain, _), (ours, _) = (train(engine, network(auxiliary=True)) for engine in ("plain", "auto"))
    assert ours[0]["loss"] == pytest.approx(plain[0]["loss"], rel=1e-4)
    assert ours[0]["grad_norm"] == pytest.approx(plain[0]["grad_norm"], rel=1e-3)


def test_trainings_are_on_auto_unless_they_are_told_otherwise_or_compiled(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    module = network()
    assert engines(module) == {"plain"}
    assert engines(make_task(module).network) == {"auto"}
    assert engines(make_task(module, replace(SETTINGS, engine="plain")).network) == {"plain"}
    monkeypatch.setattr("edgewise.runtime.compute.compile_fault", lambda device: None)
    compute = Compute("cpu", compile=True)
    assert compute.compiles
    compiled = TrainTask(network(), "found", SETTINGS, make_splits(), None, seed=5, compute=compute)
    assert engines(compiled.network) == {"plain"}


def test_the_setting_takes_both_engines_of_trainings_and_no_third() -> None:
    assert build(TrainSettings, {"engine": "plain"}).engine == "plain"
    assert TrainSettings().engine == "auto"
    with pytest.raises(ConfigError, match=r"engine.*auto.*plain"):
        build(TrainSettings, {"engine": "grouped"})
