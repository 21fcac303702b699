"""Drop-path, alone and in a network."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from edgewise.nn import DropPath, Network, NetworkSpec
from edgewise.spaces import Cell, Genotype, published


class Counting(DropPath):
    """Counts its calls."""

    calls = 0

    def __call__(self, x: torch.Tensor) -> torch.Tensor:
        self.calls += 1
        return super().__call__(x)


def stream(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def all_skips() -> Genotype:
    pairs = [("skip_connect", source) for source in (0, 1, 0, 2, 1, 2, 0, 3)]
    cell = Cell.from_pairs(pairs, (2, 3, 4, 5))
    return Genotype("darts", {"normal": cell, "reduce": cell})


def test_with_probability_0_drop_path_is_the_identity_and_draws_nothing():
    generator, x = stream(), torch.randn(4, 2, 3, 3)
    before = generator.get_state()
    assert DropPath(0.0, generator)(x) is x
    assert torch.equal(generator.get_state(), before)


def test_a_sample_is_dropped_whole_or_kept_whole_and_scaled():
    out = DropPath(0.25, stream())(torch.full((64, 3, 4, 5), 3.0))
    flat = out.flatten(1)
    assert (flat == flat[:, :1]).all()
    assert set(flat[:, 0].tolist()) == {0.0, 4.0}


@pytest.mark.parametrize("probability", [0.1, 0.3, 0.8])
def test_the_share_of_dropped_samples_lies_within_binomial_bounds(probability):
    n = 20_000
    dropped = (DropPath(probability, stream(1))(torch.ones(n, 1, 1, 1)) == 0).sum().item()
    deviation = (n * probability * (1 - probability)) ** 0.5
    assert abs(dropped - n * probability) < 5 * deviation


def test_the_mean_over_samples_is_kept():
    out = DropPath(0.3, stream(2))(torch.ones(20_000, 1, 1, 1))
    assert out.mean().item() == pytest.approx(1.0, abs=0.03)


def test_drop_path_draws_from_its_own_stream_alone():
    before = torch.get_rng_state()
    first = DropPath(0.5, stream(3))(torch.ones(100, 1, 1, 1))
    assert torch.equal(torch.get_rng_state(), before)
    torch.rand(5)
    assert torch.equal(DropPath(0.5, stream(3))(torch.ones(100, 1, 1, 1)), first)
    assert not torch.equal(DropPath(0.5, stream(4))(torch.ones(100, 1, 1, 1)), first)


def test_drop_path_keeps_the_type_of_its_input_and_lets_gradients_through_kept_samples_only():
    x = torch.ones(50, 1, 2, 2, dtype=torch.float64, requires_grad=True)
    out = DropPath(0.5, stream())(x)
    assert out.dtype == torch.float64
    (gradient,) = torch.autograd.grad(out.sum(), x)
    assert torch.equal(gradient, out.detach())


@pytest.mark.parametrize("genotype", [published("DARTS_V1"), all_skips()], ids=["DARTS_V1", "skips"])
def test_in_a_network_every_edge_but_identities_is_dropped_once_a_pass(genotype):
    network = Network(genotype, NetworkSpec(channels=4, layers=4, classes=3))
    edges = [module for cell in network.cells for module in cell.operations]
    drop_path = Counting(0.3, stream())
    network.training_forward(torch.randn(3, 3, 8, 8), drop_path)
    assert drop_path.calls == sum(not isinstance(module, nn.Identity) for module in edges) < len(edges)


def test_a_normal_cell_of_identities_gives_the_same_under_the_strongest_drop_path():
    network = Network(all_skips(), NetworkSpec(channels=4, layers=3, classes=3)).eval()
    x = torch.randn(3, 12, 8, 8)
    normal, reduction = network.cells[0], network.cells[1]
    assert torch.equal(normal(x, x, DropPath(0.999, stream())), normal(x, x, None))
    y = torch.randn(3, 16, 8, 8)
    assert not torch.equal(reduction(x, y, DropPath(0.999, stream())), reduction(x, y, None))


def test_a_network_without_drop_path_equals_one_with_probability_0_bit_for_bit():
    network = Network(published("DARTS_V1"), NetworkSpec(channels=4, layers=3, classes=3))
    x = torch.randn(3, 3, 8, 8)
    plain = network.training_forward(x, None)[0]
    assert torch.equal(network.training_forward(x, DropPath(0.0, stream()))[0], plain)
    assert not torch.equal(network.training_forward(x, DropPath(0.5, stream()))[0], plain)
