"""A block can have torch's global stream to itself, and nobody notices."""

from __future__ import annotations

import pytest
import torch

from edgewise.core.seeding import seeded


def test_the_same_seed_draws_the_same_numbers_and_another_seed_others() -> None:
    drawn = []
    for seed in (5, 5, 6):
        with seeded(seed):
            drawn.append(torch.rand(4))
    assert torch.equal(drawn[0], drawn[1])
    assert not torch.equal(drawn[0], drawn[2])


def test_the_global_stream_is_where_it_was_before_the_block() -> None:
    torch.manual_seed(1)
    expected = torch.rand(3)
    torch.manual_seed(1)
    with seeded(2):
        torch.rand(7)
    assert torch.equal(torch.rand(3), expected)


def test_the_global_stream_is_where_it_was_when_the_block_fails() -> None:
    torch.manual_seed(1)
    expected = torch.rand(3)
    torch.manual_seed(1)
    with pytest.raises(RuntimeError), seeded(2):
        torch.rand(7).view(8)
    assert torch.equal(torch.rand(3), expected)
