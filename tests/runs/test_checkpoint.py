"""A checkpoint is whole at every moment, and reading one runs no code."""

from __future__ import annotations

import random
import subprocess
import sys
import time
from collections import OrderedDict
from pathlib import Path

import numpy as np
import pytest
import torch

from edgewise.errors import RunError
from edgewise.runs.checkpoint import load_checkpoint, save_checkpoint

WRITER = """
import sys, torch
from pathlib import Path
from edgewise.runs.checkpoint import save_checkpoint
torch.set_num_threads(1)
number = int(sys.argv[2])
while True:
    number += 1
    save_checkpoint(Path(sys.argv[1]), {"number": number, "weights": torch.full((400_000,), float(number))})
    print(number, flush=True)
"""


def test_a_state_comes_back_exactly(tmp_path: Path) -> None:
    module = torch.nn.Sequential(torch.nn.Linear(3, 2), torch.nn.BatchNorm1d(2))
    optimiser = torch.optim.Adam(module.parameters(), lr=0.1)
    module(torch.randn(4, 3)).square().sum().backward()
    optimiser.step()
    state = {
        "module": module.state_dict(),
        "optimiser": optimiser.state_dict(),
        "stream": torch.Generator().manual_seed(3).get_state(),
        "epoch": 3,
        "rest": [None, True, 0.1, "x", (1, 2), OrderedDict(a=1)],
    }
    save_checkpoint(tmp_path / "c.pt", state)
    back = load_checkpoint(tmp_path / "c.pt")
    assert back is not None
    assert back["rest"] == state["rest"]
    for name, tensor in state["module"].items():
        assert torch.equal(back["module"][name], tensor)
    assert torch.equal(back["optimiser"]["state"][0]["exp_avg"], state["optimiser"]["state"][0]["exp_avg"])
    assert back["optimiser"]["param_groups"] == state["optimiser"]["param_groups"]
    assert torch.equal(back["stream"], state["stream"])


def test_there_may_be_none_yet(tmp_path: Path) -> None:
    assert load_checkpoint(tmp_path / "c.pt") is None


@pytest.mark.parametrize(
    ("entry", "said"),
    [
        ([1, np.float64(0.5)], r"a\.b\[1\] is a numpy\.float64"),
        (np.zeros(2), r"a\.b is a numpy\.ndarray"),
        (Path("x"), r"a\.b is a pathlib\."),
        ({(1, 2): 3}, r"a\.b has the key \(1, 2\)"),
    ],
)
def test_an_entry_that_could_not_be_read_back_is_refused_when_it_is_written(
    tmp_path: Path, entry: object, said: str
) -> None:
    save_checkpoint(tmp_path / "c.pt", {"epoch": 1})
    with pytest.raises(RunError, match=said):
        save_checkpoint(tmp_path / "c.pt", {"a": {"b": entry}})
    assert load_checkpoint(tmp_path / "c.pt") == {"epoch": 1}


class Bomb:
    def __reduce__(self) -> tuple:
        return (Path.touch, (Path("bomb-went-off"),))


def test_a_file_that_would_run_code_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    torch.save({"a": Bomb()}, tmp_path / "c.pt")
    with pytest.raises(RunError, match=r"c\.pt can't be read"):
        load_checkpoint(tmp_path / "c.pt")
    assert not (tmp_path / "bomb-went-off").exists()


@pytest.mark.parametrize("keep", [0, 1, 100, -1])
def test_a_damaged_file_is_told(tmp_path: Path, keep: int) -> None:
    save_checkpoint(tmp_path / "c.pt", {"a": torch.zeros(1000)})
    whole = (tmp_path / "c.pt").read_bytes()
    (tmp_path / "c.pt").write_bytes(whole[:keep])
    with pytest.raises(RunError, match=r"c\.pt can't be read .* restore it"):
        load_checkpoint(tmp_path / "c.pt")


def test_a_writer_killed_at_any_moment_leaves_a_whole_checkpoint(tmp_path: Path) -> None:
    path, chance, last = tmp_path / "c.pt", random.Random(7), 0
    for _ in range(4):
        writer = subprocess.Popen(
            [sys.executable, "-c", WRITER, str(path), str(last)], stdout=subprocess.PIPE, text=True
        )
        assert writer.stdout is not None
        assert writer.stdout.readline()
        time.sleep(chance.uniform(0, 0.05))
        writer.kill()
        told = [int(line) for line in writer.stdout.read().split()]
        writer.wait()
        state = load_checkpoint(path)
        assert state is not None
        assert state["weights"].eq(state["number"]).all()
        assert state["number"] >= max([last + 1, *told])
        last = state["number"]
