"""The example of two tasks: what it trains, and that its gradient surgery is the projection of edges, summed."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from torchjd.aggregation import PCGrad, Sum
from torchjd.autojac import jac_to_grad, mtl_backward

from edgewise.methods import Projection
from edgewise.runtime.random import seeded
from edgewise.spaces.topology import Topology
from examples.two_tasks import AGGREGATORS, COARSE, TwoTasks, coarse_of, main

NAMES = tuple(sorted(name for line in COARSE for name in line.split()))


def model() -> TwoTasks:
    with seeded(1):
        return TwoTasks(4, 3, (6, 3)).double().train()


def losses(net: TwoTasks) -> tuple[torch.Tensor, list[torch.Tensor]]:
    x = torch.randn(8, 3, 16, 16, generator=torch.Generator().manual_seed(2), dtype=torch.float64)
    features, logits = net(x)
    labels = torch.arange(8)
    return features, [F.cross_entropy(logits[0], labels % 6), F.cross_entropy(logits[1], labels % 3)]


def trunk_gradient(combine: str) -> torch.Tensor:
    net = model()
    features, both = losses(net)
    mtl_backward(both, features=features, shared_params=list(net.trunk.parameters()), parallel_chunk_size=1)
    jac_to_grad(list(net.trunk.parameters()), AGGREGATORS[combine]())
    return torch.cat([p.grad.flatten() for p in net.trunk.parameters() if p.grad is not None])


def rows() -> torch.Tensor:
    """The trunk's gradient of each task, [tasks, weights], by autograd alone."""
    net = model()
    _, both = losses(net)
    parameters = list(net.trunk.parameters())
    return torch.stack(
        [
            torch.cat([g.flatten() for g in torch.autograd.grad(loss, parameters, retain_graph=True)])
            for loss in both
        ]
    )


def test_there_are_twenty_coarse_classes_of_five_fine_ones_each() -> None:
    assert len(NAMES) == len(set(NAMES)) == 100
    assert torch.equal(torch.bincount(coarse_of(NAMES)), torch.full((20,), 5))


def test_a_class_that_cifar_100_lacks_is_refused_by_name() -> None:
    with pytest.raises(ValueError, match="airplane"):
        coarse_of(("apple", "airplane"))


def test_with_sum_the_trunk_gets_the_gradient_of_both_losses_added() -> None:
    assert AGGREGATORS["sum"] is Sum
    torch.testing.assert_close(trunk_gradient("sum"), rows().sum(0), rtol=1e-9, atol=1e-12)


def projected_sum(both: torch.Tensor) -> torch.Tensor:
    """The sum of the rows after edgewise's symmetric projection of two edges into one node."""
    projector = Projection("in", "symmetric").on(Topology(1, 2, ((0, 2), (1, 2))), torch.device("cpu"))
    return projector(both.unsqueeze(0), torch.Generator().manual_seed(0))[0].sum(0)


def test_with_pcgrad_the_trunk_gets_the_symmetric_projection_of_both_gradients_added() -> None:
    torch.testing.assert_close(trunk_gradient("pcgrad"), projected_sum(rows()), rtol=1e-9, atol=1e-12)


def test_the_symmetric_projection_of_two_tasks_in_conflict_is_pcgrads() -> None:
    both = rows()
    both[1] = both[1] - 1.5 * (both[0] @ both[1]) / (both[0] @ both[0]) * both[0] - 0.1 * both[0]
    assert both[0] @ both[1] < 0
    found = projected_sum(both)
    torch.testing.assert_close(found, PCGrad()(both), rtol=1e-9, atol=1e-12)
    assert not torch.allclose(found, both.sum(0))


@pytest.mark.slow
def test_the_example_trains_both_ways_on_the_same_start_and_reports_both(shared_data: Path, capsys) -> None:
    random.seed(0)
    sizes = ["--epochs", "1", "--batch", "32", "--channels", "4", "--layers", "3", "--train-images", "300"]
    outcomes = main([*sizes, "--data", str(shared_data / "cifar100")])
    assert [outcome.combine for outcome in outcomes] == ["sum", "pcgrad"]
    for outcome in outcomes:
        assert 0 <= outcome.fine <= 0.2
        assert 0.01 <= outcome.coarse <= 0.5
        assert 0 <= outcome.conflicts <= 1
    assert "of 2000 test images" in capsys.readouterr().out
