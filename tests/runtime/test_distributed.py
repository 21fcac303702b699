"""Who has which rows of a batch, and who draws what; nothing here starts a process."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from edgewise.errors import ConfigError
from edgewise.runtime.distributed import ALONE, Processes
from edgewise.runtime.launcher import fell_apart, launched, own_device, resumed_device


@pytest.mark.parametrize("total", [1, 2, 7, 12])
@pytest.mark.parametrize("world", [1, 2, 3, 5])
def test_rows_of_all_processes_are_the_batch_in_order_and_as_equal_as_can_be(world: int, total: int) -> None:
    rows = list(range(total))
    parts = [rows[Processes(rank, world).rows(total)] for rank in range(world)]
    assert [row for part in parts for row in part] == rows
    assert max(map(len, parts)) - min(map(len, parts)) <= 1


def draws(processes: Processes, count: int, seed: int = 0) -> tuple[Tensor, Tensor]:
    """Drawn numbers, and what the stream gives next."""
    stream = torch.Generator().manual_seed(seed)
    own = processes.drawn(lambda shape: torch.randn(shape, generator=stream), (count, 3))
    return own, torch.rand(2, generator=stream)


def test_draws_of_all_processes_are_those_of_one_and_leave_the_stream_where_one_leaves_it() -> None:
    whole, after = draws(ALONE, 6)
    parts = [draws(Processes(rank, 3), 2) for rank in range(3)]
    assert torch.equal(torch.cat([own for own, _ in parts]), whole)
    assert all(torch.equal(next_one, after) for _, next_one in parts)


def test_draws_for_a_batch_of_unequal_parts_are_those_of_one() -> None:
    whole, _ = draws(ALONE, 5)
    parts = []
    for rank, count in enumerate((3, 2)):
        processes = Processes(rank, 2)
        with processes.sharing(5):
            parts.append(draws(processes, count)[0])
    assert torch.equal(torch.cat(parts), whole)


def test_alone_a_process_has_whole_batches_and_draws_for_itself() -> None:
    processes = Processes(1, 2)
    with processes.alone():
        assert not processes.several
        assert processes.rows(7) == slice(0, 7)
        assert torch.equal(draws(processes, 4)[0], draws(ALONE, 4)[0])
        assert processes.any(True, False) == (True, False)
        assert not processes.main
    assert processes.several


def test_one_process_averages_nothing() -> None:
    value = torch.tensor([1.0, float("nan")])
    assert ALONE.average([value])[0] is value
    assert ALONE.broadcast({"a": 1}) == {"a": 1}
    parameter = torch.nn.Parameter(torch.ones(2))
    parameter.grad = value
    assert ALONE.average_gradients([parameter], value)[0] is value
    assert parameter.grad is value


def test_a_batch_that_can_not_be_cut_equally_is_refused_with_one_that_can() -> None:
    Processes(0, 4).check_divides(64)
    with pytest.raises(ConfigError, match=r"batch of 66 images .* 4 processes: set search\.batch_size=64"):
        Processes(0, 4).check_divides(66)


def test_a_launchers_environment_says_who_this_process_is(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("RANK", "WORLD_SIZE", "LOCAL_RANK"):
        monkeypatch.delenv(name, raising=False)
    assert launched() == (0, 1)
    assert resumed_device("cuda:0") == "cuda:0"
    monkeypatch.setenv("RANK", "3")
    monkeypatch.setenv("WORLD_SIZE", "4")
    assert launched() == (3, 4)
    assert resumed_device("cuda:0") == "cuda"
    with pytest.raises(ConfigError, match="'cuda:1' is one device, and 4 processes are running: use --device"):
        own_device("cuda:1")
    assert own_device("cpu") == torch.device("cpu")


def test_accelerates_launch_on_the_cpu_that_starts_one_process_is_recognised(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("RANK", raising=False)
    monkeypatch.setenv("ACCELERATE_USE_CPU", "True")
    monkeypatch.delenv("MASTER_ADDR", raising=False)
    assert not fell_apart()
    monkeypatch.setenv("MASTER_ADDR", "127.0.0.1")
    assert fell_apart()
    monkeypatch.setenv("RANK", "0")
    assert not fell_apart()
